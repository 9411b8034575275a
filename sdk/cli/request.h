/* One request to the daemon: HTTP/1.1 over its unix socket, with retries.
 *
 * What is throttled (429) or not up to it (503) is tried again; what may be repeated
 * without doing it twice also after a 500, a 504 or a lost connection, when the daemon
 * gets RESTART_MS to come back. At most 4 attempts with growing delays; Retry-After is
 * honoured up to 20 s. */
#ifndef SDK_CLI_REQUEST_H
#define SDK_CLI_REQUEST_H

#include <jansson.h>

#include "engine/base/bytes.h"
#include "engine/base/id.h"
#include "sdk/cli/session.h"

#define CLI_HEADERS_MAX 8

/* A piece of a streamed answer of status 200; not 0: end the transfer with that code. */
typedef int (*cli_on_piece)(void *arg, struct bytes piece);

struct cli_request {
    const char *method;
    struct buf *path;
    struct bytes body;
    const char *content_type;             /* NULL: none */
    const char *headers[CLI_HEADERS_MAX]; /* "Name: value", until the first NULL */
    const char *what;                     /* completes "cannot ..." in complaints: "stop order-7" */
    bool is_repeatable;
    int64_t timeout_s;     /* 0: 60; negative: none */
    cli_on_piece on_piece; /* NULL: the body is collected */
    void *arg;
};

struct cli_reply {
    int status;
    struct buf body; /* with a zero byte behind it, not counted */
};

void cli_reply_fini(struct cli_reply *reply);

/* 0 as soon as the daemon has answered, whatever its status; the reply is the
 * caller's to release in every case. */
int cli_request_try(struct cli_session *session, const struct cli_request *request,
                    struct cli_reply *reply);

/* Turns a status of 400 and up into a complaint and an exit code; else 0. */
int cli_reply_check(struct cli_session *session, const struct cli_request *request,
                    const struct cli_reply *reply);

/* Both of the above. */
int cli_request_send(struct cli_session *session, const struct cli_request *request,
                     struct cli_reply *reply);

/* And the answer's JSON, which the caller releases with json_decref(). */
int cli_reply_json(const struct cli_request *request, const struct cli_reply *reply,
                   json_t **ret_json);

/* A header of the last answer, or NULL; valid until the next request. */
const char *cli_reply_header(const struct cli_session *session, const char *name);

/* A random id, the same over all attempts of a request: the daemon takes a repeated
 * invoke with the same "amz-sdk-invocation-id" as the same one. */
int cli_invocation_id(char text[ID_TEXT_LEN + 1]);

#endif /* SDK_CLI_REQUEST_H */
