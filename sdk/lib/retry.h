/* When something that did not succeed is tried again. */
#ifndef SDK_LIB_RETRY_H
#define SDK_LIB_RETRY_H

#include "sdk/lib/context.h"

struct backoff {
    uint32_t initial_delay_s;
    uint32_t max_delay_s;
    double rate;
    enum pawl_jitter jitter;
};

/* Seconds after attempt `attempt` (from 1), at least 1. */
uint32_t backoff_delay_s(const struct backoff *backoff, uint32_t attempt, uint64_t random);

/* Whether a step whose attempt failed with `error` runs again, and when. */
bool retry_decide(const struct pawl_retry *retry, const struct pawl_error *error, uint32_t attempt,
                  uint64_t random, uint32_t *ret_delay_s);

#endif /* SDK_LIB_RETRY_H */
