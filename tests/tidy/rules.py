"""The rules of the tree, as data. A new rule comes with a line that it catches, in
selftest.py."""

# Who may include whom, by the longest prefix of the path; "*" is everybody.
# (own headers are always allowed, libc too where nothing else is said)
LAYERS = {
    "engine/base": [],
    "engine/core": ["engine/base"],
    "sdk/wire": ["engine/base", "engine/core"],
    "journal": ["engine/base", "engine/core", "sdk/wire"],
    "tenants": ["engine/base", "engine/core"],
    "runtime": ["engine/base", "engine/core", "sdk/wire"],
    "engine/driver": ["engine/base", "engine/core", "sdk/wire", "journal", "tenants", "runtime"],
    "invoke/http": ["engine/base"],
    "invoke": ["engine/base", "engine/core", "sdk/wire", "journal", "tenants", "runtime",
               "engine/driver", "invoke/http"],
    "invoke/main": ["*"],
    "sdk/include": [],
    "sdk/lib": ["engine/base", "sdk/wire", "sdk/include"],
    "sdk/cli": ["engine/base", "engine/core", "sdk/wire", "sdk/include", "journal", "tenants",
                "runtime", "engine/driver", "invoke"],
    "examples": ["sdk/include"],
    "bench": ["*"],
    "tests": ["*"],
}

# Headers that are not libc's nor the kernel's: file name, or first directory.
THIRD_PARTY = {
    "uv.h": ["journal", "runtime", "engine/driver", "invoke", "invoke/http", "invoke/main",
             "sdk/cli"],
    "uv": [],
    "lmdb.h": ["journal"],
    "sodium.h": ["tenants"],
    "protobuf-c": ["sdk/wire"],
    "seccomp.h": ["runtime"],
    "llhttp.h": ["invoke/http", "runtime"],
    "jansson.h": ["invoke", "engine/driver", "sdk/cli", "examples"],
    "curl": ["invoke", "sdk/cli"],
    "zip.h": ["runtime", "invoke", "sdk/cli"],
    "ini.h": ["invoke", "invoke/main", "sdk/cli"],
    "openssl": ["examples", "invoke/http"],
    "cmocka.h": [],
    "zlib.h": [],
}

# Nothing in these can do I/O, ask a clock or make a random number.
PURE = {
    "engine/core": ["assert.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h",
                    "stddef.h", "stdint.h", "string.h"],
}

LINE_MAX = 100
FUNCTION_MAX = 70

# (pattern, reason, where it is allowed)
USERS = ("tests/", "bench/", "examples/")
BANNED = [
    (r"\b(strcpy|strcat|stpcpy|sprintf|vsprintf|gets)\s*\(", "has no bound", ()),
    (r"\bstrncpy\s*\(", "may leave a string without its end", ()),
    (r"\bstrtok\s*\(", "keeps state between calls", ()),
    (r"\b(atoi|atol|atoll|atof)\s*\(", "takes anything for a number", ()),
    (r"\b(tmpnam|tempnam|mktemp)\s*\(", "another process can take the name", ()),
    (r"\b(system|popen)\s*\(", "starts a shell", ("tests/",)),
    (r"\balloca\s*\(", "has no limit and cannot fail", ()),
    (r"\b(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf|aligned_alloc|"
     r"posix_memalign)\s*\(", "allocates outside engine/base/mem",
     USERS + ("engine/base/mem.c",)),
    (r"\b(rand|srand|random|srandom|drand48)\s*\(",
     "makes a run not repeatable: engine/base/prng.h", ()),
    (r"\b(time|gettimeofday|clock_gettime|clock)\s*\(",
     "makes a run not repeatable: time comes in the command",
     USERS + ("engine/driver/", "invoke/", "runtime/", "sdk/lib/", "sdk/cli/", "journal/",
              "engine/base/log.c")),
    (r"\b(localtime|gmtime|ctime|asctime|strerror_l|inet_ntoa)\s*\(",
     "answers in memory that all threads share", ()),
    (r"\bsodium_memcmp\s*\([^;]*\bstrlen\s*\(", "compare digests of one length", ()),
]

LEFTOVERS = (r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b", "leftover: finish it")
MACHINE = (r"(?<![\w.$}])/(work|root|home/[a-z]\w*)(?=/)", "path of one machine")

C_FILES = (".c", ".h")
TEXT_FILES = C_FILES + (".py", ".sh", ".md", ".yaml", ".yml", ".build", ".txt", ".proto", ".js")
SKIPPED = ("build", ".", "__pycache__", "node_modules")
