#include "sdk/lib/context.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/json.h"
#include "engine/base/mem.h"

struct memory *memory_create(struct invocation *inv)
{
    struct memory *memory = mem_calloc(1, sizeof *memory);

    if (memory == NULL) {
        return NULL;
    }
    arena_init(&memory->arena, 0);
    invocation_lock(inv);
    list_push_back(&inv->memories, &memory->link);
    invocation_unlock(inv);
    return memory;
}

void memory_destroy_all(struct invocation *inv)
{
    struct list *link;

    while ((link = list_pop_front(&inv->memories)) != NULL) {
        struct memory *memory = container_of(link, struct memory, link);

        arena_fini(&memory->arena);
        mem_free(memory);
    }
}

/* To go on without memory a workflow would have to fail, and a failed workflow is
 * final; a process that ends is only run again. */
static void *or_die(void *memory)
{
    if (memory == NULL) {
        (void)fputs("pawl: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *pawl_alloc(struct pawl_context *ctx, size_t size)
{
    return or_die(arena_alloc(&ctx->memory->arena, (size > 0) ? size : 1));
}

static char *format_text(struct pawl_context *ctx, const char *format, va_list args,
                         size_t *ret_len)
{
    va_list again;
    char *text;
    int len;

    assert(format != NULL);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    *ret_len = (len > 0) ? (size_t)len : 0; /* negative: what cannot be formatted */
    text = pawl_alloc(ctx, *ret_len + 1);
    text[0] = '\0';
    if (len > 0) {
        (void)vsnprintf(text, *ret_len + 1, format, args);
    }
    return text;
}

char *pawl_printf(struct pawl_context *ctx, const char *format, ...)
{
    va_list args;
    size_t len;
    char *text;

    va_start(args, format);
    text = format_text(ctx, format, args, &len);
    va_end(args);
    return text;
}

struct pawl_value pawl_format(struct pawl_context *ctx, const char *format, ...)
{
    struct pawl_value value;
    va_list args;

    va_start(args, format);
    value.data = format_text(ctx, format, args, &value.len);
    va_end(args);
    return value;
}

int pawl_fail(struct pawl_context *ctx, const char *type, const char *format, ...)
{
    va_list args;
    size_t len;

    va_start(args, format);
    ctx->error.message = format_text(ctx, format, args, &len);
    va_end(args);
    ctx->error.type = pawl_printf(ctx, "%s", (type != NULL) ? type : "");
    ctx->error.data = "";
    return PAWL_FAILED;
}

struct pawl_value pawl_value(const char *text)
{
    return (struct pawl_value){text, (text != NULL) ? strlen(text) : 0};
}

struct pawl_value context_keep(struct pawl_context *ctx, struct pawl_value value)
{
    char *copy;

    if (value.data == NULL) {
        return PAWL_ABSENT;
    }
    copy = pawl_alloc(ctx, value.len + 1);
    memcpy(copy, value.data, value.len);
    return (struct pawl_value){copy, value.len};
}

/* --- clean-up --------------------------------------------------------------------- */

struct defer {
    struct defer *next;
    void (*fn)(void *arg);
    void *arg;
};

void pawl_defer(struct pawl_context *ctx, void (*fn)(void *arg), void *arg)
{
    struct defer *defer = pawl_alloc(ctx, sizeof *defer);

    *defer = (struct defer){.next = ctx->defers, .fn = fn, .arg = arg};
    ctx->defers = defer;
}

static void run_defers(struct pawl_context *ctx)
{
    while (ctx->defers != NULL) {
        struct defer *defer = ctx->defers;

        ctx->defers = defer->next;
        defer->fn(defer->arg);
    }
}

static int settle(struct pawl_context *ctx, int r)
{
    if (ctx->is_suspended) {
        return PAWL_SUSPENDED;
    }
    if (r == PAWL_OK) {
        return PAWL_OK;
    }
    if (r == PAWL_SUSPENDED) {
        return pawl_fail(ctx, "Pawl.Misuse",
                         "the function returned PAWL_SUSPENDED, but no durable call of its "
                         "context had returned it");
    }
    if (r != PAWL_FAILED || (ctx->error.type[0] == '\0' && ctx->error.message[0] == '\0')) {
        return pawl_fail(ctx, "Error", "the function returned %d and said nothing", r);
    }
    return PAWL_FAILED;
}

int context_run(struct pawl_context *ctx, pawl_fn *fn, void *arg, struct pawl_value *ret_result)
{
    struct pawl_value result = PAWL_ABSENT;
    int r = settle(ctx, fn(ctx, arg, &result));

    if (r == PAWL_OK) {
        /* What a deferred function frees may be the result. */
        *ret_result = (ctx->defers != NULL) ? context_keep(ctx, result) : result;
    }
    run_defers(ctx);
    return r;
}

/* --- JSON ------------------------------------------------------------------------- */

char *pawl_json_quote(struct pawl_context *ctx, const char *text)
{
    struct buf buf = {0};
    char *quoted;

    json_quoted(&buf, bytes_of_text(text));
    or_die(buf.failed ? NULL : buf.data);
    quoted = pawl_alloc(ctx, buf.len + 1);
    memcpy(quoted, buf.data, buf.len);
    buf_fini(&buf);
    return quoted;
}
