/* One request on its way through a route: who asks, what the path said, and the one
 * place where answers and errors are written. It lives in the request's arena and is
 * gone when it is answered. */
#ifndef INVOKE_CALL_H
#define INVOKE_CALL_H

#include <jansson.h>

#include "engine/base/json.h"
#include "invoke/http.h"
#include "invoke/service.h"

#define CALL_LABELS_MAX 3U
#define CALL_MESSAGE_MAX 1024U

struct route;

struct call {
    struct service *service;
    struct http_request *request;
    const struct route *route;
    struct id id;                         /* x-amzn-requestid */
    struct principal principal;           /* only once the verifier has made it */
    struct bytes labels[CALL_LABELS_MAX]; /* of the path, decoded, a zero byte behind */
    json_t *json;                         /* of the body; released with the call */
    struct buf out;                       /* for the answer; released with the call */
};

/* --- answers: after each of these the call is gone -------------------------------- */

/* call->out as JSON. */
void call_answer(struct call *call, int status);

/* Any other answer. */
void call_respond(struct call *call, int status, const char *content_type, struct bytes body);

/* An error of Lambda's form: the header x-amzn-errortype and
 * {"Type","Message","message"}, with "Reason" where the driver gave one. A 429 or 503 says
 * when to come back. */
void call_fail(struct call *call, int status, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void call_fail_memory(struct call *call);
void call_fail_full(struct call *call);   /* the journal */
void call_fail_change(struct call *call); /* for a reason that only the log knows */

/* The driver's error. */
void call_fail_driver(struct call *call, const struct driver_error *error);

/* --- problems: what a reader found, to be answered by its caller ------------------- */

struct problem {
    int status;       /* 0: none */
    const char *name; /* static */
    char message[CALL_MESSAGE_MAX];
};

/* Always false, so that a reader can return it. */
bool problem_set(struct problem *problem, int status, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* 400 InvalidParameterValueException. */
bool problem_invalid(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool problem_memory(struct problem *problem);
void call_fail_problem(struct call *call, const struct problem *problem);

/* --- what was asked ----------------------------------------------------------------- */

/* The body as a JSON object in call->json; an empty body is an empty object. False
 * when it is not: it has been answered then. */
bool call_read_json(struct call *call);

/* The value of a query parameter, decoded; empty when it is absent. False when it is
 * malformed: answered. */
bool call_query(struct call *call, const char *key, struct bytes *ret_value);
/* "true" or "false"; `otherwise` when absent. */
bool call_query_flag(struct call *call, const char *key, bool otherwise, bool *ret_flag);
/* 0..max; `otherwise` when absent or 0. */
bool call_query_number(struct call *call, const char *key, uint32_t max, uint32_t otherwise,
                       uint32_t *ret_number);
/* MaxItems of a page of the control plane: at most 50, whatever is asked, as Lambda does. */
bool call_page(struct call *call, uint32_t *ret_items_max);
/* A moment; 0 when absent. */
bool call_query_moment(struct call *call, const char *key, int64_t *ret_ms);

/* The function that label `n` names, with its qualifier: "", "$LATEST", a version or an
 * alias of it. NULL when there is none: answered. */
struct function *call_function(struct call *call, size_t n, struct bytes *ret_qualifier);

/* The revision that the qualifier leads to; of an alias its own version. */
struct function_revision *call_revision(struct call *call, size_t n, struct bytes *ret_qualifier);

/* The function, when it is about to change: another qualifier than $LATEST is refused. */
struct function *call_latest(struct call *call, size_t n);

/* "Function not found: ARN". */
void call_fail_function(struct call *call, struct bytes name, struct bytes qualifier);

/* The function's name alone, checked; the function may not exist. NULL data: answered. */
struct bytes call_function_name(struct call *call, struct bytes text, struct bytes *ret_qualifier);

/* Zeroed memory of the call, or NULL: answered. */
void *call_alloc(struct call *call, size_t size);

#endif /* INVOKE_CALL_H */
