/* The last steps before the function's own program runs: its limits, its four
 * descriptors, its variables. */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include "runtime/failure.h"
#include "runtime/message.h"
#include "runtime/request.h"

/* rlimits. Where no cgroup bounds its memory, each process may at least hold no more
 * than `memory_mb` and a slack for stacks and code. */
int program_limit(const struct request_limits *limits, bool is_data_limited,
                  struct failure *failure);

/* 0 is /dev/null, 1 and 2 are `output`, 3 is `native`; all stay open across exec. */
int program_take_fds(int native, int output, struct failure *failure);

/* Default handlers, nothing blocked, then exec. Returns only if that failed, with
 * errno. Touches no memory that a vfork parent would miss. */
void program_exec(const char *path, const struct request *request);

#endif /* RUNTIME_PROGRAM_H */
