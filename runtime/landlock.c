#include "runtime/landlock.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's numbers, by ourselves: Debian 12's header stops at ABI 2. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE 445
#define CALL_RESTRICT_SELF 446
#define CREATE_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ull << 0)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_ABI_2 ((1ull << 14) - 1)        /* EXECUTE to REFER */
#define FS_TRUNCATE (1ull << 14)           /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15)          /* ABI 5 */
#define SCOPE_ABSTRACT_SOCKETS (1ull << 0) /* ABI 6 */
#define SCOPE_SIGNALS (1ull << 1)

struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
};

/* The kernel's struct is packed: 12 bytes matter. */
struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

int landlock_abi(void)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_VERSION);

    return (abi > 0) ? (int)abi : 0;
}

static uint64_t handled_by(int abi)
{
    uint64_t rights = FS_ABI_2;

    if (abi >= 3) {
        rights |= FS_TRUNCATE;
    }
    if (abi >= 5) {
        rights |= FS_IOCTL_DEV;
    }
    return rights;
}

static int create(int abi)
{
    struct ruleset ruleset = {.handled_fs = handled_by(abi)};
    size_t size = sizeof ruleset.handled_fs;

    if (abi >= 6) {
        ruleset.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
        size = sizeof ruleset;
    }
    return (int)syscall(CALL_CREATE_RULESET, &ruleset, size, 0);
}

static int add_rule(int ruleset, int abi, const struct landlock_rule *rule)
{
    struct path_beneath beneath = {.parent = rule->dir,
                                   .allowed = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR};

    if (rule->is_writable) {
        beneath.allowed = handled_by(abi) & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV);
    }
    return (int)syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &beneath, 0);
}

int landlock_apply(int abi, const struct landlock_rule *rules, int rule_count)
{
    int ruleset;
    int r = 0;

    if (abi < LANDLOCK_ABI_MIN) {
        return 0;
    }
    ruleset = create(abi);
    if (ruleset < 0) {
        return -1;
    }
    for (int i = 0; i < rule_count && r == 0; i++) {
        r = add_rule(ruleset, abi, &rules[i]);
    }
    if (r == 0) {
        r = (int)syscall(CALL_RESTRICT_SELF, ruleset, 0);
    }
    (void)close(ruleset);
    return r;
}
