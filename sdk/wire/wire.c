#include "sdk/wire/wire.h"

#include "engine/base/err.h"
#include "sdk/wire/frame.h"
#include "sdk/wire/proto.h"

/* Limits of form. What an operation may hold is the core's to say, with Lambda's
 * words; these only keep a broken or hostile peer from costing memory. */
#define TEXT_MAX ((size_t)4096) /* ARNs, ids from outside, reasons */
#define LOG_TEXT_MAX ((size_t)WIRE_MESSAGE_BYTES_MAX)
#define PAYLOAD_MAX ((size_t)WIRE_MESSAGE_BYTES_MAX)
#define STACK_MAX ((size_t)1024)
#define OPERATIONS_MAX ((size_t)65536)
#define RECORDS_MAX ((size_t)131072)
#define RECORDS_BYTES_MAX ((size_t)64 * 1024 * 1024)

#define F(tag_, kind_, owner, member, max_)                                                        \
    {                                                                                              \
        .tag = (tag_), .kind = PROTO_##kind_, .offset = offsetof(struct owner, member),            \
        .max = (max_)                                                                              \
    }
#define ARRAY(tag_, kind_, owner, member, count, max_, of_)                                        \
    {                                                                                              \
        .tag = (tag_), .kind = PROTO_##kind_, .offset = offsetof(struct owner, member),            \
        .count_offset = offsetof(struct owner, count), .max = (max_), .of = (of_)                  \
    }
#define MESSAGE(name, owner)                                                                       \
    static const struct proto_message name##_form = {                                              \
        .size = sizeof(struct owner),                                                              \
        .fields = name##_fields,                                                                   \
        .count = sizeof name##_fields / sizeof name##_fields[0],                                   \
    }

static const struct proto_field error_fields[] = {
    F(1, BYTES, error_object, type, PAYLOAD_MAX),
    F(2, BYTES, error_object, message, PAYLOAD_MAX),
    F(3, BYTES, error_object, data, PAYLOAD_MAX),
    ARRAY(4, TEXTS, error_object, stack, stack_count, STACK_MAX, NULL),
};
MESSAGE(error, error_object);

static const struct proto_field operation_fields[] = {
    F(1, BYTES, wire_operation, id, OP_ID_MAX),
    F(2, U32, wire_operation, type, 0),
    F(3, U32, wire_operation, status, 0),
    F(4, BYTES, wire_operation, parent_id, OP_ID_MAX),
    F(5, BYTES, wire_operation, name, OP_NAME_MAX),
    F(6, BYTES, wire_operation, sub_type, OP_SUB_TYPE_MAX),
    F(7, U32, wire_operation, attempt, 0),
    F(8, BOOL, wire_operation, replay_children, 0),
    F(9, BOOL, wire_operation, has_result, 0),
    F(10, BYTES, wire_operation, result, PAYLOAD_MAX),
    F(11, BOOL, wire_operation, has_error, 0),
    F(12, BYTES, wire_operation, error, PAYLOAD_MAX),
    F(13, U64, wire_operation, start_ms, 0),
    F(14, U64, wire_operation, end_ms, 0),
    F(15, U64, wire_operation, due_ms, 0),
    F(16, BYTES, wire_operation, callback_id, TEXT_MAX),
    F(17, BOOL, wire_operation, is_pruned, 0),
};
MESSAGE(operation, wire_operation);

static const struct proto_field update_fields[] = {
    F(1, BYTES, op_update, id, OP_ID_MAX),
    F(2, U32, op_update, type, 0),
    F(3, U32, op_update, action, 0),
    F(4, BYTES, op_update, parent_id, OP_ID_MAX),
    F(5, BYTES, op_update, name, OP_NAME_MAX),
    F(6, BYTES, op_update, sub_type, OP_SUB_TYPE_MAX),
    F(7, BOOL, op_update, has_payload, 0),
    F(8, BYTES, op_update, payload, PAYLOAD_MAX),
    F(9, BOOL, op_update, has_error, 0),
    F(10, BYTES, op_update, error, OP_ERROR_BYTES_MAX),
    F(11, BOOL, op_update, has_step_options, 0),
    F(12, U32, op_update, delay_s, 0),
    F(13, U32, op_update, wait_s, 0),
    F(14, U32, op_update, timeout_s, 0),
    F(15, U32, op_update, heartbeat_s, 0),
    F(16, BOOL, op_update, replay_children, 0),
    F(17, BYTES, op_update, function, TEXT_MAX),
    F(18, BYTES, op_update, tenant_id, TEXT_MAX),
};
MESSAGE(update, op_update);

static const struct proto_field hello_fields[] = {
    F(1, U32, wire_hello, protocol, 0),
    F(2, BYTES, wire_hello, sdk, TEXT_MAX),
};
MESSAGE(hello, wire_hello);

