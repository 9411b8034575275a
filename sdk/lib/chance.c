/* Time and chance that replay the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/prng.h"
#include "sdk/lib/context.h"

static int64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int look_at_clock(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    *ret_result = pawl_format(ctx, "%" PRId64, clock_ms());
    return PAWL_OK;
}

int pawl_now_ms(struct pawl_context *ctx, int64_t *ret_ms)
{
    struct pawl_value text;

    if (ctx->kind == CONTEXT_STEP || !ctx->inv->facts.is_durable) {
        *ret_ms = clock_ms();
        return PAWL_OK;
    }
    PAWL_TRY(pawl_step(ctx, "now", look_at_clock, NULL, NULL, &text));
    *ret_ms = (text.data != NULL) ? strtoll(text.data, NULL, 10) : 0;
    return PAWL_OK;
}

/* From the execution, the context and how many numbers it has drawn: none of them depends
 * on time or attempt. */
uint64_t pawl_random(struct pawl_context *ctx)
{
    const struct wire_invoke *facts = &ctx->inv->facts;
    struct bytes whole = facts->is_durable ? facts->execution_id : facts->request_id;
    uint64_t seed = table_hash(whole) ^ (table_hash(bytes_of_text(ctx->id)) << 1);
    struct prng prng = {seed};

    prng.state = prng_next(&prng) ^ ctx->chances++;
    return prng_next(&prng);
}

void pawl_uuid(struct pawl_context *ctx, char ret_text[37])
{
    uint64_t high = pawl_random(ctx);
    uint64_t low = pawl_random(ctx);

    high = (high & ~UINT64_C(0xF000)) | 0x4000;
    low = (low & UINT64_C(0x3FFFFFFFFFFFFFFF)) | UINT64_C(0x8000000000000000);
    (void)snprintf(ret_text, 37,
                   "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                   high >> 32, high >> 16 & UINT64_C(0xFFFF), high & UINT64_C(0xFFFF), low >> 48,
                   low & UINT64_C(0xFFFFFFFFFFFF));
}
