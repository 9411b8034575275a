/* X-Amzn-Trace-Id: Root=1-<8 hex: seconds>-<24 hex>;Parent=<16 hex>;Sampled=0 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/driver/lineage.h"
#include "engine/driver/state.h"

/* An id begins with its time in milliseconds, 48 bits. */
static uint32_t seconds_of(const struct id *id)
{
    uint64_t time_ms = 0;

    for (int i = 0; i < 6; i++) {
        time_ms = time_ms << 8 | id->bytes[i];
    }
    return (uint32_t)(time_ms / 1000);
}

struct bytes trace_of(struct bytes given, const struct id *id, char text[TRACE_TEXT_MAX])
{
    int len;

    if (given.len > 0) {
        return given;
    }
    len = snprintf(text, TRACE_TEXT_MAX, "Root=1-%08" PRIx32 "-", seconds_of(id));
    for (size_t i = 4; i < sizeof id->bytes; i++) {
        len += snprintf(text + len, TRACE_TEXT_MAX - (size_t)len, "%02x", id->bytes[i]);
    }
    len += snprintf(text + len, TRACE_TEXT_MAX - (size_t)len, ";Parent=%016" PRIx64 ";Sampled=0",
                    id_hash(id));
    return bytes_of(text, (size_t)len);
}

struct bytes trace_of_run(struct arena *arena, struct bytes given, const struct id *id,
                          const struct id *function_id)
{
    char text[TRACE_TEXT_MAX];

    return lineage_extend(arena, function_id, trace_of(given, id, text));
}

bool trace_is_loop(const struct exec *caller, const struct function *called)
{
    struct arena arena;
    bool is_loop;

    arena_init(&arena, 0);
    is_loop = lineage_is_loop(
        called, trace_of_run(&arena, caller->trace_id, &caller->id, &caller->function_id));
    arena_fini(&arena);
    return is_loop;
}
