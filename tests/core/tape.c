#include "tests/core/tape.h"

#include <stdlib.h>

void tape_fini(struct tape *tape)
{
    arena_fini(&tape->arena);
    free(tape->records);
    *tape = (struct tape){0};
}

static struct bytes kept(struct arena *arena, struct bytes bytes)
{
    struct bytes copy = arena_copy(arena, bytes);

    if (copy.data == NULL) {
        abort();
    }
    return copy;
}

struct record tape_copy(struct arena *arena, const struct record *record)
{
    struct record copy = *record;

    copy.op_id = kept(arena, record->op_id);
    copy.parent_id = kept(arena, record->parent_id);
    copy.name = kept(arena, record->name);
    copy.sub_type = kept(arena, record->sub_type);
    copy.payload = kept(arena, record->payload);
    copy.error = kept(arena, record->error);
    copy.function = kept(arena, record->function);
    copy.tenant_id = kept(arena, record->tenant_id);
    copy.arn = kept(arena, record->arn);
    copy.parent_op = kept(arena, record->parent_op);
    copy.trace_id = kept(arena, record->trace_id);
    copy.on_success = kept(arena, record->on_success);
    copy.on_failure = kept(arena, record->on_failure);
    return copy;
}

void tape_add(struct tape *tape, const struct record *record)
{
    if (tape->count == tape->cap) {
        tape->cap = (tape->cap != 0) ? tape->cap * 2 : 32;
        tape->records = realloc(tape->records, tape->cap * sizeof *tape->records);
        if (tape->records == NULL) {
            abort();
        }
    }
    tape->records[tape->count++] = tape_copy(&tape->arena, record);
}

uint32_t tape_count(const struct tape *tape, enum record_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tape->count; i++) {
        count += (tape->records[i].kind == kind) ? 1 : 0;
    }
    return count;
}

const struct record *tape_last(const struct tape *tape, enum record_kind kind)
{
    for (uint32_t i = tape->count; i > 0; i--) {
        if (tape->records[i - 1].kind == kind) {
            return &tape->records[i - 1];
        }
    }
    return NULL;
}
