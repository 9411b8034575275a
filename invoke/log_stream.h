/* GET /pawl/v1/logs/{F}: what a function logged, as JSON lines in pieces; with
 * Follow=true it goes on as lines are added, until the client leaves or the daemon
 * ends.
 *
 * A client that reads slowly is waited for: more is read from the file only when it
 * has taken most of what it was sent. */
#ifndef INVOKE_LOG_STREAM_H
#define INVOKE_LOG_STREAM_H

#include "invoke/call.h"

struct log_stream {
    struct list link; /* in service->streams */
    struct call *call;
    struct logs *logs;
    struct logs_follow follow;
    struct bytes function;
    struct bytes execution;
    int64_t since_ms;
    uint64_t position;
    bool is_endless;
    bool is_following; /* `follow` is in the logs' list */
    bool is_pumping;
    bool is_ending;
    struct buf lines;
    uv_timer_t *pace; /* on the heap: it outlives the call by its closing */
};

/* Ends the answer, in order. The stream is gone. */
void log_stream_end(struct log_stream *stream);

#endif /* INVOKE_LOG_STREAM_H */
