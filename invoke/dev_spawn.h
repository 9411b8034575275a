/* Running this program again as another command, under `pawl dev`. */
#ifndef INVOKE_DEV_SPAWN_H
#define INVOKE_DEV_SPAWN_H

#include <uv.h>

/* `argv` begins with "pawl". `out` NULL: what it prints goes to our stdout. It is left out of
 * the terminal's ^C. process->data stays the caller's. */
int dev_spawn(uv_loop_t *loop, uv_process_t *process, char **argv, uv_exit_cb on_exit,
              uv_pipe_t *out);

#endif /* INVOKE_DEV_SPAWN_H */
