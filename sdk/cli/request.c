#include "sdk/cli/request.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/when.h"

#define REPLY_BYTES_MAX (256U << 20)
#define TIMEOUT_S_DEFAULT 60
#define ATTEMPTS_MAX 4
#define DELAY_FIRST_MS 200
#define DELAY_FACTOR 4
#define RETRY_AFTER_MS_MAX 20000
#define RESTART_MS 10000 /* a daemon that was there and is gone may be back by then */
#define START_MS 3000    /* of a daemon whose socket is there */
#define RESTART_POLL_MS 100
#define URL_BASE "http://localhost"

struct transfer {
    struct cli_session *session;
    const struct cli_request *request;
    struct cli_reply *reply;
    struct buf *url;
    struct curl_slist *headers;
    int piece_code; /* what on_piece() ended it with */
    char error[CURL_ERROR_SIZE];
};

void cli_reply_fini(struct cli_reply *reply)
{
    buf_fini(&reply->body);
}

int cli_invocation_id(char text[ID_TEXT_LEN + 1])
{
    struct id id = {0};

    if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes) {
        return cli_complain(CLI_SERVER, "the kernel gives no random numbers");
    }
    id.bytes[6] = (uint8_t)(0x40U | (id.bytes[6] & 0x0FU)); /* UUIDv4 */
    id.bytes[8] = (uint8_t)(0x80U | (id.bytes[8] & 0x3FU));
    id_format(&id, text);
    return 0;
}

static size_t take_piece(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    struct buf *body = &transfer->reply->body;
    size_t len = size * count;
    long status = 0;

    (void)curl_easy_getinfo(transfer->session->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->request->on_piece != NULL && status == 200) {
        transfer->piece_code =
            transfer->request->on_piece(transfer->request->arg, bytes_of(data, len));
        return (transfer->piece_code == 0) ? len : 0;
    }
    if (body->len + len > REPLY_BYTES_MAX) {
        return 0;
    }
    buf_append(body, data, len);
    return body->failed ? 0 : len;
}

static int add_header(struct transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);

    if (longer == NULL) {
        return cli_complain_memory();
    }
    transfer->headers = longer;
    return 0;
}

static int add_headers(struct transfer *transfer)
{
    const struct cli_request *request = transfer->request;
    char type[128];
    int r = add_header(transfer, "Expect:"); /* else curl waits for a 100 Continue */

    (void)snprintf(type, sizeof type, "Content-Type:%s%s",
                   (request->content_type != NULL) ? " " : "",
                   (request->content_type != NULL) ? request->content_type : "");
    r = (r == 0) ? add_header(transfer, type) : r;
    for (size_t i = 0; r == 0 && i < CLI_HEADERS_MAX && request->headers[i] != NULL; i++) {
        r = add_header(transfer, request->headers[i]);
    }
    return r;
}

static void set_body(CURL *curl, const struct cli_request *request)
{
    bool has_body = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;

    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (has_body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         (request->body.len > 0) ? (const char *)request->body.data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
}

static int prepare(struct transfer *transfer)
{
    struct cli_session *session = transfer->session;
    const struct cli_request *request = transfer->request;
    CURL *curl = (session->curl != NULL) ? session->curl : curl_easy_init();
    int64_t timeout_s = (request->timeout_s != 0) ? request->timeout_s : TIMEOUT_S_DEFAULT;

    session->curl = curl;
    buf_append_text(transfer->url, URL_BASE);
    buf_append(transfer->url, request->path->data, request->path->len);
    buf_append(transfer->url, "", 1);
    if (curl == NULL || transfer->url->failed || request->path->failed) {
        return cli_complain_memory();
    }
    curl_easy_reset(curl); /* the connection stays */
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, session->socket);
    curl_easy_setopt(curl, CURLOPT_URL, (const char *)transfer->url->data);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* http_proxy is not meant for us */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* On a kept connection that turns out dead curl sends a request again by itself,
     * though the daemon may have acted on it. */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, request->is_repeatable ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "pawl/" PAWL_VERSION);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (timeout_s > 0) ? (long)timeout_s : 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    set_body(curl, request);
    return add_headers(transfer);
}

static int complain_unreachable(const struct cli_session *session)
{
    long number = 0;

    (void)curl_easy_getinfo(session->curl, CURLINFO_OS_ERRNO, &number);
    if (number == EACCES || number == EPERM) {
        return cli_complain(CLI_UNREACHABLE,
                            "this user may not open %s: run pawl as the daemon's user",
                            session->socket);
    }
    return cli_complain(CLI_UNREACHABLE,
                        "no daemon listens on %s: start one with 'pawl dev' or give --socket",
                        session->socket);
}

