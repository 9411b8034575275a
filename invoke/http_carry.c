/* The thread's side of an errand: the handler of its server's requests. It keeps nothing of a
 * request but where it came from. */
#include "engine/base/mem.h"
#include "invoke/http_connection.h"
#include "invoke/http_errand.h"
#include "invoke/http_loop.h"

#define FREE_ERRANDS_MAX 256U

/* --- used again ---------------------------------------------------------------- */

static struct http_errand *create(struct http_loop *loop)
{
    struct http_errand *errand = mem_calloc(1, sizeof *errand);

    if (errand == NULL) {
        return NULL;
    }
    errand->loop = loop;
    errand->request.server = loop->home;
    errand->request.errand = errand;
    list_init(&errand->request.link);
    list_init(&errand->link);
    list_init(&errand->ready);
    arena_init(&errand->request.arena, HTTP_ARENA_BYTES_MAX);
    http_mail_init(&errand->to_home);
    http_mail_init(&errand->to_loop);
    loop->errand_count++;
    return errand;
}

static void drop_trailers(struct http_errand *errand)
{
    if (errand->trailers != NULL) {
        http_head_fini(errand->trailers);
        mem_free(errand->trailers);
        errand->trailers = NULL;
    }
}

static void destroy(struct http_errand *errand)
{
    struct http_loop *loop = errand->loop;

    drop_trailers(errand);
    buf_fini(&errand->pieces);
    http_mail_fini(&errand->to_home);
    http_mail_fini(&errand->to_loop);
    http_request_fini(&errand->request);
    mem_free(errand);
    loop->errand_count--;
}

void http_errands_destroy(struct list *errands)
{
    struct list *item;

    while ((item = list_pop_front(errands)) != NULL) {
        destroy(container_of(item, struct http_errand, link));
    }
}

/* Everything but the memory that the next one can use. */
static void blank(struct http_errand *errand)
{
    http_request_blank(&errand->request);
    errand->request.state = HTTP_REQUEST_RECEIVING;
    drop_trailers(errand);
    errand->to_home.is_deaf = false;
    http_mail_empty(&errand->to_loop);
    errand->near = NULL;
    errand->is_in_hand = false;
    errand->is_in_doubt = false;
    errand->is_read_begun = false;
    errand->taken_bytes = 0;
    errand->pieces.len = 0;
    errand->is_admitted = false;
    errand->is_pulled = false;
    errand->is_end_due = false;
    errand->is_body_over = false;
    errand->is_lost = false;
    errand->given_bytes = 0;
    atomic_store_explicit(&errand->read_bytes, 0, memory_order_relaxed);
}

static void recycle(struct http_errand *errand)
{
    struct http_loop *loop = errand->loop;

    if (errand->is_in_doubt) {
        http_mail_withdraw(&loop->to_home, &errand->to_home);
    }
    if (loop->free_errand_count == FREE_ERRANDS_MAX) {
        destroy(errand);
        return;
    }
    blank(errand);
    list_push_back(&loop->free_errands, &errand->link);
    loop->free_errand_count++;
}

static struct http_errand *acquire(struct http_loop *loop)
{
    struct list *item = list_pop_front(&loop->free_errands);

    if (item == NULL) {
        return create(loop);
    }
    loop->free_errand_count--;
    return container_of(item, struct http_errand, link);
}

/* --- setting out --------------------------------------------------------------- */

static void post(struct http_errand *errand, unsigned flags, struct bytes bytes)
{
    http_mail_write(&errand->loop->to_home, &errand->to_home, flags, bytes);
    if (errand->loop->server != NULL) {
        http_server_wake(errand->loop->server);
    }
}

/* The same of one that is in the other side's hands. */
static void post_more(struct http_errand *errand, unsigned flags, struct bytes bytes)
{
    errand->is_in_doubt = true;
    post(errand, flags, bytes);
}

static void swap_bufs(struct buf *a, struct buf *b)
{
    struct buf other = *a;

    *a = *b;
    *b = other;
}

/* The near one keeps what the connection still asks of it: the version. */
static void give_head(struct http_head *from, struct http_head *to)
{
    struct buf text = to->text;

    memcpy(to, from, offsetof(struct http_head, fields));
    memcpy(to->fields, from->fields, from->field_count * sizeof from->fields[0]);
    from->text = text;
    from->field_count = 0;
}

static struct http_errand *set_out(struct http_loop *loop, struct http_request *near)
{
    struct http_errand *errand = acquire(loop);

    if (errand != NULL) {
        errand->near = near;
        near->sent_on = errand;
        give_head(&near->head, &errand->request.head);
        errand->request.peer_uid = near->peer_uid;
        errand->request.is_unix = near->is_unix;
        errand->request.is_tls = near->is_tls;
        errand->request.is_head = near->is_head;
    }
    return errand;
}

bool http_carry_ask(struct http_request *near)
{
    struct http_errand *errand = set_out(near->server->carrier, near);

    if (errand == NULL) {
        return false;
    }
    near->is_asked = true;
    errand->is_in_hand = true;
    post(errand, HTTP_MAIL_ASK, (struct bytes){0});
    return true;
}

/* Asked or not: who was not is judged before it is handled. */
size_t http_carry_admit(void *arg, struct http_request *near)
{
    (void)arg;
    (void)near;
    return SIZE_MAX;
}

static void refuse(struct http_request *near)
{
    struct http_connection *connection = near->connection;

    http_request_refuse(near, 503, "Out of memory.");
    http_connection_drain(connection);
}

static void on_gone(void *user)
{
    post_more(user, HTTP_MAIL_GONE, (struct bytes){0});
}

