/* dpkg-divert: files of a package that another one had moved away. */
#ifndef EXAMPLES_AUDIT_DIVERSIONS_H
#define EXAMPLES_AUDIT_DIVERSIONS_H

#include <pawl/pawl.h>

struct diversion {
    const char *from;
    const char *to;
    const char *package; /* whose own file stays at `from`; ":" for the administrator's */
};

struct diversions {
    const struct diversion *items;
    size_t count;
};

/* Reads `path`, whose absence means none; memory is of `ctx`. */
int diversions_read(struct pawl_context *ctx, const char *path, struct diversions *ret_diversions);

/* Where the file `path` of `package` really is. */
const char *diversions_follow(const struct diversions *diversions, const char *package,
                              const char *path);

#endif /* EXAMPLES_AUDIT_DIVERSIONS_H */
