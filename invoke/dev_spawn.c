#include "invoke/dev_spawn.h"

#include <unistd.h>

#include "engine/base/err.h"

int dev_spawn(uv_loop_t *loop, uv_process_t *process, char **argv, uv_exit_cb on_exit,
              uv_pipe_t *out)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = (out != NULL) ? UV_CREATE_PIPE | UV_WRITABLE_PIPE : UV_INHERIT_FD},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
    uv_process_options_t options = {.file = "/proc/self/exe",
                                    .args = argv,
                                    .exit_cb = on_exit,
                                    .stdio = stdio,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_DETACHED};
    int r;

    if (out != NULL) {
        stdio[1].data.stream = (uv_stream_t *)out;
    } else {
        stdio[1].data.fd = STDOUT_FILENO;
    }
    r = uv_spawn(loop, process, &options);
    return (r == 0) ? 0 : ERR(ERR_SYSTEM, "run pawl %s: %s", argv[1], uv_strerror(r));
}
