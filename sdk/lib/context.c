#include "sdk/lib/context.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/json.h"

static const struct pawl_error no_error = {"", "", ""};

void context_init(struct pawl_context *ctx, const struct pawl_context *parent,
                  enum context_kind kind, const char *id)
{
    *ctx = (struct pawl_context){
        .inv = parent->inv,
        .memory = parent->memory,
        .group = parent->group,
        .kind = kind,
        .is_rerun = parent->is_rerun,
        .logs_replays = parent->logs_replays,
        .error = no_error,
    };
    (void)snprintf(ctx->id, sizeof ctx->id, "%s", id);
}

int context_suspend(struct pawl_context *ctx)
{
    ctx->is_suspended = true;
    return PAWL_SUSPENDED;
}

/* --- the next place --------------------------------------------------------------- */

/* False when the path has become too long. */
static bool make_id(const struct pawl_context *ctx, uint32_t counter, char id[OP_ID_MAX + 1])
{
    const char *dash = (ctx->id[0] != '\0') ? "-" : "";
    int len = snprintf(id, OP_ID_MAX + 1, "%s%s%" PRIu32, ctx->id, dash, counter);

    return len > 0 && (unsigned)len <= OP_ID_MAX;
}

static bool is_name_valid(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] > 0x7E) {
            return false;
        }
    }
    return name.len <= OP_NAME_MAX;
}

static const char *type_text(enum op_type type)
{
    static const char *const texts[OP_TYPES] = {
        "?", "EXECUTION", "CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE",
    };

    return (type < OP_TYPES) ? texts[type] : "?";
}

static const char *describe(struct pawl_context *ctx, enum op_type type, struct bytes name,
                            struct bytes sub_type)
{
    return pawl_printf(ctx, "%s %s%.*s%s(%.*s)", type_text(type), (name.len > 0) ? "\"" : "",
                       (int)name.len, (const char *)name.data, (name.len > 0) ? "\" " : "",
                       (int)sub_type.len, (const char *)sub_type.data);
}

static int hold(struct call *call)
{
    struct pawl_context *ctx = call->ctx;
    const struct memo *memo = call->memo;

    invocation_hold(ctx->inv,
                    pawl_printf(ctx,
                                "operation %s was recorded as %s, but the code now asks for %s: "
                                "deploy code that asks for the same operations in the same order, "
                                "or redrive the execution on the version it was started with",
                                call->id, describe(ctx, memo->type, memo->name, memo->sub_type),
                                describe(ctx, call->type, call->name, call->sub_type)));
    return context_suspend(ctx);
}

static int check_replay(struct call *call)
{
    const struct memo *memo = call->memo;

    if (memo == NULL && call->ctx->is_rerun) {
        invocation_hold(call->ctx->inv,
                        pawl_printf(call->ctx,
                                    "operation %s is not recorded, but the code now asks for %s "
                                    "in a context that had ended without it",
                                    call->id,
                                    describe(call->ctx, call->type, call->name, call->sub_type)));
        return context_suspend(call->ctx);
    }
    if (memo != NULL && (memo->type != call->type || !bytes_equal(memo->name, call->name) ||
                         !bytes_equal(memo->sub_type, call->sub_type))) {
        return hold(call);
    }
    return PAWL_OK;
}

static int check_use(struct call *call)
{
    struct pawl_context *ctx = call->ctx;

    if (!ctx->inv->facts.is_durable) {
        return pawl_fail(ctx, "Pawl.NotDurable",
                         "this function is not durable, so it can have no %s: deploy it with a "
                         "durable configuration",
                         type_text(call->type));
    }
    if (ctx->kind == CONTEXT_STEP) {
        return pawl_fail(ctx, "Pawl.Misuse",
                         "durable calls cannot be made inside a step: use pawl_child()");
    }
    if (!is_name_valid(call->name)) {
        return pawl_fail(ctx, "Pawl.Misuse",
                         "names of operations are printable ASCII of at most %u characters",
                         OP_NAME_MAX);
    }
    return PAWL_OK;
}

