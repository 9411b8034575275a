/* `pawl serve`: the daemon's life, from the command line to the last handle.
 *
 *     directory -> launcher -> privileges dropped -> journal -> keys -> driver
 *               -> doors -> "ready" -> ... -> SIGTERM -> doors -> driver -> journal
 *               -> launcher -> 0 */
#ifndef INVOKE_SERVE_H
#define INVOKE_SERVE_H

#include "invoke/options.h"

enum {
    SERVE_EXIT_USAGE = 2,     /* command line or configuration */
    SERVE_EXIT_REFUSED = 1,   /* it cannot serve here: the log says why */
    SERVE_EXIT_LAUNCHER = 70, /* the launcher was lost: restart */
    SERVE_EXIT_MEMORY = 75,   /* SIGBUS: a file of the journal could not be read; restart */
};

/* Returns the exit code. */
int serve_main(const struct options *options);

#endif /* INVOKE_SERVE_H */
