"""The manual pages say what the program's help and table of keys say, and are clean roff.

Usage: test_man.py ROOT PAWL PAGES. Prints what is missing or too much; exits 1.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def ask(program, *words):
    return subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def text_of(page):
    """The page as people read it: without requests, fonts and escapes."""
    text = re.sub(r"\\f[BIR]", "", page).replace("\\-", "-").replace("\\e", "\\")
    return text.replace("\\&", "")


def chapters(text, request):
    """{heading: what stands below it, up to the next of that kind or a larger one}"""
    larger = "SH|SS" if request == "SS" else "SH"
    pattern = rf'^\.{request} "?([^"\n]*)"?\n(.*?)(?=^\.(?:{larger}) |\Z)'
    return dict(re.findall(pattern, text, re.M | re.S))


# --- pawl.1 ---------------------------------------------------------------------------


def commands_of(program):
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", ask(program), re.M).group(1)
    return re.findall(r"^  (\w+(?: \w+)?)  ", listed, re.M)


def options_of(help_text):
    """The command's own; those of all commands are in a table of the document."""
    own = help_text.split("Options of all commands:")[0]
    return set(re.findall(r"^  (--[\w-]+)", own, re.M)) - {"--help", "--version"}


def shared_options(help_text):
    return set(re.findall(r"^  (--[\w-]+)", help_text.split("Options of all commands:")[1], re.M))


def command_problems(name, help_text, found):
    usage = re.match(r"Usage: (.*)", help_text).group(1)
    if usage not in found:
        return [f"pawl.1: there is no '{usage}'"]
    wanted = options_of(help_text)
    listed = set(re.findall(r"^\.TP\n(--[\w-]+)", found[usage], re.M))
    return [f"pawl.1: {name} {option} is {'missing' if option in wanted else 'too much'}"
            for option in sorted(wanted ^ listed)]


def program_problems(page, program):
    text = text_of(page)
    found = chapters(text, "SS")
    problems = []
    for name in commands_of(program):
        problems += command_problems(name, ask(program, *name.split()), found)
    for option in shared_options(ask(program, "status")):
        if not re.search(rf"^\.TP\n(--[\w-]+.*, )?{option}\b", text, re.M):
            problems.append(f"pawl.1: {option} is missing")
    return problems


# --- pawl.conf.5 ----------------------------------------------------------------------


def keys_of(source):
    """Those of the table, and that of the sections [function NAME]."""
    table = source[source.index("config_keys[] = {"):source.index("{0},")]
    found = set(re.findall(r'\{"(\w+)", "(\w+)"', table))
    assert len(found) > 30, "the table of keys looks otherwise now"
    return found | {("function NAME", "grants")}


def configuration_problems(page, keys):
    listed = {(heading.strip("[]"), key)
              for heading, text in chapters(text_of(page), "SH").items() if heading[:1] == "["
              for key in re.findall(r"^\.TP\n(\w+)$", text, re.M)}
    return [f"pawl.conf.5: {key} in [{section}] is "
            f"{'missing' if (section, key) in keys else 'too much'}"
            for section, key in sorted(keys ^ listed)]


# --- both -----------------------------------------------------------------------------


def roff_problems(path):
    if shutil.which("groff") is None:
        return []
    done = subprocess.run(["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z", str(path)],
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.splitlines()


def controls(pages, program, keys):
    """What is taken out of a page or put into it is found."""
    page, configuration = pages
    yield program_problems(page.replace("\\fB\\-\\-retention", "\\fB\\-\\-other"), program)
    yield program_problems(re.sub(r'\.SS "pawl stop .*\n', "", page), program)
    yield program_problems(page.replace("\\-\\-no\\-color", ""), program)
    yield configuration_problems(configuration.replace(".TP\n\\fBdrain_s\\fR\n", ""), keys)
    yield configuration_problems(configuration, keys - {("journal", "log_map_mb")})


def main():
    root, program, *paths = sys.argv[1:]
    pages = [Path(path).read_text(encoding="utf-8") for path in paths]
    keys = keys_of((Path(root) / "invoke/config_keys.c").read_text(encoding="utf-8"))
    problems = program_problems(pages[0], program) + configuration_problems(pages[1], keys)
    for path in paths:
        problems += roff_problems(path)
    for number, found in enumerate(controls(pages, program, keys)):
        if not found:
            problems.append(f"control {number} is not found")
    print("\n".join(problems) or f"{len(commands_of(program))} commands, {len(keys)} keys")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
