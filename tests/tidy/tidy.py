#!/usr/bin/env python3
"""Checks of the tree itself: who includes whom, lengths, banned calls, leftovers.

Usage: tidy.py ROOT. Prints one line per problem; exits 1 if there is any.
"""
import ast
import os
import re
import sys
from pathlib import Path

import rules


def module_of(path):
    """The module a path belongs to: the longest prefix among the layers."""
    names = [name for name in rules.LAYERS if is_in(path, name)]
    return max(names, key=len, default=None)


def is_in(path, name):
    """engine/core holds engine/core/x.c; invoke/http holds invoke/http_head.c."""
    rest = path[len(name):] if path.startswith(name) else None
    return rest is not None and rest[:1] in ("/", "_", ".", "")


def blank_out(text):
    """Comments and strings become blanks; lines keep their numbers."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def check_own_include(root, me, target, report):
    place = "sdk/include/" + target if target.startswith("pawl/") else target
    if target.endswith(".pb-c.h"):
        if me not in ("sdk/wire", "tests"):
            report("generated code stays in sdk/wire")
        return
    if not (root / place).is_file():
        report(f'"{target}" is not written from the root of the tree')
        return
    other = module_of(place)
    if me is not None and other != me and not {other, "*"} & set(rules.LAYERS[me]):
        report(f"{me} must not include {target}")


def check_system_include(me, target, report):
    name = target.split("/")[0]
    if target.startswith("pawl/"):
        if not {"sdk/include", "*"} & set(rules.LAYERS[me] + [me]):
            report(f"{me} must not include <{target}>")
    elif name in rules.THIRD_PARTY:
        if "*" not in rules.LAYERS[me] and me not in rules.THIRD_PARTY[name]:
            report(f"{me} must not include <{target}>")
    elif me in rules.PURE and target not in rules.PURE[me]:
        report(f"{me} is pure and must not include <{target}>")


def check_include(root, path, line, report):
    found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
    me = module_of(path)
    if found and found.group(1) == '"':
        check_own_include(root, me, found.group(2), report)
    elif found and me is not None:
        check_system_include(me, found.group(2), report)


def check_banned(path, code, report):
    for pattern, reason, allowed in rules.BANNED:
        found = re.search(pattern, code)
        if found and not path.startswith(allowed):
            report(f"{found.group(0).rstrip('( ')}(): {reason}")


def check_c(root, path, text, report_at):
    """Includes, banned calls, and the length of functions (a brace alone in column 1)."""
    opened = None
    for number, (line, code) in enumerate(zip(text.split("\n"), blank_out(text).split("\n")), 1):
        report = report_at(number)
        check_include(root, path, line, report)
        check_banned(path, code, report)
        if line == "{":
            opened = number
        elif line == "}" and opened is not None:
            check_length(number - opened - 1, report)
            opened = None


def check_length(lines, report):
    if lines > rules.FUNCTION_MAX:
        report(f"function of {lines} lines")


def check_python(text, report_at):
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        report_at(error.lineno or 1)("does not parse")
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            check_length(node.end_lineno - node.lineno, report_at(node.end_lineno))


def check_shell(text, report_at):
    opened = None
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"(function )?[\w-]+ ?\(\) ?\{$", line):
            opened = number
        elif line == "}" and opened is not None:
            check_length(number - opened - 1, report_at(number))
            opened = None


def check_lines(path, text, report_at):
    for number, line in enumerate(text.split("\n"), 1):
        report = report_at(number)
        if len(line) > rules.LINE_MAX and not path.endswith((".md", ".txt", ".yaml", ".yml")):
            report(f"line of {len(line)} columns")
        if line.rstrip() != line and not path.endswith(".md"):
            report("blanks at the end of the line")
        for pattern, reason in (rules.LEFTOVERS, rules.MACHINE):
            if re.search(pattern, line):
                report(reason)


def check_file(root, path, problems):
    raw = (root / path).read_bytes()
    text = raw.decode("utf-8", "replace")
    is_script = text.startswith("#!")

    def report_at(number):
        return lambda problem: problems.append(f"{path}:{number}: {problem}")

    if not path.endswith(rules.TEXT_FILES) and not is_script:
        return
    check_lines(path, text, report_at)
    first = text.split("\n", 1)[0]
    if path.endswith(rules.C_FILES):
        check_c(root, path, text, report_at)
    elif path.endswith(".py") or (is_script and "python" in first):
        check_python(text, report_at)
    elif path.endswith(".sh") or (is_script and "sh" in first):
        check_shell(text, report_at)


def files_of(root):
    for place, dirs, names in os.walk(root):
        dirs[:] = sorted(d for d in dirs if not d.startswith(rules.SKIPPED) or d == ".ci")
        for name in sorted(names):
            file = Path(place) / name
            if file.is_file() and not file.is_symlink() and not name.startswith("build"):
                yield file.relative_to(root).as_posix()


def names_of(root, paths):
    """What each directory's meson.build has in quotes: the last part of each path."""
    names = {}
    for path in paths:
        if path.rpartition("/")[2] == "meson.build":
            quoted = re.findall(r"'([^'\n]+)'", (root / path).read_text())
            names[path.rpartition("/")[0]] = {text.rpartition("/")[2] for text in quoted}
    return names


def check_built(path, names, problems):
    """A source that nothing builds is tested by nothing. A loop over nouns names those only."""
    place, _, name = path.rpartition("/")
    noun = name[:-len(".c")].partition("_")[2]
    while place:
        if names.get(place, set()) & {name, noun}:
            return
        place = place.rpartition("/")[0]
    problems.append(f"{path}:1: no meson.build names it")


def problems_of(root):
    problems = []
    paths = list(files_of(root))
    names = names_of(root, paths)
    for path in paths:
        check_file(root, path, problems)
        if path.endswith(".c"):
            check_built(path, names, problems)
    return problems


def main():
    problems = problems_of(Path(sys.argv[1]).resolve())
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
