"""The documents name files and functions that exist.

Usage: test_names.py ROOT. Every `path:function` of docs/*.md must be a function of that file,
every link of README.md and docs/*.md must lead somewhere. Prints what does not; exits 1.
"""

import re
import sys
from pathlib import Path

ENOUGH = 40  # a pattern that finds next to nothing would never fail


def problems_of(root, document):
    text = document.read_text(encoding="utf-8")
    names = re.findall(r"`([\w./]+\.[ch]):(\w+)`", text)
    for path, function in names:
        file = root / path
        if not file.is_file():
            yield len(names), f"{document.name}: there is no file {path}"
        elif not re.search(rf"^\w[^;\n=]*\b{function}\(", file.read_text(encoding="utf-8"), re.M):
            yield len(names), f"{document.name}: {path} has no function {function}"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (document.parent / target).exists():
            yield len(names), f"{document.name}: the link {target} leads nowhere"
    yield len(names), None


def main():
    root = Path(sys.argv[1])
    found = 0
    bad = 0
    for document in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        for count, problem in problems_of(root, document):
            if problem is None:
                found += count
            else:
                bad += 1
                print(problem)
    if found < ENOUGH:
        print(f"only {found} functions are named at all")
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
