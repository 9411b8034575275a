#!/usr/bin/python3
"""Makes the manual pages of what is there anyway: the program's help and the documents.

    man.py pawl.1 --pawl PROGRAM --version V docs/cli.md > pawl.1
    man.py pawl.conf.5 --version V docs/config.md > pawl.conf.5
"""

import argparse
import re
import subprocess
import sys

SUMMARIES = {
    "pawl.1": "durable workflows on a function runtime",
    "pawl.conf.5": "configuration of the Pawl daemon",
}
SEE_ALSO = {"pawl.1": "pawl.conf (5)", "pawl.conf.5": "pawl (1)"}


# --- roff -----------------------------------------------------------------------------


def plain(text):
    """Text as it is; in the first column neither a dot nor an apostrophe."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def styled(text):
    """Markdown within a paragraph: code and strong become bold, emphasis italic."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)", text)
    out = ""
    for part in parts:
        if len(part) > 2 and part[0] == part[-1] and part[0] in "`*":
            font = "I" if part[0] == "*" and part[1] != "*" else "B"
            out += f"\\f{font}{plain(part.strip('`*'))}\\fR"
        else:
            out += plain(part).removeprefix("\\&")
    return "\\&" + out if out[:1] in (".", "'") else out


def title(page, version):
    name, section = page.rsplit(".", 1)
    return [f'.TH "{name.upper()}" {section} "" "Pawl {version}" "Pawl"', ".SH NAME",
            f"{plain(name)} \\- {plain(SUMMARIES[page])}"]


def literal(lines):
    return [".PP", ".in +4", ".nf"] + [plain(line) for line in lines] + [".fi", ".in"]


def entry(tag, text):
    return [".TP", f"\\fB{plain(tag)}\\fR", text]


# --- the help of a command --------------------------------------------------------------


def ask(program, words):
    return subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def sections_of(text):
    """{"": lines before the first heading, "Options": …}"""
    found = {"": []}
    name = ""
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][\w ]*:", line):
            name = line[:-1]
            found[name] = []
        else:
            found[name].append(line)
    return found


def entries_of(lines):
    """[(tag, text)] of lines `  TAG   TEXT`; text that goes on is deeper."""
    found = []
    for line in lines:
        match = re.match(r"  (\S.*?)(?:  +(.*))?$", line)
        if match:
            found.append([match.group(1), match.group(2) or ""])
        elif line.startswith("   ") and found:
            found[-1][1] += " " + line.strip()
        elif line.strip():
            break
    return found


def options_page(lines):
    return [out for tag, text in entries_of(lines) if tag not in ("--help", "--version")
            for out in entry(tag, plain(text))]


def body_page(lines):
    """Paragraphs, and examples where they are indented."""
    out = []
    for block in "\n".join(lines).strip("\n").split("\n\n"):
        rows = block.split("\n")
        if rows[0].startswith("  "):
            out += literal([row[2:] for row in rows])
        elif block:
            out += [".PP"] + [plain(row) for row in rows]
    return out


def command_page(program, name):
    sections = sections_of(ask(program, name.split()))
    usage, *rest = sections[""]
    return [f'.SS "{plain(usage.removeprefix("Usage: "))}"', *body_page(rest),
            *options_page(sections.get("Options", []))]


def commands_page(program):
    help_text = sections_of(ask(program, []))
    out = [".SH SYNOPSIS", ".B pawl", "[OPTIONS] COMMAND ...", ".SH COMMANDS"]
    for name, _ in entries_of(help_text["Commands"]):
        out += command_page(program, name)
    return out


# --- a document -------------------------------------------------------------------------


def cells_of(row):
    return [cell.strip().replace("\\|", "|")
            for cell in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def table_page(rows):
    """The first cell is the tag; of three, the second is a default."""
    out = []
    for row in rows[2:]:
        tag, *middle, text = cells_of(row)
        text = styled(text)
        if middle:
            text += (" " if text else "") + f"(default: {styled(middle[0])})"
        out += [".TP", f"\\fB{plain(tag.replace('`', ''))}\\fR", text]
    return out


def heading(line):
    level, text = re.match(r"(#+) (.*)", line).groups()
    if len(level) == 1:
        return [".SH DESCRIPTION"]
    if len(level) == 2:
        return [f'.SH "{plain(text if text[0] == "[" else text.upper())}"']
    return [f'.SS "{plain(text)}"']


def block_page(block):
    rows = block.split("\n")
    if rows[0].startswith("#"):
        return heading(rows[0])
    if rows[0].startswith("|"):
        return table_page(rows)
    if rows[0].startswith("    "):
        return literal([row[4:] for row in rows])
    return [".PP", *styled(" ".join(rows)).split("\n")]


def document_page(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return [line for block in re.split(r"\n{2,}", text.strip("\n")) for line in block_page(block)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", choices=sorted(SUMMARIES))
    parser.add_argument("--pawl")
    parser.add_argument("--version", required=True)
    parser.add_argument("document")
    options = parser.parse_args()
    lines = title(options.page, options.version)
    if options.pawl:
        lines += commands_page(options.pawl)
    lines += document_page(options.document)
    lines += [".SH SEE ALSO", f".BR {SEE_ALSO[options.page]}"]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
