#include "sdk/lib/retry.h"

#define ATTEMPTS_DEFAULT 6U
#define INITIAL_DELAY_S_DEFAULT 5U
#define MAX_DELAY_S_DEFAULT 60U
#define RATE_DEFAULT 2.0

const struct pawl_retry pawl_retry_none = {.max_attempts = 1};

static uint32_t clamp(double seconds)
{
    if (!(seconds >= 1)) {
        return 1;
    }
    return (seconds > OP_DELAY_S_MAX) ? OP_DELAY_S_MAX : (uint32_t)(seconds + 0.5);
}

uint32_t backoff_delay_s(const struct backoff *backoff, uint32_t attempt, uint64_t random)
{
    double delay = backoff->initial_delay_s;
    double max = backoff->max_delay_s;
    double part = (double)(random >> 11) / (double)(1ULL << 53); /* 0 .. 1 */

    for (uint32_t i = 1; i < attempt && delay < max; i++) {
        double next = delay * backoff->rate;

        if (!(next > delay)) {
            break; /* it no longer grows */
        }
        delay = next;
    }
    delay = (delay < max) ? delay : max;
    if (backoff->jitter == PAWL_JITTER_FULL) {
        delay *= part;
    } else if (backoff->jitter == PAWL_JITTER_HALF) {
        delay = delay / 2 + delay / 2 * part;
    }
    return clamp(delay);
}

static uint32_t or_default(uint32_t value, uint32_t other)
{
    return (value != 0) ? value : other;
}

bool retry_decide(const struct pawl_retry *retry, const struct pawl_error *error, uint32_t attempt,
                  uint64_t random, uint32_t *ret_delay_s)
{
    static const struct pawl_retry defaults;
    struct backoff backoff;

    retry = (retry != NULL) ? retry : &defaults;
    if (retry->decide != NULL) {
        uint32_t delay_s = 1;
        bool is_again = retry->decide(error, attempt, retry->arg, &delay_s);

        *ret_delay_s = clamp(delay_s);
        return is_again;
    }
    if (attempt >= or_default(retry->max_attempts, ATTEMPTS_DEFAULT) ||
        (retry->is_retryable != NULL && !retry->is_retryable(error, retry->arg))) {
        return false;
    }
    backoff = (struct backoff){
        .initial_delay_s = or_default(retry->initial_delay_s, INITIAL_DELAY_S_DEFAULT),
        .max_delay_s = or_default(retry->max_delay_s, MAX_DELAY_S_DEFAULT),
        .rate = (retry->backoff_rate != 0) ? retry->backoff_rate : RATE_DEFAULT,
        .jitter = retry->jitter,
    };
    *ret_delay_s = backoff_delay_s(&backoff, attempt, random);
    return true;
}
