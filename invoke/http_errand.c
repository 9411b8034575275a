/* The side of an errand that the router and its routes see: a request like any other, whose
 * connection is elsewhere. */
#include "invoke/http_errand.h"

#include "invoke/http_connection.h"
#include "invoke/http_loop.h"

#define PIECE_BYTES_MAX ((size_t)64 << 10)
#define ENDING "The server is ending."
#define LEFT "The client went away before its request was complete."

static void post(struct http_errand *errand, unsigned flags, struct bytes bytes)
{
    if (!errand->loop->is_ended) {
        http_mail_write(&errand->loop->to_loop, &errand->to_loop, flags, bytes);
        http_server_wake(errand->loop->home);
    }
}

static bool is_answered(const struct http_errand *errand)
{
    return errand->request.state == HTTP_REQUEST_ANSWERED;
}

/* --- the body in pieces ---------------------------------------------------------- */

static void tell_body(struct http_errand *errand, struct http_piece piece)
{
    if (errand->request.on_body != NULL) {
        errand->request.on_body(errand->request.user, &piece);
    }
}

static bool is_held(const struct http_errand *errand)
{
    return errand->is_body_over || errand->request.on_body == NULL ||
           errand->request.is_body_paused;
}

/* The handler may do anything meanwhile, so each step looks again. */
static void tell_pieces(struct http_errand *errand)
{
    struct buf *pieces = &errand->pieces;

    while (pieces->len > 0 && !is_held(errand)) {
        size_t len = (pieces->len < PIECE_BYTES_MAX) ? pieces->len : PIECE_BYTES_MAX;

        tell_body(errand, (struct http_piece){.event = HTTP_BODY_PIECE,
                                              .bytes = bytes_of(pieces->data, len)});
        buf_consume(pieces, (len < pieces->len) ? len : pieces->len);
    }
}

static void tell(struct http_errand *errand)
{
    tell_pieces(errand);
    if (is_held(errand)) {
        return;
    }
    if (errand->is_end_due) {
        errand->is_body_over = true;
        tell_body(errand, (struct http_piece){.event = HTTP_BODY_END});
    } else if (!errand->is_pulled) {
        errand->is_pulled = true;
        post(errand, HTTP_MAIL_PULL, (struct bytes){0});
    }
}

void http_errand_tell_ready(struct http_loop *loop)
{
    struct list ready;
    struct list *item;

    list_init(&ready);
    list_splice_back(&ready, &loop->ready);
    while ((item = list_pop_front(&ready)) != NULL) {
        tell(container_of(item, struct http_errand, ready));
    }
}

void http_errand_go_on_later(struct http_errand *errand)
{
    if (!errand->is_body_over && list_is_empty(&errand->ready)) {
        list_push_back(&errand->loop->ready, &errand->ready);
        http_server_wake(errand->loop->home);
    }
}

static void cut_body(struct http_errand *errand, int status, const char *reason)
{
    if (!errand->request.is_streamed || errand->is_body_over) {
        return;
    }
    errand->is_body_over = true;
    errand->pieces.len = 0;
    tell_body(errand,
              (struct http_piece){.event = HTTP_BODY_CUT, .status = status, .reason = reason});
}

static void take_body(struct http_errand *errand, unsigned flags)
{
    struct buf *bytes = &errand->to_home.got_bytes;

    if (flags & HTTP_MAIL_PIECE) {
        errand->is_pulled = false;
        buf_append(&errand->pieces, bytes->data, bytes->len);
        errand->pieces.failed |= bytes->failed;
        http_mail_empty(&errand->to_home);
    }
    if (flags & HTTP_MAIL_BODY_END) {
        errand->is_end_due = true;
        errand->request.trailers = errand->trailers;
        errand->trailers = NULL;
    }
    if (flags & HTTP_MAIL_BODY_CUT) {
        tell_pieces(errand); /* what came before */
        cut_body(errand, errand->cut_status, errand->cut_reason);
    } else if (errand->pieces.failed) {
        cut_body(errand, 503, "Out of memory.");
    } else if (flags & (HTTP_MAIL_PIECE | HTTP_MAIL_BODY_END)) {
        tell(errand);
    }
}

/* --- it comes ------------------------------------------------------------------- */

static size_t admit(struct http_errand *errand)
{
    struct http_server *home = errand->loop->home;

    errand->is_admitted = true;
    return home->admit(home->arg, &errand->request);
}

/* When the server ends, the thread has been told before and refuses it. */
static void answer_asked(struct http_errand *errand)
{
    errand->body_bytes_max = errand->loop->home->is_closing ? 0 : admit(errand);
    post(errand, HTTP_MAIL_ADMITTED, (struct bytes){0});
}

/* Nothing is handled once the server is being closed. */
static bool is_welcome(struct http_errand *errand)
{
    struct http_request *request = &errand->request;
    struct http_server *home = errand->loop->home;
    size_t body_bytes_max = SIZE_MAX;

    if (!home->is_closing && !errand->is_admitted) {
        body_bytes_max = admit(errand);
    }
    if (home->is_closing) {
        http_request_refuse(request, 503, ENDING);
        return false;
    }
    if (request->body.len > body_bytes_max) {
        http_request_refuse(request, 413, HTTP_BODY_TOO_LARGE);
        return false;
    }
    return true;
}

