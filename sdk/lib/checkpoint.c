#include "sdk/lib/checkpoint.h"

/* What AWS's SDKs send in one checkpoint, too. */
#define CHECKPOINT_UPDATES_MAX 250U
#define CHECKPOINT_BYTES_MAX ((size_t)750 * 1024)

static bool note_update(struct state *state, struct memo *memo, const struct op_update *update)
{
    bool is_step = update->type == OP_STEP;

    switch (update->action) {
    case OP_SUCCEED:
        memo->status = OP_SUCCEEDED;
        memo->attempt += is_step;
        memo->replay_children = update->replay_children;
        memo->has_result = update->has_payload;
        return !update->has_payload || state_set_result(state, memo, update->payload);
    case OP_FAIL:
        memo->status = OP_FAILED;
        memo->attempt += is_step;
        return state_set_error(state, memo, update->error);
    case OP_RETRY:
        memo->status = OP_PENDING;
        memo->attempt++;
        if (update->has_error) {
            return state_set_error(state, memo, update->error);
        }
        return !update->has_payload || state_set_result(state, memo, update->payload);
    default:
        memo->status = OP_STARTED;
        return true;
    }
}

static bool encode(struct invocation *inv, const struct op_update *update)
{
    struct op_update copy = *update;
    struct wire_checkpoint one = {.updates = &copy, .update_count = 1};
    size_t before = inv->queue.len;
    uint32_t len;

    wire_put_checkpoint(&inv->queue, NULL, &one);
    len = (uint32_t)(inv->queue.len - before);
    buf_append(&inv->queue_lens, &len, sizeof len);
    return !inv->queue.failed && !inv->queue_lens.failed;
}

struct memo *checkpoint_add(struct invocation *inv, const struct op_update *update)
{
    struct memo *memo = state_find(inv->memos, update->id);

    if (memo == NULL) {
        memo = state_add(inv->memos, update->id, update->type, update->name, update->sub_type);
    }
    if (memo == NULL || !encode(inv, update) || !note_update(inv->memos, memo, update)) {
        return NULL;
    }
    memo->own_ticket = ++inv->queued;
    return memo;
}

/* How many updates go with the next checkpoint, and their bytes. */
static uint32_t measure(const struct invocation *inv, size_t *ret_bytes)
{
    uint64_t waiting = inv->queued - inv->sent;
    uint32_t count = 0;
    size_t bytes = 0;

    while (count < waiting && count < CHECKPOINT_UPDATES_MAX) {
        uint32_t len;

        memcpy(&len, inv->queue_lens.data + count * sizeof len, sizeof len);
        if (count > 0 && bytes + len > CHECKPOINT_BYTES_MAX) {
            break;
        }
        bytes += len;
        count++;
    }
    *ret_bytes = bytes;
    return count;
}

/* A protobuf message is the sum of its fields, so the encoded updates stand behind the
 * encoded rest as they are. */
void checkpoint_send(struct invocation *inv)
{
    struct wire_checkpoint head = {.seq = ++inv->seq};
    size_t bytes;
    uint32_t count = measure(inv, &bytes);
    struct buf *buf = out_lock(&inv->service->out);
    size_t begun = frame_begin(buf, WIRE_CHECKPOINT, inv->number);

    wire_put_checkpoint(buf, NULL, &head);
    buf_append(buf, inv->queue.data, bytes);
    frame_end(buf, begun);
    out_unlock(&inv->service->out);
    buf_consume(&inv->queue, bytes);
    buf_consume(&inv->queue_lens, count * sizeof(uint32_t));
    inv->sent += count;
    inv->is_in_flight = true;
    inv->has_notice = false;
}
