#include "invoke/http_request.h"

#include <assert.h>

#include "engine/base/mem.h"
#include "invoke/http_errand.h"
#include "invoke/http_server.h"

#define BIT(n) (1U << (n))
#define KEPT_BYTES_MAX ((size_t)64 << 10)

static const unsigned allowed[HTTP_REQUEST_STATES] = {
    [HTTP_REQUEST_RECEIVING] = BIT(HTTP_REQUEST_HANDLED) | BIT(HTTP_REQUEST_ANSWERED),
    [HTTP_REQUEST_HANDLED] = BIT(HTTP_REQUEST_STREAMING) | BIT(HTTP_REQUEST_ANSWERED),
    [HTTP_REQUEST_STREAMING] = BIT(HTTP_REQUEST_ANSWERED),
    [HTTP_REQUEST_ANSWERED] = 0,
};

void http_request_move(struct http_request *request, enum http_request_state next)
{
    assert(allowed[request->state] & BIT(next));
    request->state = next;
}

/* --- used again ---------------------------------------------------------------- */

static void empty(struct buf *buf)
{
    if (buf->cap > KEPT_BYTES_MAX) {
        buf_fini(buf);
    }
    buf->len = 0;
    buf->failed = false;
}

static void drop_trailers(struct http_request *request)
{
    if (request->trailers != NULL) {
        http_head_fini(request->trailers);
        mem_free(request->trailers);
        request->trailers = NULL;
    }
}

bool http_request_expect_trailers(struct http_request *request)
{
    assert(request->trailers == NULL);
    request->trailers = mem_calloc(1, sizeof *request->trailers);
    if (request->trailers == NULL) {
        return false;
    }
    http_head_reset_to_trailers(request->trailers, request->server->limits.trailer_bytes_max);
    return true;
}

void http_request_fini(struct http_request *request)
{
    http_head_fini(&request->head);
    drop_trailers(request);
    buf_fini(&request->body);
    buf_fini(&request->fields);
    buf_fini(&request->answer);
    arena_fini(&request->arena);
}

static void destroy(struct http_request *request)
{
    http_request_fini(request);
    mem_free(request);
}

struct http_request *http_request_acquire(struct http_server *server)
{
    struct list *item = list_pop_front(&server->free_requests);
    struct http_request *request;

    if (item != NULL) {
        server->free_request_count--;
        request = container_of(item, struct http_request, link);
    } else {
        request = mem_calloc(1, sizeof *request);
        if (request == NULL) {
            return NULL;
        }
        request->server = server;
        list_init(&request->link);
        arena_init(&request->arena, HTTP_ARENA_BYTES_MAX);
    }
    http_head_reset(&request->head);
    request->state = HTTP_REQUEST_RECEIVING;
    server->request_count++;
    return request;
}

void http_request_blank(struct http_request *request)
{
    if (request->arena.used > KEPT_BYTES_MAX) {
        arena_fini(&request->arena);
    }
    arena_reset(&request->arena);
    empty(&request->body);
    empty(&request->fields);
    empty(&request->answer);
    request->connection = NULL;
    request->charged_bytes = 0;
    request->user = NULL;
    request->on_gone = NULL;
    request->on_body = NULL;
    request->on_read = NULL;
    request->is_keep_alive = false;
    request->is_head = false;
    request->is_chunked = false;
    request->is_cut = false;
    request->is_gone_told = false;
    request->wants_continue = false;
    request->is_streamed = false;
    request->is_body_paused = false;
    request->is_asked = false;
    drop_trailers(request);
}

void http_request_release(struct http_request *request)
{
    struct http_server *server = request->server;

    if (request->sent_on != NULL) {
        http_carry_released(request);
    }
    list_remove(&request->link);
    http_budget_give(&server->census->bodies, request->charged_bytes);
    server->request_count--;
    if (server->free_request_count < server->free_requests_max) {
        http_request_blank(request);
        list_push_back(&server->free_requests, &request->link);
        server->free_request_count++;
    } else {
        destroy(request);
    }
    http_server_maybe_free(server);
}

void http_requests_destroy(struct list *requests)
{
    struct list *item;

    while ((item = list_pop_front(requests)) != NULL) {
        destroy(container_of(item, struct http_request, link));
    }
}

void http_request_tell_gone(struct http_request *request)
{
    if (request->is_gone_told) {
        return;
    }
    request->is_gone_told = true;
    if (request->on_gone != NULL) {
        request->on_gone(request->user);
    }
}

/* --- what came ----------------------------------------------------------------- */

struct bytes http_method(const struct http_request *request)
{
    return http_head_bytes(&request->head, request->head.method);
}

struct bytes http_path(const struct http_request *request)
{
    return http_head_bytes(&request->head, request->head.path);
}

struct bytes http_query(const struct http_request *request)
{
    return http_head_bytes(&request->head, request->head.query);
}

struct bytes http_header(const struct http_request *request, const char *lower_name)
{
    return http_head_field(&request->head, lower_name, 0);
}

size_t http_header_count(const struct http_request *request)
{
    return request->head.field_count;
}

struct bytes http_header_at(const struct http_request *request, size_t n, struct bytes *ret_name)
{
    const struct http_field *field = &request->head.fields[n];

    assert(n < request->head.field_count);
    *ret_name = http_head_bytes(&request->head, field->name);
    return http_head_bytes(&request->head, field->value);
}

struct bytes http_body(const struct http_request *request)
{
    return buf_bytes(&request->body);
}

bool http_is_unix(const struct http_request *request)
{
    return request->is_unix;
}

bool http_is_tls(const struct http_request *request)
{
    return request->is_tls;
}

uid_t http_peer_uid(const struct http_request *request)
{
    return request->peer_uid;
}

struct arena *http_arena(struct http_request *request)
{
    return &request->arena;
}

void http_set_user(struct http_request *request, void *user, void (*on_gone)(void *user))
{
    request->user = user;
    request->on_gone = on_gone;
}

void *http_user(const struct http_request *request)
{
    return request->user;
}