static const struct proto_field checkpoint_fields[] = {
    F(1, U32, wire_checkpoint, seq, 0),
    ARRAY(2, MESSAGES, wire_checkpoint, updates, update_count, UPDATES_MAX, &update_form),
};
MESSAGE(checkpoint, wire_checkpoint);

static const struct proto_field complete_fields[] = {
    F(1, U32, wire_complete, outcome, 0),
    F(2, BOOL, wire_complete, has_payload, 0),
    F(3, BYTES, wire_complete, payload, PAYLOAD_MAX),
    F(4, BYTES, wire_complete, error, OP_ERROR_BYTES_MAX),
};
MESSAGE(complete, wire_complete);

static const struct proto_field log_fields[] = {
    F(1, U32, wire_log, level, 0),
    F(2, BYTES, wire_log, text, LOG_TEXT_MAX),
    F(3, BYTES, wire_log, operation_id, OP_ID_MAX),
    F(4, U32, wire_log, attempt, 0),
};
MESSAGE(log, wire_log);

static const struct proto_field invoke_fields[] = {
    F(1, BYTES, wire_invoke, request_id, TEXT_MAX),
    F(2, BYTES, wire_invoke, function_arn, TEXT_MAX),
    F(3, U64, wire_invoke, deadline_ms, 0),
    F(4, BOOL, wire_invoke, has_payload, 0),
    F(5, BYTES, wire_invoke, payload, PAYLOAD_MAX),
    F(6, BYTES, wire_invoke, tenant_id, TEXT_MAX),
    F(7, BYTES, wire_invoke, trace_id, TEXT_MAX),
    F(8, BYTES, wire_invoke, client_context, TEXT_MAX),
    F(9, BOOL, wire_invoke, is_durable, 0),
    F(10, BYTES, wire_invoke, execution_arn, TEXT_MAX),
    F(11, U32, wire_invoke, attempt, 0),
    F(12, BYTES, wire_invoke, execution_id, sizeof(struct id)),
    F(13, U64, wire_invoke, base, 0),
    F(14, U64, wire_invoke, last, 0),
    ARRAY(15, MESSAGES, wire_invoke, operations, operation_count, OPERATIONS_MAX, &operation_form),
    F(16, U64, wire_invoke, start_ms, 0),
};
MESSAGE(invoke, wire_invoke);

static const struct proto_field checkpointed_fields[] = {
    F(1, U32, wire_checkpointed, seq, 0),
    F(2, BYTES, wire_checkpointed, refusal, TEXT_MAX),
    F(3, BYTES, wire_checkpointed, message, TEXT_MAX),
    F(4, U64, wire_checkpointed, last, 0),
    ARRAY(5, MESSAGES, wire_checkpointed, operations, operation_count, OPERATIONS_MAX,
          &operation_form),
};
MESSAGE(checkpointed, wire_checkpointed);

static const struct proto_field cancel_fields[] = {
    F(1, BYTES, wire_cancel, reason, TEXT_MAX),
};
MESSAGE(cancel, wire_cancel);

static const struct proto_field record_fields[] = {
    F(1, U32, record, kind, 0),
    F(2, U64, record, event_id, 0),
    F(3, U64, record, time_ms, 0),
    F(4, BYTES, record, op_id, OP_ID_MAX),
    F(5, BYTES, record, parent_id, OP_ID_MAX),
    F(6, BYTES, record, name, OP_NAME_MAX),
    F(7, BYTES, record, sub_type, OP_SUB_TYPE_MAX),
    F(8, BOOL, record, has_payload, 0),
    F(9, BYTES, record, payload, PAYLOAD_MAX),
    F(10, BOOL, record, has_error, 0),
    F(11, BYTES, record, error, PAYLOAD_MAX),
    F(12, BOOL, record, replay_children, 0),
    F(13, U32, record, attempt, 0),
    F(14, U32, record, delay_s, 0),
    F(15, U64, record, due_ms, 0),
    F(16, U32, record, timeout_s, 0),
    F(17, U32, record, heartbeat_s, 0),
    F(18, U32, record, op_status, 0),
    F(19, BYTES, record, function, TEXT_MAX),
    F(20, BYTES, record, tenant_id, TEXT_MAX),
    F(21, BYTES, record, arn, TEXT_MAX),
    F(22, U64, record, start_ms, 0),
    F(23, FIXED, record, request_id, sizeof(struct id)),
    F(24, U32, record, exec_kind, 0),
    F(25, U32, record, revision, 0),
    F(26, U32, record, retention_days, 0),
    F(27, U32, record, retries_max, 0),
    F(28, U32, record, event_age_s, 0),
    F(29, FIXED, record, digest, 32),
    F(30, FIXED, record, parent_exec, sizeof(struct id)),
    F(31, BYTES, record, parent_op, OP_ID_MAX),
    F(32, BYTES, record, trace_id, TEXT_MAX),
    F(33, BYTES, record, on_success, TEXT_MAX),
    F(34, BYTES, record, on_failure, TEXT_MAX),
};
MESSAGE(record, record);

