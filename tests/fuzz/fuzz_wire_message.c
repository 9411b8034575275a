/* The decoders of the native protocol and of records. The first byte says which; what
 * is accepted is written, read and written again, and both texts must be the same. */
#include <stdlib.h>

#include "engine/base/err.h"
#include "sdk/wire/wire.h"
#include "tests/fuzz/target.h"

#define ARENA_MAX ((size_t)64 << 20)

union message {
    struct error_object error;
    struct wire_hello hello;
    struct wire_checkpoint checkpoint;
    struct wire_complete complete;
    struct wire_log log;
    struct wire_invoke invoke;
    struct wire_checkpointed checkpointed;
    struct wire_cancel cancel;
    struct {
        struct record *records;
        size_t count;
    } records;
};

enum { MESSAGES = 9 };

static int get(struct arena *arena, unsigned kind, struct bytes body, union message *ret)
{
    switch (kind) {
    case 0:
        return wire_get_error(arena, body, &ret->error);
    case 1:
        return wire_get_hello(arena, body, &ret->hello);
    case 2:
        return wire_get_checkpoint(arena, body, &ret->checkpoint);
    case 3:
        return wire_get_complete(arena, body, &ret->complete);
    case 4:
        return wire_get_log(arena, body, &ret->log);
    case 5:
        return wire_get_invoke(arena, body, &ret->invoke);
    case 6:
        return wire_get_checkpointed(arena, body, &ret->checkpointed);
    case 7:
        return wire_get_cancel(arena, body, &ret->cancel);
    default:
        return wire_get_records(arena, body, &ret->records.records, &ret->records.count);
    }
}

static void put(struct buf *buf, struct arena *arena, unsigned kind, const union message *message)
{
    switch (kind) {
    case 0:
        wire_put_error(buf, &message->error);
        break;
    case 1:
        wire_put_hello(buf, &message->hello);
        break;
    case 2:
        wire_put_checkpoint(buf, arena, &message->checkpoint);
        break;
    case 3:
        wire_put_complete(buf, &message->complete);
        break;
    case 4:
        wire_put_log(buf, &message->log);
        break;
    case 5:
        wire_put_invoke(buf, arena, &message->invoke);
        break;
    case 6:
        wire_put_checkpointed(buf, arena, &message->checkpointed);
        break;
    case 7:
        wire_put_cancel(buf, &message->cancel);
        break;
    default:
        wire_put_records(buf, arena, message->records.records, message->records.count);
        break;
    }
}

static void check_again(struct arena *arena, unsigned kind, const union message *message)
{
    union message second = {0};
    struct buf once = {0};
    struct buf twice = {0};

    put(&once, arena, kind, message);
    assert(!once.failed);
    if (get(arena, kind, buf_bytes(&once), &second) != 0) {
        abort(); /* we do not read what we write */
    }
    put(&twice, arena, kind, &second);
    assert(!twice.failed && bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    union message message = {0};
    int r;

    if (size == 0) {
        return 0;
    }
    arena_init(&arena, ARENA_MAX);
    r = get(&arena, data[0] % MESSAGES, bytes_of(data + 1, size - 1), &message);
    assert(r == 0 || r == ERR_PROTOCOL || r == ERR_NOMEM);
    if (r == 0) {
        check_again(&arena, data[0] % MESSAGES, &message);
    }
    arena_fini(&arena);
    return 0;
}
