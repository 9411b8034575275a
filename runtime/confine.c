#include "runtime/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/landlock.h"

#define CAPABILITIES_MAX 64
#define SECUREBITS                                                                                 \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                               \
     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |       \
     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* An ordinary process may not touch the bounding set; with no_new_privs and without
 * a user namespace of its own it cannot gain anything either. */
static void empty_bounding_set(void)
{
    for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            return;
        }
    }
}

int confine_capabilities(struct failure *failure)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];

    empty_bounding_set();
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    (void)prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0);
    memset(none, 0, sizeof none);
    if (syscall(SYS_capset, &header, none) != 0) {
        return failure_errno(failure, "drop capabilities");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failure_errno(failure, "set no_new_privs");
    }
    return 0;
}

int confine_launcher(struct failure *failure)
{
    static const unsigned kept[] = {
        CAP_SYS_ADMIN,
        CAP_SETUID,
        CAP_SETGID,
        CAP_CHOWN,
        CAP_FOWNER,
        CAP_KILL,
        CAP_SETFCAP /* to map root, as an ordinary user's launcher is one */,
        CAP_DAC_READ_SEARCH,
        CAP_DAC_OVERRIDE};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    uint32_t mask = 0;

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        mask |= 1u << kept[i]; /* all below 32 */
    }
    if (syscall(SYS_capget, &header, sets) != 0) {
        return failure_errno(failure, "read capabilities");
    }
    sets[0].effective &= mask;
    sets[0].permitted &= mask;
    sets[0].inheritable = 0;
    memset(&sets[1], 0, sizeof sets[1]);
    if (syscall(SYS_capset, &header, sets) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failure_errno(failure, "drop capabilities");
    }
    return 0;
}

static void close_dirs(const struct landlock_rule *rules, int count)
{
    for (int i = 0; i < count; i++) {
        (void)close(rules[i].dir);
    }
}

static int restrict_paths(int abi, const struct landlock_rule *rules, int count,
                          struct failure *failure)
{
    if (landlock_apply(abi, rules, count) != 0) {
        return failure_errno(failure, "apply Landlock");
    }
    return 0;
}

int confine_program(int landlock_abi, const struct filter *filter, struct failure *failure)
{
    static const char *const paths[] = {"/", "/tmp", "/dev"};
    struct landlock_rule rules[3];
    int r;

    for (int i = 0; i < 3; i++) {
        rules[i].dir = open(paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        rules[i].is_writable = i > 0;
        if (rules[i].dir < 0) {
            return failure_errno(failure, "open %s", paths[i]);
        }
    }
    r = restrict_paths(landlock_abi, rules, 3, failure);
    close_dirs(rules, 3);
    if (r == 0 && filter_apply(filter) != 0) {
        r = failure_errno(failure, "apply the system call filter");
    }
    return r;
}

int confine_unpack(int landlock_abi, const struct filter *filter, int dir, struct failure *failure)
{
    const struct landlock_rule rule = {.dir = dir, .is_writable = 1};
    int r = restrict_paths(landlock_abi, &rule, 1, failure);

    if (r == 0 && filter_apply(filter) != 0) {
        r = failure_errno(failure, "apply the system call filter");
    }
    return r;
}