/* The operation that those in `ctx` belong to; of a flat branch the batch, whose id is the
 * branch's without its last number. */
static struct bytes parent_of(const struct pawl_context *ctx)
{
    const char *end = ctx->is_flat ? strrchr(ctx->id, '-') : NULL;

    return (end != NULL) ? bytes_of(ctx->id, (size_t)(end - ctx->id)) : bytes_of_text(ctx->id);
}

int call_begin(struct call *call, struct pawl_context *ctx, enum op_type type, const char *name,
               const char *sub_type)
{
    bool has_ended;

    *call = (struct call){
        .ctx = ctx,
        .type = type,
        .name = bytes_of_text(name),
        .sub_type = bytes_of_text(sub_type),
        .parent_id = parent_of(ctx),
    };
    if (ctx->is_suspended) {
        return PAWL_SUSPENDED;
    }
    PAWL_TRY(check_use(call));
    if (!make_id(ctx, ++ctx->counter, call->id)) {
        return pawl_fail(ctx, "Pawl.Limit", "contexts are nested too deeply under operation %s",
                         ctx->id);
    }
    invocation_lock(ctx->inv);
    has_ended = invocation_has_ended(ctx->inv, ctx->group);
    call->memo = has_ended ? NULL : state_find(ctx->inv->memos, bytes_of_text(call->id));
    invocation_unlock(ctx->inv);
    return has_ended ? context_suspend(ctx) : check_replay(call);
}

bool pawl_is_replaying(const struct pawl_context *ctx)
{
    char id[OP_ID_MAX + 1];
    bool is_known = false;

    if (ctx->kind == CONTEXT_STEP || !ctx->inv->facts.is_durable) {
        return false;
    }
    if (!ctx->is_rerun && make_id(ctx, ctx->counter + 1, id)) {
        invocation_lock(ctx->inv);
        is_known = state_find(ctx->inv->memos, bytes_of_text(id)) != NULL;
        invocation_unlock(ctx->inv);
    }
    return ctx->is_rerun || is_known;
}

/* --- updates ---------------------------------------------------------------------- */

struct op_update call_update(const struct call *call, enum op_action action)
{
    return (struct op_update){
        .type = call->type,
        .action = action,
        .id = bytes_of_text(call->id),
        .parent_id = call->parent_id,
        .name = call->name,
        .sub_type = call->sub_type,
    };
}

int call_queue(struct call *call, const struct op_update *update)
{
    if (invocation_queue(call->ctx->inv, call->ctx->group, update, &call->memo) != 0) {
        return context_suspend(call->ctx);
    }
    return PAWL_OK;
}

int call_await(struct call *call)
{
    if (invocation_await(call->ctx->inv, call->ctx->group) != 0) {
        return context_suspend(call->ctx);
    }
    return PAWL_OK;
}

int call_send(struct call *call, const struct op_update *update)
{
    PAWL_TRY(call_queue(call, update));
    return call_await(call);
}

int call_block(struct call *call, enum op_status status)
{
    if (invocation_block(call->ctx->inv, call->ctx->group, call->memo, status) != 0) {
        return context_suspend(call->ctx);
    }
    return PAWL_OK;
}

enum op_status call_status(struct call *call)
{
    enum op_status status;

    if (call->memo == NULL) {
        return OP_STATUS_NONE;
    }
    invocation_lock(call->ctx->inv);
    status = call->memo->status;
    invocation_unlock(call->ctx->inv);
    return status;
}

static int fail_as_recorded(struct call *call, const struct memo *memo)
{
    context_decode_error(call->ctx, memo->has_error ? memo->error : bytes_of(NULL, 0),
                         &call->ctx->error);
    if (call->ctx->error.type[0] == '\0' && call->ctx->error.message[0] == '\0') {
        call->ctx->error.message = "the operation failed and nothing was said about why";
    }
    return PAWL_FAILED;
}

