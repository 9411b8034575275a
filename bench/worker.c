/* The functions that are measured. Which one is decided by _HANDLER:
 *
 *     echo      the input is the answer; nothing is durable
 *     chain     STEPS steps, each with a random result of STEP_BYTES
 *     sleeper   a step, a wait, the end
 *     hold      a step, then one that takes its time: an execution that stays hot
 *
 * The input of the latter two begins with a number, as in "30 …": seconds, or for
 * sleeper also the epoch second at which to wake, so that many wake at once. */
#include <stdlib.h>
#include <time.h>

#include <pawl/pawl.h>

#define STEPS 10
#define STEP_BYTES 100      /* of JSON: the quotes are among them */
#define EPOCH_S 1000000000U /* what is more is a date */

/* SplitMix64: what is stored must not compress, and should cost nothing. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_text(uint64_t seed, char *ret_text, size_t len)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    uint64_t bits = 0;

    for (size_t i = 0; i < len; i++) {
        bits = (i % 10 == 0) ? next_random(&seed) : bits >> 6;
        ret_text[i] = letters[bits & 63];
    }
}

static int random_step(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    char *text = pawl_alloc(ctx, STEP_BYTES);

    (void)arg;
    text[0] = '"';
    fill_text(pawl_random(ctx), text + 1, STEP_BYTES - 2);
    text[STEP_BYTES - 1] = '"';
    *ret_result = (struct pawl_value){text, STEP_BYTES};
    return PAWL_OK;
}

static int echo(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret_result)
{
    (void)ctx;
    *ret_result = input;
    return PAWL_OK;
}

static int chain(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret_result)
{
    (void)input;
    for (int i = 0; i < STEPS; i++) {
        PAWL_TRY(pawl_step(ctx, "link", random_step, NULL, NULL, ret_result));
    }
    return PAWL_OK;
}

static uint32_t input_number(struct pawl_value input)
{
    return (input.len > 1) ? (uint32_t)strtoul(input.data + 1, NULL, 10) : 0;
}

/* How long to wait, decided once: the answer is recorded. */
static int choose_seconds(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    uint32_t number = *(const uint32_t *)arg;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (number >= EPOCH_S) {
        number = ((int64_t)number > now.tv_sec) ? (uint32_t)(number - now.tv_sec) : 1;
    }
    *ret_result = pawl_format(ctx, "%u", (number > 0) ? number : 1);
    return PAWL_OK;
}

static int sleeper(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret_result)
{
    uint32_t number = input_number(input);
    struct pawl_value chosen;

    PAWL_TRY(pawl_step(ctx, "choose", choose_seconds, &number, NULL, &chosen));
    PAWL_TRY(pawl_wait_s(ctx, "sleep", (uint32_t)strtoul(chosen.data, NULL, 10)));
    *ret_result = chosen;
    return PAWL_OK;
}

static int take_time(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct timespec left = {.tv_sec = *(const uint32_t *)arg};

    (void)ctx;
    while (nanosleep(&left, &left) != 0) {
    }
    *ret_result = pawl_value("true");
    return PAWL_OK;
}

static int hold(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret_result)
{
    uint32_t number = input_number(input);

    PAWL_TRY(pawl_step(ctx, "begin", random_step, NULL, NULL, ret_result));
    return pawl_step(ctx, "hold", take_time, &number, NULL, ret_result);
}

int main(void)
{
    static const struct pawl_handler handlers[] = {
        {"echo", echo}, {"chain", chain}, {"sleeper", sleeper}, {"hold", hold}, {NULL, NULL}};

    return pawl_main(handlers);
}
