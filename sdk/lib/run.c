/* The life of an invocation: INVOKE comes, its state is put together, the handler runs,
 * COMPLETE goes. Every INVOKE is answered by exactly one COMPLETE or NEED_FULL, also when
 * it was fenced meanwhile. */
#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "sdk/lib/context.h"

/* Lambda's limit of a response. */
#define RESULT_BYTES_MAX ((size_t)EXEC_PAYLOAD_BYTES_MAX - 50)

/* --- made and unmade -------------------------------------------------------------- */

static struct invocation *create(struct service *service, uint64_t number, struct bytes body)
{
    struct invocation *inv = mem_calloc(1, sizeof *inv);

    if (inv == NULL) {
        return NULL;
    }
    inv->body = mem_dup(body.data, body.len);
    if (inv->body == NULL || pthread_mutex_init(&inv->lock, NULL) != 0) {
        mem_free(inv->body);
        mem_free(inv);
        return NULL;
    }
    inv->service = service;
    inv->number = number;
    inv->refs = 1;
    inv->running = 1;
    inv->body_len = body.len;
    list_init(&inv->waiters);
    list_init(&inv->memories);
    return inv;
}

static void destroy(struct invocation *inv)
{
    memory_destroy_all(inv);
    state_destroy(inv->memos);
    buf_fini(&inv->queue);
    buf_fini(&inv->queue_lens);
    buf_fini(&inv->error);
    pthread_mutex_destroy(&inv->lock);
    mem_free(inv->body);
    mem_free(inv);
}

static uint64_t hash_number(uint64_t number)
{
    return number * 0x9E3779B97F4A7C15U >> 7;
}

struct invocation *invocation_ref(struct service *service, uint64_t number)
{
    struct invocation *inv = NULL;
    struct table_node *node;

    pthread_mutex_lock(&service->lock);
    for (node = table_first(&service->invocations, hash_number(number)); node != NULL;
         node = table_next(node)) {
        inv = container_of(node, struct invocation, by_number);
        if (inv->number == number) {
            inv->refs++;
            break;
        }
        inv = NULL;
    }
    pthread_mutex_unlock(&service->lock);
    return inv;
}

void invocation_unref(struct invocation *inv)
{
    struct service *service = inv->service;
    bool is_last;

    pthread_mutex_lock(&service->lock);
    is_last = --inv->refs == 0;
    pthread_mutex_unlock(&service->lock);
    if (is_last) {
        destroy(inv);
    }
}

/* From here on the daemon's messages for this number find nothing, or its successor. */
static void unregister(struct invocation *inv)
{
    pthread_mutex_lock(&inv->service->lock);
    table_remove(&inv->service->invocations, &inv->by_number);
    pthread_mutex_unlock(&inv->service->lock);
}

/* --- the way in ------------------------------------------------------------------- */

static const char *text_of(struct memory *memory, struct bytes bytes)
{
    struct bytes copy = arena_copy(&memory->arena, bytes);

    return (copy.data != NULL) ? (const char *)copy.data : "";
}

static void describe(struct invocation *inv, struct memory *memory)
{
    const struct wire_invoke *facts = &inv->facts;

    inv->info = (struct pawl_invocation){
        .request_id = text_of(memory, facts->request_id),
        .function_arn = text_of(memory, facts->function_arn),
        .execution_arn = text_of(memory, facts->execution_arn),
        .tenant_id = text_of(memory, facts->tenant_id),
        .trace_id = text_of(memory, facts->trace_id),
        .client_context = text_of(memory, facts->client_context),
        .is_durable = facts->is_durable,
        .number = facts->attempt,
        .start_ms = facts->start_ms,
    };
}

enum {
    LOAD_NEEDS_FULL = 1,
};

static int load_state(struct invocation *inv)
{
    const struct wire_invoke *facts = &inv->facts;
    struct id exec_id = {{0}};

    if (facts->execution_id.len == sizeof exec_id) {
        memcpy(exec_id.bytes, facts->execution_id.data, sizeof exec_id);
    }
    inv->memos = cache_take(&inv->service->cache, &exec_id, facts->base);
    if (inv->memos == NULL && facts->base != 0) {
        return LOAD_NEEDS_FULL;
    }
    if (inv->memos == NULL) {
        inv->memos = state_create(&exec_id);
    }
    for (size_t i = 0; inv->memos != NULL && i < facts->operation_count; i++) {
        if (!state_merge(inv->memos, &facts->operations[i])) {
            return ERR_NOMEM;
        }
    }
    if (inv->memos == NULL) {
        return ERR_NOMEM;
    }
    inv->memos->last = facts->last;
    return 0;
}

/* --- the way out ------------------------------------------------------------------ */

static void send_complete(struct invocation *inv, const struct wire_complete *complete)
{
    struct out *out = &inv->service->out;
    struct buf *buf = out_lock(out);
    size_t begun = frame_begin(buf, WIRE_COMPLETE, inv->number);

    wire_put_complete(buf, complete);
    frame_end(buf, begun);
    out_unlock(out);
    out_flush(out);
}

static void send_need_full(struct invocation *inv)
{
    struct out *out = &inv->service->out;

    frame_append(out_lock(out), WIRE_NEED_FULL, inv->number, bytes_of(NULL, 0));
    out_unlock(out);
    out_flush(out);
}

