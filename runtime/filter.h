/* The seccomp filter of an environment: an allow-list, compiled once by libseccomp to
 * BPF and applied raw in each environment. What ordinary programs, Node and Python
 * call is allowed; what a program may reasonably try and must not have gives EPERM;
 * everything else, also system calls not invented yet, gives ENOSYS; another
 * architecture's calls kill. */
#ifndef RUNTIME_FILTER_H
#define RUNTIME_FILTER_H

#include <linux/filter.h>

#include "runtime/failure.h"

enum filter_kind {
    FILTER_PROGRAM, /* an environment */
    FILTER_UNPACK,  /* the same without exec, processes, sockets and signals */
};

struct filter {
    struct sock_fprog program;
};

/* FAILURE_E_SET if libseccomp or the kernel cannot. */
int filter_build(struct filter *ret_filter, enum filter_kind kind, struct failure *failure);
void filter_fini(struct filter *filter);

/* For this process and all it will start. Needs no_new_privs. 0 or -1 with errno. */
int filter_apply(const struct filter *filter);

#endif /* RUNTIME_FILTER_H */
