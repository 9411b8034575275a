/* What the files of the Runtime API share: guest.c its life and its routes, guest_event.c
 * what a runtime is given, guest_response.c, guest_verdict.c and guest_error.c what it
 * posts. */
#ifndef INVOKE_GUEST_PARTS_H
#define INVOKE_GUEST_PARTS_H

#include "engine/base/list.h"
#include "invoke/guest.h"
#include "invoke/http.h"

/* Lambda's: 6 MB and 100 bytes. */
#define GUEST_RESPONSE_BYTES_MAX ((size_t)6291556)
/* Of a durable function: its result may be 6 MB, and is text inside of a document here. */
#define GUEST_VERDICT_BYTES_MAX ((size_t)13 << 20)

struct guest {
    struct service *service;
    struct place *place;
    struct http_server *server;
    struct list asking;  /* struct guest_next.link, the longest waiting first */
    struct list running; /* struct guest_run.link */
    bool is_closing;
};

struct guest_response;

/* A GET /next that waits. In its request's arena. */
struct guest_next {
    struct list link;
    struct guest *guest;
    struct http_request *request;
    bool is_counted; /* the place was told of it */
};

/* An invocation that a runtime has got and not ended. */
struct guest_run {
    struct list link;
    uint64_t number; /* for guest_completes() */
    bool is_durable;
    struct guest_response *response; /* that is being posted */
    char request_id[ID_TEXT_LEN + 1];
};

/* {"errorMessage","errorType"}, as the Runtime API has its errors. */
void guest_refuse(struct http_request *request, int status, const char *type, const char *message);
void guest_accept(struct http_request *request); /* 202 */

/* --- guest_event.c ------------------------------------------------------------------------ */

/* Answers a GET /next. */
void guest_give(struct guest *guest, struct http_request *request,
                const struct wire_invoke *invoke);

/* --- guest_error.c ------------------------------------------------------------------------ */

void guest_take_error(struct guest *guest, struct http_request *request, struct guest_run *run);
void guest_take_init_error(struct guest *guest, struct http_request *request);
/* By an error as a runtime writes it: {"errorType","errorMessage","stackTrace"|"trace"}. */
void guest_end_with_document(struct guest *guest, struct guest_run *run, struct bytes document,
                             struct bytes type, struct arena *arena);
/* Of our own making; `type` is static. */
void guest_fail_run(struct guest *guest, struct guest_run *run, const char *type,
                    const char *message);

/* --- guest_verdict.c ---------------------------------------------------------------------- */

void guest_end_durable(struct guest *guest, struct guest_run *run, struct bytes body,
                       struct arena *arena);

/* --- guest_response.c --------------------------------------------------------------------- */

void guest_take_response(struct guest *guest, struct http_request *request, struct guest_run *run);
/* It was paused. */
void guest_response_resume(struct guest_response *response);

/* --- guest.c ------------------------------------------------------------------------------ */

/* NULL: it has ended, or was never there. */
struct guest_run *guest_find_run(const struct guest *guest, struct bytes request_id);
/* The run has ended by `end`; it is freed. */
void guest_end_run(struct guest *guest, struct guest_run *run, const struct guest_end *end);

#endif /* INVOKE_GUEST_PARTS_H */