struct record_list {
    struct record *items;
    size_t count;
};

static const struct proto_field records_fields[] = {
    ARRAY(1, MESSAGES, record_list, items, count, RECORDS_MAX, &record_form),
};
MESSAGE(records, record_list);

_Static_assert(sizeof(enum op_type) == sizeof(uint32_t), "enums are read and written as u32");

/* --- encoders ----------------------------------------------------------------- */

void wire_put_error(struct buf *buf, const struct error_object *from)
{
    proto_put(buf, &error_form, from);
}

void wire_put_hello(struct buf *buf, const struct wire_hello *from)
{
    proto_put(buf, &hello_form, from);
}

void wire_put_checkpoint(struct buf *buf, struct arena *arena, const struct wire_checkpoint *from)
{
    (void)arena; /* nothing needs a copy on its way out */
    proto_put(buf, &checkpoint_form, from);
}

void wire_put_complete(struct buf *buf, const struct wire_complete *from)
{
    proto_put(buf, &complete_form, from);
}

void wire_put_log(struct buf *buf, const struct wire_log *from)
{
    proto_put(buf, &log_form, from);
}

void wire_put_invoke(struct buf *buf, struct arena *arena, const struct wire_invoke *from)
{
    (void)arena; /* nothing needs a copy on its way out */
    proto_put(buf, &invoke_form, from);
}

void wire_put_checkpointed(struct buf *buf, struct arena *arena,
                           const struct wire_checkpointed *from)
{
    (void)arena; /* nothing needs a copy on its way out */
    proto_put(buf, &checkpointed_form, from);
}

void wire_put_cancel(struct buf *buf, const struct wire_cancel *from)
{
    proto_put(buf, &cancel_form, from);
}

void wire_put_records(struct buf *buf, struct arena *arena, const struct record *items,
                      size_t count)
{
    struct record_list list = {.count = count};

    (void)arena;
    memcpy(&list.items, &items, sizeof items); /* only read */
    proto_put(buf, &records_form, &list);
}

/* --- decoders ----------------------------------------------------------------- */

static int get(struct arena *arena, const struct proto_message *message, struct bytes body,
               size_t max, void *ret)
{
    if (body.len > max) {
        return ERR_PROTOCOL;
    }
    memset(ret, 0, message->size);
    return proto_get(arena, message, body, ret);
}

int wire_get_error(struct arena *arena, struct bytes body, struct error_object *ret)
{
    return get(arena, &error_form, body, WIRE_MESSAGE_BYTES_MAX, ret);
}

int wire_get_hello(struct arena *arena, struct bytes body, struct wire_hello *ret)
{
    return get(arena, &hello_form, body, WIRE_MESSAGE_BYTES_MAX, ret);
}

int wire_get_checkpoint(struct arena *arena, struct bytes body, struct wire_checkpoint *ret)
{
    return get(arena, &checkpoint_form, body, WIRE_MESSAGE_BYTES_MAX, ret);
}

int wire_get_complete(struct arena *arena, struct bytes body, struct wire_complete *ret)
{
    return get(arena, &complete_form, body, WIRE_MESSAGE_BYTES_MAX, ret);
}

int wire_get_log(struct arena *arena, struct bytes body, struct wire_log *ret)
{
    return get(arena, &log_form, body, WIRE_MESSAGE_BYTES_MAX, ret);
}

int wire_get_invoke(struct arena *arena, struct bytes body, struct wire_invoke *ret)
{
    int r = get(arena, &invoke_form, body, WIRE_STATE_BYTES_MAX, ret);

    if (r == 0 && ret->execution_id.len != 0 && ret->execution_id.len != sizeof(struct id)) {
        return ERR_PROTOCOL;
    }
    return r;
}

int wire_get_checkpointed(struct arena *arena, struct bytes body, struct wire_checkpointed *ret)
{
    return get(arena, &checkpointed_form, body, WIRE_STATE_BYTES_MAX, ret);
}

int wire_get_cancel(struct arena *arena, struct bytes body, struct wire_cancel *ret)
{
    return get(arena, &cancel_form, body, WIRE_MESSAGE_BYTES_MAX, ret);
}

int wire_get_records(struct arena *arena, struct bytes body, struct record **ret_records,
                     size_t *ret_count)
{
    struct record_list list;
    int r = get(arena, &records_form, body, RECORDS_BYTES_MAX, &list);

    if (r == 0) {
        *ret_records = list.items;
        *ret_count = list.count;
    }
    return r;
}
