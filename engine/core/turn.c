#include "engine/core/turn.h"

#include "engine/base/err.h"
#include "engine/core/execution_edit.h"

static void *grown(struct turn *turn, void *items, uint32_t count, uint32_t *cap, size_t size)
{
    uint32_t wanted = (*cap != 0) ? *cap * 2 : 8;
    void *room;

    if (count < *cap) {
        return items;
    }
    room = arena_alloc(turn->arena, wanted * size);
    if (room == NULL) {
        turn->error = ERR(ERR_NOMEM, "actions of a command");
        return NULL;
    }
    if (count > 0) {
        memcpy(room, items, count * size);
    }
    *cap = wanted;
    return room;
}

/* The clock of the host may go back; the time of an execution does not. */
static int64_t turn_time(const struct turn *turn)
{
    int64_t now_ms = turn->command->now_ms;

    return (now_ms > turn->exec->last_ms) ? now_ms : turn->exec->last_ms;
}

int64_t turn_clock(const struct turn *turn)
{
    int64_t now_ms = turn->command->now_ms;

    return (now_ms < turn->exec->last_ms) ? now_ms : 0;
}

void turn_record(struct turn *turn, struct record record)
{
    struct actions *actions = turn->actions;
    struct record *room;

    if (turn->error != 0) {
        return;
    }
    room = grown(turn, actions->records, actions->record_count, &turn->record_cap, sizeof record);
    if (room == NULL) {
        return;
    }
    record.time_ms = turn_time(turn);
    record.event_id = record_is_event(record.kind) ? turn->exec->events + 1 : 0;
    actions->records = room;
    actions->records[actions->record_count++] = record;
    turn->error = exec_evolve(turn->exec, &record);
}

void turn_action(struct turn *turn, struct action action)
{
    struct actions *actions = turn->actions;
    struct action *room;

    if (turn->error != 0) {
        return;
    }
    room = grown(turn, actions->items, actions->count, &turn->action_cap, sizeof action);
    if (room == NULL) {
        return;
    }
    actions->items = room;
    actions->items[actions->count++] = action;
}

int turn_refuse(struct turn *turn, enum refusal refusal, const char *message)
{
    turn->actions->refusal = refusal;
    turn->actions->message = message;
    return CORE_REFUSED;
}

/* All attempts of an event are one request, as in Lambda: its id is the execution's. */
void turn_dispatch(struct turn *turn)
{
    struct exec *exec = turn->exec;

    turn_record(turn, (struct record){
                          .kind = NOTE_ATTEMPT_STARTED,
                          .attempt = exec->attempt + 1,
                          .request_id = (exec->kind == EXEC_EVENT)
                                            ? exec->id
                                            : core_make_id(turn->core, turn->command->now_ms),
                      });
    exec->is_live = true;
    turn_action(turn, (struct action){.kind = ACTION_DISPATCH, .attempt = exec->attempt});
}

void turn_wake(struct turn *turn)
{
    const struct exec *exec = turn->exec;

    if (exec_is_closed(exec) || exec->is_held) {
        return;
    }
    if (exec->is_running) {
        turn_action(turn, (struct action){.kind = ACTION_NOTIFY, .attempt = exec->attempt});
        return;
    }
    if (exec->retry_ms == 0) { /* else the failed invocation is tried again then */
        turn_dispatch(turn);
    }
}

void turn_end(struct turn *turn, enum record_kind kind, bool has_payload, struct bytes payload,
              bool has_error, struct bytes error)
{
    struct exec *exec = turn->exec;

    if (exec->is_running) {
        turn_action(turn, (struct action){.kind = ACTION_FENCE, .attempt = exec->attempt});
    }
    turn_record(turn, (struct record){
                          .kind = kind,
                          .name = exec->name,
                          .has_payload = has_payload,
                          .payload = payload,
                          .has_error = has_error,
                          .error = error,
                      });
    turn_action(turn, (struct action){.kind = ACTION_CLOSED, .attempt = exec->attempt});
}

struct bytes turn_copy(struct turn *turn, struct bytes bytes)
{
    struct bytes copy = arena_copy(turn->arena, bytes);

    if (copy.data == NULL && turn->error == 0) {
        turn->error = ERR(ERR_NOMEM, "payload of a command");
    }
    return copy;
}

struct bytes turn_error(struct turn *turn, const char *type, const char *message)
{
    uint8_t encoded[ERROR_TEXT_MAX];

    return turn_copy(turn, error_encode(encoded, type, message));
}

struct record record_of_op(const struct op *op, enum record_kind kind)
{
    return (struct record){
        .kind = kind,
        .op_id = op->id,
        .name = op->name,
        .sub_type = op->sub_type,
        .parent_id = (op->parent != NULL) ? op->parent->id : (struct bytes){0},
    };
}

static enum record_kind chained_event(enum op_status status)
{
    switch (status) {
    case OP_SUCCEEDED:
        return CHAINED_INVOKE_SUCCEEDED;
    case OP_TIMED_OUT:
        return CHAINED_INVOKE_TIMED_OUT;
    case OP_STOPPED:
        return CHAINED_INVOKE_STOPPED;
    default:
        return CHAINED_INVOKE_FAILED;
    }
}

static void flush_one(struct turn *turn, struct op *op)
{
    struct record record = record_of_op(op, chained_event(op->pending_status));
    struct bytes copy = turn_copy(turn, buf_bytes(&op->pending_copy));

    if (copy.data == NULL) {
        return; /* the turn has failed */
    }
    record.has_payload = op->pending_has_payload;
    record.payload = bytes_of(copy.data, op->pending_payload_len);
    record.has_error = op->pending_has_error;
    record.error = bytes_of(copy.data + op->pending_payload_len,
                            op->pending_copy.len - op->pending_payload_len);
    turn_record(turn, record);
}

void turn_flush_chained(struct turn *turn)
{
    struct list *item;

    if (turn->exec->pending_results == 0) {
        return;
    }
    list_for_each (item, &turn->exec->ops) {
        struct op *op = container_of(item, struct op, in_exec);

        if (op->has_pending_result && turn->error == 0) {
            flush_one(turn, op);
        }
    }
}
