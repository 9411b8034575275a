/* Sentences for the person at the terminal, on stderr. */
#ifndef SDK_CLI_COMPLAIN_H
#define SDK_CLI_COMPLAIN_H

#include "sdk/cli/cli.h"

/* Prints "pawl: " and the sentence, without control characters, and returns `code`. */
int cli_complain(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory: the same sentence everywhere. */
int cli_complain_memory(void);

/* A note or warning: printed in the same way, no failure. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* SDK_CLI_COMPLAIN_H */