int call_outcome(struct call *call, struct pawl_value *ret)
{
    struct memo memo;

    invocation_lock(call->ctx->inv);
    memo = *call->memo;
    invocation_unlock(call->ctx->inv);
    if (memo.status != OP_SUCCEEDED) {
        return fail_as_recorded(call, &memo);
    }
    if (ret != NULL) {
        *ret = value_of(memo.has_result, memo.result);
    }
    return PAWL_OK;
}

/* --- errors ----------------------------------------------------------------------- */

/* Lambda measures an error as JSON. */
#define ERROR_JSON_MAX ((size_t)OP_ERROR_BYTES_MAX - 256)
#define TYPE_MAX ((size_t)256)
#define MESSAGE_MAX ((size_t)4096)

int pawl_fail_with(struct pawl_context *ctx, const struct pawl_error *error)
{
    struct pawl_error copy = {
        .type = pawl_printf(ctx, "%s", error->type ? error->type : ""),
        .message = pawl_printf(ctx, "%s", error->message ? error->message : ""),
        .data = pawl_printf(ctx, "%s", error->data ? error->data : ""),
    };

    ctx->error = copy;
    return PAWL_FAILED;
}

const struct pawl_error *pawl_error(const struct pawl_context *ctx)
{
    return &ctx->error;
}

static size_t json_len(const struct error_object *error)
{
    struct buf buf = {0};
    size_t len;

    json_quoted(&buf, error->type);
    json_quoted(&buf, error->message);
    json_quoted(&buf, error->data);
    len = buf.failed ? SIZE_MAX : buf.len;
    buf_fini(&buf);
    return len;
}

static struct bytes cut(struct bytes text, size_t max)
{
    return bytes_of(text.data, (text.len < max) ? text.len : max);
}

/* What is too large loses its data, then the end of its message. */
struct bytes context_encode_error(struct pawl_context *ctx, const struct pawl_error *error)
{
    struct error_object object = {
        .type = cut(bytes_of_text(error->type), TYPE_MAX),
        .message = bytes_of_text(error->message),
        .data = bytes_of_text(error->data),
    };
    struct buf buf = {0};
    struct pawl_value copy;

    if (json_len(&object) > ERROR_JSON_MAX) {
        object.data.len = 0;
    }
    if (json_len(&object) > ERROR_JSON_MAX) {
        object.message = cut(object.message, MESSAGE_MAX);
    }
    wire_put_error(&buf, &object);
    copy = context_keep(ctx, (struct pawl_value){(const char *)buf.data, buf.len});
    buf_fini(&buf);
    return value_bytes(copy);
}

static const char *text_of(struct pawl_context *ctx, struct bytes bytes)
{
    return context_keep(ctx,
                        (struct pawl_value){bytes.len ? (const char *)bytes.data : "", bytes.len})
        .data;
}

void context_decode_error(struct pawl_context *ctx, struct bytes encoded,
                          struct pawl_error *ret_error)
{
    struct error_object object;

    *ret_error = no_error;
    if (wire_get_error(&ctx->memory->arena, encoded, &object) == 0) {
        ret_error->type = text_of(ctx, object.type);
        ret_error->message = text_of(ctx, object.message);
        ret_error->data = text_of(ctx, object.data);
    }
}

/* --- the invocation --------------------------------------------------------------- */

const struct pawl_invocation *pawl_invocation(const struct pawl_context *ctx)
{
    return &ctx->inv->info;
}

int64_t pawl_time_left_ms(const struct pawl_context *ctx)
{
    struct timespec now;
    int64_t left;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    left = ctx->inv->facts.deadline_ms - (int64_t)now.tv_sec * 1000 - now.tv_nsec / 1000000;
    return (left > 0) ? left : 0;
}

int pawl_checkpoint(struct pawl_context *ctx)
{
    if (!ctx->inv->facts.is_durable) {
        return PAWL_OK;
    }
    if (ctx->is_suspended || invocation_await(ctx->inv, ctx->group) != 0) {
        return context_suspend(ctx);
    }
    return PAWL_OK;
}