static void complete_broken(struct invocation *inv, const char *type, const char *message)
{
    struct error_object object = {.type = bytes_of_text(type), .message = bytes_of_text(message)};
    struct wire_complete complete = {.outcome = WIRE_OUTCOME_ERROR};
    struct buf error = {0};

    wire_put_error(&error, &object);
    complete.error = buf_bytes(&error);
    send_complete(inv, &complete);
    buf_fini(&error);
}

/* By what ended the invocation, if it was not the handler. */
static bool complete_ended(struct invocation *inv, struct wire_complete *complete)
{
    switch (inv->state) {
    case INVOCATION_RUNNING:
        return false;
    case INVOCATION_SUSPENDED:
    case INVOCATION_FENCED:
        complete->outcome = WIRE_OUTCOME_PENDING;
        return true;
    default:
        complete->outcome = inv->outcome;
        complete->error = buf_bytes(&inv->error);
        return true;
    }
}

static void complete_returned(struct pawl_context *ctx, int r, struct pawl_value result,
                              struct wire_complete *complete)
{
    if (r == PAWL_OK && result.len > RESULT_BYTES_MAX) {
        r = pawl_fail(ctx, "Function.ResponseSizeTooLarge",
                      "the result has %zu bytes, more than the %zu that a response may have",
                      result.len, RESULT_BYTES_MAX);
    }
    if (r == PAWL_OK) {
        complete->outcome = WIRE_OUTCOME_SUCCEEDED;
        complete->has_payload = result.data != NULL;
        complete->payload = value_bytes(result);
        return;
    }
    complete->outcome = WIRE_OUTCOME_FAILED;
    complete->error = context_encode_error(ctx, &ctx->error);
}

/* A state is worth keeping when everything in it is durable and the execution goes on. */
static void keep_state(struct invocation *inv)
{
    struct state *state = inv->memos;

    if (state != NULL && inv->state == INVOCATION_SUSPENDED && !inv->is_in_flight &&
        inv->acked == inv->queued) {
        inv->memos = NULL;
        cache_put(&inv->service->cache, state);
    }
}

struct handling {
    pawl_handler_fn *handler;
    struct pawl_value input;
};

static int handle(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    const struct handling *handling = arg;

    return handling->handler(ctx, handling->input, ret_result);
}

static int run_handler(struct pawl_context *ctx, struct pawl_value *ret_result)
{
    struct invocation *inv = ctx->inv;
    struct handling handling = {.handler = inv->service->options.handler};
    int r;

    handling.input =
        context_keep(ctx, value_of(inv->facts.has_payload,
                                   inv->facts.payload.len ? inv->facts.payload : bytes_of("", 0)));
    r = context_run(ctx, handle, &handling, ret_result);
    if (r != PAWL_SUSPENDED && context_check_end(ctx) == PAWL_OK) {
        /* What nobody waited for must be durable before the end is. */
        (void)invocation_await(inv, NULL);
    }
    return r;
}

static void run(struct invocation *inv, struct memory *memory)
{
    struct pawl_context outermost = {.inv = inv, .memory = memory};
    struct wire_complete complete = {0};
    struct pawl_value result = PAWL_ABSENT;
    struct pawl_context ctx;
    int r;

    context_init(&ctx, &outermost, CONTEXT_HANDLER, "");
    r = run_handler(&ctx, &result);
    unregister(inv);
    invocation_lock(inv);
    if (!complete_ended(inv, &complete)) {
        complete_returned(&ctx, r, result, &complete);
    }
    invocation_unlock(inv);
    keep_state(inv); /* before the next INVOKE can come */
    send_complete(inv, &complete);
}

static void serve_one(struct invocation *inv)
{
    struct memory *memory = memory_create(inv);
    struct bytes body = bytes_of(inv->body, inv->body_len);
    int r = (memory != NULL) ? wire_get_invoke(&memory->arena, body, &inv->facts) : ERR_NOMEM;

    if (r == 0) {
        describe(inv, memory);
        r = load_state(inv);
    }
    if (r == 0) {
        run(inv, memory);
    } else {
        unregister(inv);
        if (r == LOAD_NEEDS_FULL) {
            send_need_full(inv);
        } else {
            complete_broken(inv, (r == ERR_NOMEM) ? "Pawl.NoMemory" : "Pawl.Protocol",
                            "the invocation could not be taken over");
        }
    }
}

static void serve_invocation(void *arg)
{
    struct invocation *inv = arg;
    struct service *service = inv->service;

    atomic_fetch_add_explicit(&service->awake, 1, memory_order_relaxed);
    serve_one(inv);
    invocation_unref(inv);
    atomic_fetch_sub_explicit(&service->awake, 1, memory_order_relaxed);
}

int invocation_start(struct service *service, uint64_t number, struct bytes body)
{
    struct invocation *inv = create(service, number, body);
    int r;

    if (inv == NULL) {
        return ERR(ERR_NOMEM, "invocation");
    }
    pthread_mutex_lock(&service->lock);
    r = table_insert(&service->invocations, &inv->by_number, hash_number(number));
    if (service->is_flusher_resting) {
        service->is_flusher_resting = false;
        pthread_cond_signal(&service->changed);
    }
    pthread_mutex_unlock(&service->lock);
    if (r != 0) {
        destroy(inv);
        return r;
    }
    r = pool_run(&service->pool, serve_invocation, inv);
    if (r != 0) {
        unregister(inv);
        complete_broken(inv, "Pawl.NoThread", "no thread could be started for the invocation");
        invocation_unref(inv);
    }
    return 0;
}
