/* What functions print and log: one file of JSON lines a function, <data>/logs/NAME.jsonl,
 * rotated once at a size limit. Best effort: written in batches, never synced, not
 * sealed (docs say so). Lines name request, execution and level. */
#ifndef ENGINE_DRIVER_LOGS_H
#define ENGINE_DRIVER_LOGS_H

#include <uv.h>

#include "engine/base/arena.h"
#include "engine/base/list.h"

struct logs;

int logs_open(struct logs **ret_logs, uv_loop_t *loop, const char *data_dir,
              uint64_t file_bytes_max);
/* What is buffered is written first. */
void logs_close(struct logs *logs);

struct log_entry {
    int64_t time_ms;
    struct bytes function;
    struct bytes request_id;
    struct bytes execution; /* ARN; empty for ordinary invokes */
    struct bytes level;     /* "INFO", "PLATFORM" for START/END/REPORT lines, "STDOUT" */
    struct bytes operation_id;
    struct bytes message;
};
void logs_append(struct logs *logs, const struct log_entry *entry);

/* Lines of a function (JSON, with the line feed), oldest first, that match; `visit` non-zero ends
 * it. Flushes first. Bounded work per call: reads at most 1 MiB from *position (0 = the oldest),
 * which it advances; returns 1 when there was more. */
typedef int (*logs_visit)(void *arg, struct bytes line);
int logs_read(struct logs *logs, struct bytes function, struct bytes execution, int64_t since_ms,
              uint64_t *position, logs_visit visit, void *arg);

/* `wake` is called from the loop when lines of that function were added. */
struct logs_follow {
    void (*wake)(struct logs_follow *follow);
    struct bytes function;
    struct list link;
};
void logs_follow(struct logs *logs, struct logs_follow *follow);
void logs_unfollow(struct logs *logs, struct logs_follow *follow);

#endif /* ENGINE_DRIVER_LOGS_H */