static int complain_transport(const struct transfer *transfer, CURLcode code)
{
    const struct cli_request *request = transfer->request;

    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return complain_unreachable(transfer->session);
    case CURLE_OUT_OF_MEMORY:
        return cli_complain_memory();
    case CURLE_OPERATION_TIMEDOUT:
        return cli_complain(CLI_SERVER, "cannot %s: the daemon did not answer in time",
                            request->what);
    case CURLE_WRITE_ERROR:
        return (transfer->piece_code != 0)
                   ? transfer->piece_code
                   : cli_complain(CLI_SERVER, "cannot %s: the answer is too long", request->what);
    default:
        return cli_complain(
            CLI_UNREACHABLE, "cannot %s: the daemon closed the connection before it had answered%s",
            request->what, request->is_repeatable ? "" : "; whether it was done is not known");
    }
}

static bool is_lost(CURLcode code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_PARTIAL_FILE;
}

/* A socket without a daemon: one was killed, and perhaps another is coming. */
static bool is_refused(CURL *curl)
{
    long number = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    return number == ECONNREFUSED;
}

/* Refused connections are waited out, longer once the daemon has been seen to go away. */
static CURLcode perform(const struct transfer *transfer, bool was_lost)
{
    CURL *curl = transfer->session->curl;
    int64_t until_ms = cli_elapsed_ms() + (was_lost ? RESTART_MS : START_MS);
    CURLcode code;

    for (;;) {
        transfer->reply->body.len = 0;
        code = curl_easy_perform(curl);
        if (code != CURLE_COULDNT_CONNECT || !(was_lost || is_refused(curl)) ||
            cli_elapsed_ms() >= until_ms) {
            return code;
        }
        cli_sleep_ms(RESTART_POLL_MS);
    }
}

static bool may_retry(const struct cli_request *request, CURLcode code, long status)
{
    if (request->on_piece != NULL && status == 200) {
        return false; /* some of it may have been printed */
    }
    if (code != CURLE_OK) {
        return request->is_repeatable && is_lost(code);
    }
    return status == 429 || status == 503 ||
           (request->is_repeatable && (status == 500 || status == 504));
}

static int64_t retry_delay_ms(struct cli_session *session, int attempt)
{
    int64_t delay_ms = DELAY_FIRST_MS;
    curl_off_t after_s = 0;

    while (--attempt > 0) {
        delay_ms *= DELAY_FACTOR;
    }
    (void)curl_easy_getinfo(session->curl, CURLINFO_RETRY_AFTER, &after_s);
    if (after_s > RETRY_AFTER_MS_MAX / 1000) {
        return RETRY_AFTER_MS_MAX;
    }
    return (after_s * 1000 > delay_ms) ? after_s * 1000 : delay_ms;
}

static int run_attempts(struct transfer *transfer)
{
    struct cli_session *session = transfer->session;
    bool was_lost = false;
    long status = 0;
    CURLcode code;

    curl_easy_setopt(session->curl, CURLOPT_HTTPHEADER, transfer->headers);
    for (int attempt = 1;; attempt++) {
        code = perform(transfer, was_lost);
        status = 0;
        (void)curl_easy_getinfo(session->curl, CURLINFO_RESPONSE_CODE, &status);
        if (attempt == ATTEMPTS_MAX || !may_retry(transfer->request, code, status)) {
            break;
        }
        was_lost = was_lost || code != CURLE_OK;
        cli_sleep_ms(retry_delay_ms(session, attempt));
    }
    if (code != CURLE_OK) {
        return complain_transport(transfer, code);
    }
    transfer->reply->status = (int)status;
    buf_append(&transfer->reply->body, "", 1);
    if (transfer->reply->body.failed) {
        return cli_complain_memory();
    }
    transfer->reply->body.len--;
    return 0;
}

int cli_request_try(struct cli_session *session, const struct cli_request *request,
                    struct cli_reply *reply)
{
    struct buf url = {0};
    struct transfer transfer = {
        .session = session, .request = request, .reply = reply, .url = &url};
    int r;

    assert(request->what != NULL);
    r = prepare(&transfer);
    if (r == 0) {
        r = run_attempts(&transfer);
        curl_easy_setopt(session->curl, CURLOPT_ERRORBUFFER, NULL);
        curl_easy_setopt(session->curl, CURLOPT_HTTPHEADER, NULL);
    }
    curl_slist_free_all(transfer.headers);
    buf_fini(&url);
    return r;
}

const char *cli_reply_header(const struct cli_session *session, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(session->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return NULL;
    }
    return header->value;
}

int cli_request_send(struct cli_session *session, const struct cli_request *request,
                     struct cli_reply *reply)
{
    int r = cli_request_try(session, request, reply);

    return (r == 0) ? cli_reply_check(session, request, reply) : r;
}