static void handle(struct http_errand *errand, bool is_whole)
{
    struct http_request *request = &errand->request;
    struct http_server *home = errand->loop->home;

    list_push_back(&errand->loop->errands, &errand->link);
    home->request_count++;
    if (!is_welcome(errand)) {
        return;
    }
    http_request_move(request, HTTP_REQUEST_HANDLED);
    if (request->is_streamed && is_whole) {
        struct buf body = request->body;

        request->body = errand->pieces;
        errand->pieces = body;
        errand->is_end_due = true;
    }
    home->handle(home->arg, request);
}

/* --- its client goes --------------------------------------------------------------- */

void http_errand_lose(struct http_errand *errand)
{
    if (errand->is_lost) {
        return;
    }
    errand->is_lost = true;
    cut_body(errand, 400, LEFT);
    if (!is_answered(errand)) {
        http_request_tell_gone(&errand->request);
    }
}

/* --- letters ----------------------------------------------------------------------- */

/* Where more has been sent meanwhile, it is asked again. */
static void tell_read(struct http_errand *errand)
{
    struct http_request *request = &errand->request;
    void (*on_read)(void *user) = request->on_read;

    if (on_read == NULL || errand->is_lost) {
        return;
    }
    if (http_errand_unread(errand) >= request->unread_below) {
        post(errand, HTTP_MAIL_WANT_READ, (struct bytes){0});
        return;
    }
    request->on_read = NULL;
    on_read(request->user);
}

/* Of a request that its handler has. Each callback may answer it. */
static void read_more(struct http_errand *errand, unsigned flags)
{
    if (!is_answered(errand) &&
        (flags & (HTTP_MAIL_PIECE | HTTP_MAIL_BODY_END | HTTP_MAIL_BODY_CUT))) {
        take_body(errand, flags);
    }
    if (!is_answered(errand) && (flags & HTTP_MAIL_GONE)) {
        http_request_tell_gone(&errand->request);
    }
    if (!is_answered(errand) && (flags & HTTP_MAIL_LOST)) {
        http_errand_lose(errand);
    }
    if (!is_answered(errand) && (flags & HTTP_MAIL_READ)) {
        tell_read(errand);
    }
}

void http_errand_read(struct http_errand *errand)
{
    unsigned flags = errand->to_home.got;

    errand->to_home.got = 0;
    if (flags & HTTP_MAIL_ASK) {
        answer_asked(errand);
        return;
    }
    if (flags & (HTTP_MAIL_WHOLE | HTTP_MAIL_BEGUN)) {
        handle(errand, (flags & HTTP_MAIL_WHOLE) != 0);
    }
    read_more(errand, flags);
}

/* --- its answer -------------------------------------------------------------------- */

/* The errand is the thread's again as soon as the letter is handed over. */
static void finish(struct http_errand *errand, unsigned flag, struct bytes body)
{
    struct http_loop *loop = errand->loop;
    struct http_server *home = loop->home;

    http_request_move(&errand->request, HTTP_REQUEST_ANSWERED);
    errand->is_body_over = true;
    list_remove(&errand->link);
    list_remove(&errand->ready);
    http_mail_ignore(&errand->to_home);
    post(errand, flag, body);
    if (loop->is_ended) {
        http_carry_bury(errand);
        http_loop_maybe_free(loop);
    }
    home->request_count--;
    http_server_maybe_free(home);
}

static void note_head(struct http_errand *errand, int status, const char *content_type)
{
    struct http_request *request = &errand->request;

    errand->status = status;
    errand->content_type = NULL;
    if (content_type != NULL) {
        errand->content_type =
            (const char *)arena_copy(&request->arena, bytes_of_text(content_type)).data;
        request->fields.failed |= errand->content_type == NULL;
    }
}

void http_errand_respond(struct http_errand *errand, int status, const char *content_type,
                         struct bytes body)
{
    note_head(errand, status, content_type);
    finish(errand, HTTP_MAIL_RESPOND, body);
}

void http_errand_begin(struct http_errand *errand, int status, const char *content_type)
{
    note_head(errand, status, content_type);
    http_request_move(&errand->request, HTTP_REQUEST_STREAMING);
    post(errand, HTTP_MAIL_BEGIN, (struct bytes){0});
}

/* Without memory for it the answer is not whole, and the thread will say so by its end. */
bool http_errand_send(struct http_errand *errand, struct bytes piece)
{
    if (errand->is_lost || http_errand_unread(errand) > HTTP_UNREAD_BYTES_MAX) {
        return false;
    }
    if (piece.len > 0 && !errand->request.is_head) {
        errand->given_bytes += piece.len;
        post(errand, HTTP_MAIL_SEND, piece);
    }
    return !errand->to_loop.written_bytes.failed;
}

void http_errand_cut(struct http_errand *errand)
{
    post(errand, HTTP_MAIL_CUT, (struct bytes){0});
}

void http_errand_end(struct http_errand *errand)
{
    finish(errand, HTTP_MAIL_END, (struct bytes){0});
}

size_t http_errand_unread(const struct http_errand *errand)
{
    uint64_t read = atomic_load_explicit(&errand->read_bytes, memory_order_relaxed);

    return errand->is_lost ? 0 : (size_t)(errand->given_bytes - read);
}

void http_errand_call_when_read(struct http_errand *errand, size_t below)
{
    atomic_store(&errand->unread_below, below);
    post(errand, HTTP_MAIL_WANT_READ, (struct bytes){0});
}
