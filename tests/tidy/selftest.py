#!/usr/bin/env python3
"""Plants every kind of violation in a tree of its own; each must be found, at its
line, and nothing else."""
import sys
import tempfile
from pathlib import Path

import tidy

LONG = "int f(void)\n{\n" + "    g();\n" * 71 + "}\n"
SHORT = "int f(void)\n{\n" + "    g();\n" * 70 + "}\n"

# (file, text, line and words of the expected problem)
PLANTED = [
    ("engine/base/a.c", '#include "engine/core/core.h"\n', "1: engine/base must not include"),
    ("engine/core/a.c", '\n#include "journal/journal.h"\n', "2: engine/core must not include"),
    ("engine/core/b.c", "#include <stdio.h>\n", "1: engine/core is pure"),
    ("engine/core/c.c", "#include <uv.h>\n", "1: engine/core must not include <uv.h>"),
    ("journal/a.c", '#include "tenants/keys.h"\n', "1: journal must not include"),
    ("journal/b.c", "#include <sodium.h>\n", "1: journal must not include <sodium.h>"),
    ("tenants/a.c", "#include <lmdb.h>\n", "1: tenants must not include <lmdb.h>"),
    ("runtime/a.c", '#include "journal/journal.h"\n', "1: runtime must not include"),
    ("sdk/wire/a.c", '#include "journal/journal.h"\n', "1: sdk/wire must not include"),
    ("sdk/lib/a.c", '#include "engine/core/core.h"\n', "1: sdk/lib must not include"),
    ("sdk/lib/b.c", '#include "x.pb-c.h"\n', "1: generated code stays in sdk/wire"),
    ("sdk/wire/b.c", '#include "x.pb-c.h"\n', None),
    ("engine/driver/a.c", "#include <lmdb.h>\n", "1: engine/driver must not include <lmdb.h>"),
    ("engine/driver/b.c", '#include "invoke/http.h"\n', "1: engine/driver must not include"),
    ("invoke/http_a.c", '#include "journal/journal.h"\n', "1: invoke/http must not include"),
    ("invoke/a.c", '#include "invoke/http.h"\n#include "journal/journal.h"\n', None),
    ("invoke/httpless.c", '#include "journal/journal.h"\n', None),
    ("examples/a.c", '#include "engine/base/err.h"\n', "1: examples must not include"),
    ("examples/b.c", "#include <pawl/pawl.h>\n#include <uv.h>\n", "2: examples must not include"),
    ("journal/c.c", "#include <pawl/pawl.h>\n", "1: journal must not include <pawl/pawl.h>"),
    ("journal/d.c", '#include "journal.h"\n', '1: "journal.h" is not written from the root'),
    ("journal/e.c", "x = malloc(3);\n", "1: malloc(): allocates outside"),
    ("engine/base/mem.c", "x = malloc(3);\n", None),
    ("journal/f.c", "/* malloc(3)\n strcpy(a, b) */ f(\"sprintf(\"); // gets()\n", None),
    ("journal/g.c", "/* a */ strcpy(a, b);\n", "1: strcpy(): has no bound"),
    ("tests/a.c", "sprintf(a, b);\n", "1: sprintf(): has no bound"),
    ("engine/core/d.c", "t = time(NULL);\n", "1: time(): makes a run not repeatable"),
    ("engine/core/e.c", "t = real_time(NULL) + x.time;\n", None),
    ("tenants/b.c", "clock_gettime(a, b);\n", "1: clock_gettime(): makes a run"),
    ("runtime/b.c", "clock_gettime(a, b);\n", None),
    ("runtime/c.c", "x = rand();\n", "1: rand(): makes a run not repeatable"),
    ("runtime/d.c", "system(x);\n", "1: system(): starts a shell"),
    ("runtime/e.c", LONG, "74: function of 71 lines"),
    ("runtime/f.c", SHORT, None),
    ("runtime/g.c", "/* " + "x" * 95 + " */\n", "1: line of 101 columns"),
    ("runtime/h.c", "/* TO" "DO: later */\n", "1: leftover"),
    ("runtime/i.c", "int x; \n", "1: blanks at the end"),
    ("docs/a.md", "See /wo" "rk/main.\n", "1: path of one machine"),
    ("docs/b.md", "Run ./work/x or $DIR/work/x in /var/lib/pawl. " + "x" * 99 + "\n", None),
    ("dev", "#!/bin/bash\nf() {\n" + "  :\n" * 71 + "}\n", "74: function of 71 lines"),
    ("tests/b.py", "def f():\n" + "    pass\n" * 71, "72: function of 71 lines"),
    ("build-x/a.c", "strcpy(a, b);\n", None),
    ("data.bin", "strcpy(a, b); \n", None),
    ("journal/unnamed.c", "int x;\n", "1: no meson.build names it"),
    ("tests/odd/test_noun.c", "int x;\n", None),
    ("tests/odd/meson.build", "foreach noun : ['noun', 'other']\n", None),
    ("tests/odd/test_another.c", "int x;\n", "1: no meson.build names it"),
]
UNNAMED = ("journal/unnamed.c", "tests/odd/test_noun.c", "tests/odd/test_another.c")
GIVEN = ["engine/base/err.h", "engine/core/core.h", "journal/journal.h", "tenants/keys.h",
         "invoke/http.h", "sdk/include/pawl/pawl.h"]


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def is_as_expected(path, expected, problems):
    mine = [p for p in problems if p.startswith(path + ":")]
    if expected is None:
        return mine == []
    return len(mine) == 1 and mine[0].startswith(f"{path}:{expected}")


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path in GIVEN:
            write(root, path, "")
        for path, text, _ in PLANTED:
            write(root, path, text)
        write(root, "meson.build", "")
        for place in {path.partition("/")[0] for path, _, _ in PLANTED if "/" in path}:
            named = [f"'{path}'" for path, _, _ in PLANTED
                     if path.startswith(place + "/") and path not in UNNAMED]
            write(root, place + "/meson.build", ",\n".join(named) + "\n")
        problems = tidy.problems_of(root)
    for path, _, expected in PLANTED:
        if not is_as_expected(path, expected, problems):
            failed += 1
            print(f"{path}: expected {expected}, found",
                  [p for p in problems if p.startswith(path + ":")])
    print(f"{len(PLANTED)} planted, {failed} not judged as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