void http_carry_handle(void *arg, struct http_request *near)
{
    struct http_errand *errand = (near->sent_on != NULL) ? near->sent_on : set_out(arg, near);

    if (errand == NULL) {
        refuse(near);
        return;
    }
    http_set_user(near, errand, on_gone);
    errand->is_in_hand = true;
    if (near->is_streamed) {
        post(errand, HTTP_MAIL_BEGUN, (struct bytes){0});
        return;
    }
    swap_bufs(&near->body, &errand->request.body);
    errand->request.trailers = near->trailers;
    near->trailers = NULL;
    post(errand, HTTP_MAIL_WHOLE, (struct bytes){0});
}

/* --- the body in pieces ---------------------------------------------------------- */

static void on_body(void *user, const struct http_piece *piece)
{
    struct http_errand *errand = user;

    switch (piece->event) {
    case HTTP_BODY_PIECE:
        http_pause_body(errand->near);
        post_more(errand, HTTP_MAIL_PIECE, piece->bytes);
        break;
    case HTTP_BODY_END:
        errand->trailers = errand->near->trailers;
        errand->near->trailers = NULL;
        post_more(errand, HTTP_MAIL_BODY_END, (struct bytes){0});
        break;
    case HTTP_BODY_CUT:
        errand->cut_status = piece->status;
        errand->cut_reason = piece->reason;
        post_more(errand, HTTP_MAIL_BODY_CUT, (struct bytes){0});
    }
}

static void pull(struct http_errand *errand)
{
    if (errand->is_read_begun) {
        http_resume_body(errand->near);
        return;
    }
    errand->is_read_begun = true;
    http_read_body(errand->near, on_body);
}

/* --- what the connection tells ---------------------------------------------------- */

void http_carry_lost(struct http_request *near)
{
    if (near->sent_on->is_in_hand) {
        post_more(near->sent_on, HTTP_MAIL_LOST, (struct bytes){0});
    }
}

/* It was not complete. If it has been asked about, the answer is waited for. */
void http_carry_released(struct http_request *near)
{
    struct http_errand *errand = near->sent_on;

    near->sent_on = NULL;
    errand->near = NULL;
    if (!errand->is_in_hand) {
        recycle(errand);
    }
}

void http_carry_written(struct http_request *near)
{
    struct http_errand *errand = near->sent_on;
    uint64_t unread = http_connection_unread(near->connection, near);
    uint64_t taken = errand->taken_bytes;

    atomic_store_explicit(&errand->read_bytes, (unread < taken) ? taken - unread : 0,
                          memory_order_relaxed);
}

static void on_read(void *user)
{
    struct http_errand *errand = user;

    http_carry_written(errand->near);
    post_more(errand, HTTP_MAIL_READ, (struct bytes){0});
}

/* --- what the loop that decides says ----------------------------------------------- */

static void add_fields(struct http_errand *errand)
{
    struct buf *fields = &errand->request.fields;

    buf_append(&errand->near->fields, fields->data, fields->len);
    errand->near->fields.failed |= fields->failed;
    fields->len = 0;
}

static void admitted(struct http_errand *errand)
{
    struct http_request *near = errand->near;

    errand->is_in_hand = false;
    if (near == NULL) {
        recycle(errand); /* its client has left meanwhile */
        return;
    }
    near->is_asked = false;
    if (near->state != HTTP_REQUEST_RECEIVING) {
        near->sent_on = NULL; /* refused meanwhile: the server ends */
        recycle(errand);
        return;
    }
    add_fields(errand);
    near->is_streamed = errand->request.is_streamed;
    http_connection_visit_later(near->connection); /* goes on with what has come meanwhile */
    http_connection_admitted(near->connection, errand->body_bytes_max);
}

static void give_piece(struct http_errand *errand, const struct buf *bytes)
{
    errand->taken_bytes += bytes->len;
    http_request_send(errand->near, buf_bytes(bytes));
    if (bytes->failed && errand->near->connection != NULL) {
        http_connection_break(errand->near->connection);
    }
}

/* The errand is over; its near request goes when its answer's turn has come. */
static void finish(struct http_errand *errand, unsigned flags, const struct buf *bytes)
{
    struct http_request *near = errand->near;

    near->sent_on = NULL;
    http_set_user(near, NULL, NULL);
    if (flags & HTTP_MAIL_END) {
        http_end(near);
    } else {
        add_fields(errand);
        near->fields.failed |= bytes->failed;
        http_respond(near, errand->status, errand->content_type, buf_bytes(bytes));
    }
    recycle(errand);
}

void http_carry_read(struct http_errand *errand)
{
    struct buf *bytes = &errand->to_loop.got_bytes;
    unsigned flags = errand->to_loop.got;

    errand->to_loop.got = 0;
    if (flags & HTTP_MAIL_ADMITTED) {
        admitted(errand);
        return;
    }
    if (flags & HTTP_MAIL_PULL) {
        pull(errand);
    }
    if (flags & HTTP_MAIL_BEGIN) {
        add_fields(errand);
        http_begin(errand->near, errand->status, errand->content_type);
    }
    if (flags & HTTP_MAIL_SEND) {
        give_piece(errand, bytes);
    }
    if (flags & HTTP_MAIL_CUT) {
        http_request_cut(errand->near);
    }
    if ((flags & HTTP_MAIL_WANT_READ) && !(flags & HTTP_MAIL_END)) {
        http_call_when_read(errand->near, atomic_load(&errand->unread_below), on_read);
    }
    if (flags & (HTTP_MAIL_RESPOND | HTTP_MAIL_END)) {
        finish(errand, flags, bytes);
        return;
    }
    http_mail_empty(&errand->to_loop);
}

void http_carry_bury(struct http_errand *errand)
{
    errand->near->sent_on = NULL;
    http_request_release(errand->near);
    destroy(errand);
}
