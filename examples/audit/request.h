/* What the audit is asked to do: the payload it is started with.
 *
 *     {"packages": 40,                       only the first so many; 0 or absent: all
 *      "concurrency": 4,
 *      "listed": 10,                         paths of each kind in the report, at most
 *      "ledger": "/srv/ledger/socket",       absent: nobody is told
 *      "visible": ["/opt", "/boot"],         what is granted to the function
 *      "filters": ["-/usr/share/man*", "+/usr/share/man/man1*"]}
 *
 * `filters` are dpkg's path-exclude (-) and path-include (+) in their order: a function
 * cannot see /etc/dpkg, so whoever starts the audit passes them on. */
#ifndef EXAMPLES_AUDIT_REQUEST_H
#define EXAMPLES_AUDIT_REQUEST_H

#include <pawl/pawl.h>

struct request {
    size_t packages_max;
    uint32_t concurrency;
    size_t listed_max;
    const char *ledger; /* NULL: none */
    char **visible;     /* NULL at the end, as `filters` */
    char **filters;
};

/* Everything is in memory of `ctx`. PAWL_FAILED with a BadInput that says what is wrong. */
int request_parse(struct pawl_context *ctx, struct pawl_value input, struct request *ret_request);

/* dpkg was told not to unpack `path`, which begins with a slash. */
bool request_excludes(const struct request *request, const char *path);

/* The function's sandbox shows the place where `path` would be. */
bool request_shows(const struct request *request, const char *path);

#endif /* EXAMPLES_AUDIT_REQUEST_H */
