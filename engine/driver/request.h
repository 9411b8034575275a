/* Requests on their way, for the files of the driver only. */
#ifndef ENGINE_DRIVER_REQUEST_H
#define ENGINE_DRIVER_REQUEST_H

#include "engine/driver/state.h"

/* An execution as it stood when a read was taken in: everything of it was durable. It
 * goes on while the views catch up, so the answer is made of this and of the records up
 * to `records`, never of the live execution: that may be ahead of what is committed. */
struct execution_view {
    struct id id;
    struct bytes name;
    struct bytes function;
    struct bytes trace_id; /* as given */
    enum exec_kind kind;
    enum exec_status status;
    bool is_held;
    int64_t start_ms;
    int64_t end_ms;
    uint32_t timeout_s;
    uint32_t retention_days;
    uint64_t events;
    uint64_t records;
};

/* Writes the answer; the views hold all of `view`. Must answer. */
typedef void (*request_render)(struct driver *driver, struct execution_request *request,
                               const struct execution_view *view);

struct pending {
    struct list link; /* in driver->requests */
    struct driver *driver;
    struct execution_request *request; /* NULL when the client is gone */
    struct journal_wait wait;
    request_render render;
    struct arena arena; /* of what follows */
    struct execution_view view;
    uint8_t client_token[CLIENT_TOKEN_MAX]; /* of a checkpoint; length 0: none, or too long */
    size_t client_token_len;
};

struct task;

struct pending *request_open(struct driver *driver, struct execution_request *request);
void request_answer(struct execution_request *request);
void request_fail(struct execution_request *request, int status, const char *name,
                  const char *message);
/* Out of its pending; NULL when the client is gone: the pending is, too. */
struct execution_request *request_take(struct pending *pending);
/* The answer of a refused command; false when it was not refused. */
bool request_answer_refusal(struct task *task, struct execution_request *request);
bool request_parse_arn(struct bytes arn, struct id *ret_id);

/* Loads the execution if need be, waits for what it is committing and for the
 * views, then calls `render`. */
void request_view(struct driver *driver, struct execution_request *request, request_render render);
/* From `render`: what it has seen is not enough. */
void request_view_again(struct execution_request *request);

#endif /* ENGINE_DRIVER_REQUEST_H */
