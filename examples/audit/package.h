/* One package of dpkg's database: the list of its files with their MD5 sums. */
#ifndef EXAMPLES_AUDIT_PACKAGE_H
#define EXAMPLES_AUDIT_PACKAGE_H

#include "examples/audit/findings.h"
#include "examples/audit/request.h"

#define PACKAGE_DATABASE "/var/lib/dpkg"
#define PACKAGE_LISTS PACKAGE_DATABASE "/info"
#define PACKAGE_LIST_SUFFIX ".md5sums"

/* Reads every file of `package` ("bash", "libc6:amd64") and compares. From a step, whose
 * `ctx` has the memory. PAWL_FAILED only if the list itself cannot be read. */
int package_check(struct pawl_context *ctx, const struct request *request, const char *package,
                  struct findings *findings);

#endif /* EXAMPLES_AUDIT_PACKAGE_H */
