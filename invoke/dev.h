/* `pawl dev`: a daemon for development, looked after. This process only supervises: it
 * runs `pawl serve`, starts it again when it ends by accident, and runs `pawl deploy`
 * for each program it was given, at first and when the program changes. */
#ifndef INVOKE_DEV_H
#define INVOKE_DEV_H

#include "invoke/options.h"

/* Returns the exit code. */
int dev_main(const struct options *options);

#endif /* INVOKE_DEV_H */
