/* Texts made from the table of commands, so that they cannot miss one. */
#ifndef SDK_CLI_HELP_H
#define SDK_CLI_HELP_H

#include "engine/base/bytes.h"
#include "sdk/cli/arguments.h"

/* The help of one command, or of the whole program for NULL. */
void cli_help_append(struct buf *buf, const struct cli_command *command);

/* A completion script for bash (completion.c). */
void cli_completion_append(struct buf *buf);

#endif /* SDK_CLI_HELP_H */
