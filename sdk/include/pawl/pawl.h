/* Pawl: durable workflows in C.
 *
 * A workflow is an ordinary C function. What it does through the calls below is
 * written to a journal before the call returns, so after a crash, a deployment or a
 * year of waiting the function runs again from its top and every call that was
 * already done gives back its recorded result at once, until the first one that is
 * new. That is replay: it takes microseconds, and it is why a workflow may sleep for
 * a month without holding a process.
 *
 *     #include <pawl/pawl.h>
 *
 *     static int charge(struct pawl_context *ctx, void *arg, struct pawl_value *ret_receipt)
 *     {
 *         struct order *order = arg;
 *
 *         if (bank_charge(order->card, order->cents) != 0) {
 *             return pawl_fail(ctx, "Declined", "card %s", order->card);
 *         }
 *         *ret_receipt = pawl_format(ctx, "{\"cents\":%d}", order->cents);
 *         return 0;
 *     }
 *
 *     static int handler(struct pawl_context *ctx, struct pawl_value input,
 *                        struct pawl_value *ret_result)
 *     {
 *         struct order order = parse(input);
 *         struct pawl_value receipt;
 *
 *         PAWL_TRY(pawl_step(ctx, "charge", charge, &order, NULL, &receipt));
 *         PAWL_TRY(pawl_wait_s(ctx, "cooling-off", 14 * 86400));
 *         PAWL_TRY(pawl_step(ctx, "ship", ship, &order, NULL, NULL));
 *         *ret_result = receipt;
 *         return 0;
 *     }
 *
 *     int main(void)
 *     {
 *         return pawl_run(handler);
 *     }
 *
 * Three rules make it work:
 *
 * 1. Between durable calls be deterministic: given the same input and the same
 *    results, ask for the same calls in the same order. Side effects, clocks, files
 *    and randomness belong inside steps; or use pawl_now_ms(), pawl_random() and
 *    pawl_uuid(). A replay that asks for something else than what is recorded holds
 *    the execution with a readable difference, and nothing is lost.
 * 2. Pass up what a durable call returns when it is not 0. PAWL_TRY does it.
 * 3. A step may run again after a crash, unless it is PAWL_AT_MOST_ONCE.
 *
 * Everything is thread-compatible: a context belongs to the thread that was given it.
 * Texts and names are UTF-8, names of operations printable ASCII of at most 256
 * characters. */
#ifndef PAWL_PAWL_H
#define PAWL_PAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PAWL_PRINTF(text, args) __attribute__((format(printf, text, args)))
#define PAWL_MUST_CHECK __attribute__((warn_unused_result))
#define PAWL_API __attribute__((visibility("default")))
#else
#define PAWL_PRINTF(text, args)
#define PAWL_MUST_CHECK
#define PAWL_API
#endif

/* --- what calls return ---------------------------------------------------------- */

enum {
    PAWL_OK = 0,

    /* The operation has failed; pawl_error() says how. Pass it up to fail too, or go
     * on: it is caught. On replay the same error comes back. */
    PAWL_FAILED = -1,

    /* The invocation ends here: something is being waited for, or another attempt has
     * taken over. Release what you hold and pass it up. From then on every durable call
     * of this context returns PAWL_SUSPENDED at once, and whatever the function returns
     * counts as PAWL_SUSPENDED: it cannot be caught by mistake. */
    PAWL_SUSPENDED = -2,
};

/* Returns from the function around it with what `call` returned, unless that is 0. */
#define PAWL_TRY(call)                                                                             \
    do {                                                                                           \
        int pawl_try_r_ = (call);                                                                  \
        if (pawl_try_r_ != 0) {                                                                    \
            return pawl_try_r_;                                                                    \
        }                                                                                          \
    } while (0)

/* The same for functions that clean up: sets the variable `r` (an int that you have
 * declared) and goes to `label`. */
#define PAWL_TRY_OR(call, label)                                                                   \
    do {                                                                                           \
        r = (call);                                                                                \
        if (r != 0) {                                                                              \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

/* --- values ----------------------------------------------------------------------- */

/* A payload: input, result, state. By convention JSON text; Pawl stores the bytes as they
 * are. `data` is NULL when there is none (what JavaScript calls undefined), which is
 * not the same as the four bytes of JSON's null. What Pawl hands out ends with a zero
 * byte that `len` does not count, and lives until the invocation ends. */
struct pawl_value {
    const char *data;
    size_t len;
};

#define PAWL_ABSENT ((struct pawl_value){NULL, 0})

/* Borrows a text. NULL gives an absent value. */
PAWL_API struct pawl_value pawl_value(const char *text);

struct pawl_context; /* of the handler, a child, a branch or a step */

/* --- programs --------------------------------------------------------------------- */

/* A handler. `input` is the payload of the start of the execution (or, of a function
 * that is not durable, the payload of the invoke). `*ret_result` is absent unless set. */
typedef int pawl_handler_fn(struct pawl_context *ctx, struct pawl_value input,
                            struct pawl_value *ret_result);

struct pawl_handler {
    const char *name;
    pawl_handler_fn *fn;
};

/* Serves invocations until the daemon closes the connection, several at once, each in
 * a thread of its own. pawl_main() takes a table that ends with {NULL, NULL} and picks
 * the handler whose name is in the environment variable _HANDLER; a table of one needs
 * no name. Returns what main() should return. Started without Pawl it says on stderr
 * how to run it. */
PAWL_API int pawl_run(pawl_handler_fn *handler);
PAWL_API int pawl_main(const struct pawl_handler *handlers);

/* --- errors ----------------------------------------------------------------------- */

/* Texts are never NULL; empty where nothing was said. */
struct pawl_error {
    const char *type;    /* "Declined": what retry filters and callers look at */
    const char *message; /* for people */
    const char *data;    /* more, for programs; by convention JSON */
};

/* Fails the handler, child, branch or step: `return pawl_fail(ctx, "Type", "why %d", n);`
 * Always returns PAWL_FAILED. */
PAWL_API int pawl_fail(struct pawl_context *ctx, const char *type, const char *format, ...)
    PAWL_PRINTF(3, 4);

/* The same with all parts; `error` is copied. Also to fail again with a caught error. */
PAWL_API int pawl_fail_with(struct pawl_context *ctx, const struct pawl_error *error);

/* What the last call of this context that returned PAWL_FAILED said, also long after;
 * never NULL. An error keeps its type, message and data on its way up: a step's out of
 * its child context, a callback's as the one who failed it wrote it, a chained function's
 * as it ended. Types that Pawl itself makes:
 *
 *     StepInterruptedError     an at-most-once step whose attempt was cut off
 *     Callback.Timeout         no answer in time; Callback.Heartbeat: no heartbeat
 *     WaitForConditionError    more looks than allowed
 *     BatchError               a batch ended early without a failed item's error at hand
 *     Pawl.NotDurable, Pawl.Misuse, Pawl.Limit   the message says what to change
 */
PAWL_API const struct pawl_error *pawl_error(const struct pawl_context *ctx);

/* --- retries ---------------------------------------------------------------------- */

enum pawl_jitter {
    PAWL_JITTER_FULL, /* anything between 0 and the delay */
    PAWL_JITTER_NONE,
    PAWL_JITTER_HALF, /* between half the delay and the delay */
};

/* When a failed step runs again: after attempt n, in
 *     min(max_delay_s, initial_delay_s * backoff_rate ^ (n - 1))
 * seconds, jittered, at least 1. While it waits nothing runs. Members that are 0 have
 * the values that are written beside them. */
struct pawl_retry {
    uint32_t max_attempts;    /* 6, in all; 1: no retry */
    uint32_t initial_delay_s; /* 5 */
    uint32_t max_delay_s;     /* 60 */
    double backoff_rate;      /* 2.0 */
    enum pawl_jitter jitter;  /* PAWL_JITTER_FULL */

    /* Which errors are worth it; NULL: all. */
    bool (*is_retryable)(const struct pawl_error *error, void *arg);

    /* Decides instead of all of the above: true to try again in *ret_delay_s seconds.
     * `attempt` is the number of the attempt that failed, 1 for the first. */
    bool (*decide)(const struct pawl_error *error, uint32_t attempt, void *arg,
                   uint32_t *ret_delay_s);

    void *arg; /* of both functions */
};

PAWL_API extern const struct pawl_retry pawl_retry_none; /* one attempt */

/* --- steps ------------------------------------------------------------------------ */

/* A function that runs in a context of its own: a step, a child, a branch. */
typedef int pawl_fn(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result);

enum pawl_semantics {
    /* An attempt that a crash cut off runs again: make the side effect idempotent
     * (pawl_uuid() in the step gives every attempt the same key). */
    PAWL_AT_LEAST_ONCE,

    /* That it starts is durable before it runs. An attempt that was cut off has failed
     * with StepInterruptedError, and the retry strategy decides. */
    PAWL_AT_MOST_ONCE,
};

struct pawl_step_options {
    const struct pawl_retry *retry; /* NULL: the values of struct pawl_retry */
    enum pawl_semantics semantics;
};

/* Runs `fn` until it has succeeded once, and remembers its result (at most 256 KiB).
 * In `fn`: pawl_attempt(), pawl_log(), pawl_alloc() and the like; durable calls fail.
 * `name`, `options` and `ret_result` may be NULL, here and below. */
PAWL_API int pawl_step(struct pawl_context *ctx, const char *name, pawl_fn *fn, void *arg,
                       const struct pawl_step_options *options,
                       struct pawl_value *ret_result) PAWL_MUST_CHECK;

/* The attempt that runs in this step, 1 for the first; 0 outside of steps. */
PAWL_API uint32_t pawl_attempt(const struct pawl_context *ctx);

/* --- waiting ---------------------------------------------------------------------- */

/* 1 second to 366 days. Nothing runs and nothing is held meanwhile. */
PAWL_API int pawl_wait_s(struct pawl_context *ctx, const char *name,
                         uint32_t seconds) PAWL_MUST_CHECK;

/* Looks at the world until it is as wanted: sets *ret_is_done, and *ret_state to what
 * the next look should be given. */
typedef int pawl_check_fn(struct pawl_context *ctx, void *arg, struct pawl_value state,
                          struct pawl_value *ret_state, bool *ret_is_done);

struct pawl_condition_options {
    struct pawl_value initial_state; /* given to the first look */
    uint32_t max_attempts;           /* 60; then WaitForConditionError */
    uint32_t initial_delay_s;        /* 5 */
    uint32_t max_delay_s;            /* 300 */
    double backoff_rate;             /* 1.5 */
    enum pawl_jitter jitter;

    /* Decides the pause after look number `attempt` instead; NULL: by the above. */
    uint32_t (*delay_s)(struct pawl_value state, uint32_t attempt, void *arg);
};

/* Calls `check` with pauses between, as one operation; the result is the last state.
 * A check that fails fails the operation. */
PAWL_API int pawl_wait_for_condition(struct pawl_context *ctx, const char *name,
                                     pawl_check_fn *check, void *arg,
                                     const struct pawl_condition_options *options,
                                     struct pawl_value *ret_state) PAWL_MUST_CHECK;

/* --- callbacks -------------------------------------------------------------------- */

struct pawl_callback_options {
    uint32_t timeout_s;             /* 0: none */
    uint32_t heartbeat_s;           /* the longest silence; 0: none */
    const struct pawl_retry *retry; /* of the submitter of pawl_wait_for_callback() */
};

/* Something that the outside answers, by `id`, through the API or `pawl callback`. */
struct pawl_callback {
    const char *id;        /* give it away; valid until the invocation ends */
    const char *operation; /* Pawl's own */
};

PAWL_API int pawl_callback_create(struct pawl_context *ctx, const char *name,
                                  const struct pawl_callback_options *options,
                                  struct pawl_callback *ret_callback) PAWL_MUST_CHECK;

/* Waits for the answer: the bytes as they were sent, or PAWL_FAILED with the error that
 * was sent or the timeout. */
PAWL_API int pawl_callback_result(struct pawl_context *ctx, const struct pawl_callback *callback,
                                  struct pawl_value *ret_result) PAWL_MUST_CHECK;

/* Tells somebody the id; runs as a step. */
typedef int pawl_submit_fn(struct pawl_context *ctx, const char *callback_id, void *arg);

/* Creates a callback, has `submit` tell its id, and waits for the answer: the three as
 * one child context. */
PAWL_API int pawl_wait_for_callback(struct pawl_context *ctx, const char *name,
                                    pawl_submit_fn *submit, void *arg,
                                    const struct pawl_callback_options *options,
                                    struct pawl_value *ret_result) PAWL_MUST_CHECK;

/* --- other functions -------------------------------------------------------------- */

struct pawl_invoke_options {
    const char *tenant_id; /* for a function that is isolated by tenant */
    uint32_t timeout_s;    /* 0: none */
};

/* Runs another function, durable or not, and waits for its result. `function` is a name
 * or ARN, of a durable function with version, alias or $LATEST. Payloads up to 1 MiB. */
PAWL_API int pawl_invoke(struct pawl_context *ctx, const char *name, const char *function,
                         struct pawl_value payload, const struct pawl_invoke_options *options,
                         struct pawl_value *ret_result) PAWL_MUST_CHECK;

/* --- children --------------------------------------------------------------------- */

/* Runs `fn` in a context with a numbering of its own. When it has ended it counts as one
 * operation: a replay gives its result without running it. A result over 256 KiB is not
 * stored: then a replay runs `fn` again over the results of its operations, and so on
 * every replay. */
PAWL_API int pawl_child(struct pawl_context *ctx, const char *name, pawl_fn *fn, void *arg,
                        struct pawl_value *ret_result) PAWL_MUST_CHECK;

/* --- many at once ----------------------------------------------------------------- */

/* Branches run in threads: each has a context of its own, and what they share through
 * `arg` they must protect. All threads have returned when the call returns. A branch
 * that waits does not keep the others from running; when all of them wait, the
 * invocation ends and takes no resources. */
struct pawl_branch {
    const char *name; /* NULL: "parallel-branch-0", … */
    pawl_fn *fn;
    void *arg;
};

typedef int pawl_map_fn(struct pawl_context *ctx, struct pawl_value item, size_t index, void *arg,
                        struct pawl_value *ret_result);

/* With all three of the lower members 0 the first failure ends the batch. Otherwise those
 * that are not 0 hold. A batch that ends early starts no more items, and branches in
 * progress get PAWL_SUSPENDED from their next durable call. */
struct pawl_batch_options {
    uint32_t max_concurrency; /* 0, and at most: PAWL_BRANCHES_MAX at once */
    uint32_t min_successful;  /* so many successes are enough */
    uint32_t tolerated_failures;
    uint32_t tolerated_failure_percent; /* of all items, 1 .. 100 */

    /* Branches are no operations of their own: what they do stands in the history directly
     * under the batch, so a branch of one step writes two events, not four. Until the batch
     * has ended a replay runs all its branches again, over what they have recorded. */
    bool is_flat;
};

#define PAWL_BRANCHES_MAX 512U

enum pawl_item_status {
    PAWL_ITEM_STARTED, /* or not even that, when the batch ended */
    PAWL_ITEM_SUCCEEDED,
    PAWL_ITEM_FAILED,
};

struct pawl_item {
    enum pawl_item_status status;
    struct pawl_value result;
    struct pawl_error error;
};

enum pawl_completion {
    PAWL_ALL_COMPLETED,
    PAWL_MIN_SUCCESSFUL_REACHED,
    PAWL_FAILURE_TOLERANCE_EXCEEDED,
};

struct pawl_batch {
    const struct pawl_item *items; /* one for each branch or item, in their order */
    size_t count;
    size_t succeeded;
    size_t failed;
    enum pawl_completion completion;
};

/* Both return 0 also when items have failed: look into the batch, or call
 * pawl_batch_check(). With NULL for `ret_batch` a failed item fails the call. */
PAWL_API int pawl_parallel(struct pawl_context *ctx, const char *name,
                           const struct pawl_branch *branches, size_t count,
                           const struct pawl_batch_options *options,
                           struct pawl_batch *ret_batch) PAWL_MUST_CHECK;
PAWL_API int pawl_map(struct pawl_context *ctx, const char *name, const struct pawl_value *items,
                      size_t count, pawl_map_fn *fn, void *arg,
                      const struct pawl_batch_options *options,
                      struct pawl_batch *ret_batch) PAWL_MUST_CHECK;

/* 0, or PAWL_FAILED with the error of the first item that failed. */
PAWL_API int pawl_batch_check(struct pawl_context *ctx,
                              const struct pawl_batch *batch) PAWL_MUST_CHECK;

/* --- the invocation --------------------------------------------------------------- */

/* Texts are never NULL; empty where there is nothing. */
struct pawl_invocation {
    const char *request_id;
    const char *function_arn;
    const char *execution_arn;
    const char *tenant_id; /* of the invoke */
    const char *trace_id;
    const char *client_context;
    bool is_durable;
    uint32_t number;  /* of this invocation of the execution, from 1 */
    int64_t start_ms; /* when the execution started, epoch milliseconds */
};

PAWL_API const struct pawl_invocation *pawl_invocation(const struct pawl_context *ctx);

/* Until the function's timeout ends this invocation; the execution goes on after it. */
PAWL_API int64_t pawl_time_left_ms(const struct pawl_context *ctx);

/* True while what comes next has been done by an earlier invocation. */
PAWL_API bool pawl_is_replaying(const struct pawl_context *ctx);

/* Makes everything durable that was done so far, also that the step that runs has
 * started. Rarely needed: each result is durable before you see it. */
PAWL_API int pawl_checkpoint(struct pawl_context *ctx) PAWL_MUST_CHECK;

/* --- time and chance that replay the same ----------------------------------------- */

/* Epoch milliseconds. Outside of a step this is itself a step (named "now"): the first
 * answer is recorded. In a step it is just the clock. */
PAWL_API int pawl_now_ms(struct pawl_context *ctx, int64_t *ret_ms) PAWL_MUST_CHECK;

/* Numbers that follow from the execution's id and the place in it, so nothing needs to be
 * recorded: equal in every replay and in every attempt of a step, different everywhere
 * else. Not for secrets: who knows the id can compute them. */
PAWL_API uint64_t pawl_random(struct pawl_context *ctx);
PAWL_API void pawl_uuid(struct pawl_context *ctx, char ret_text[37]); /* version 4 form */

/* --- logging ---------------------------------------------------------------------- */

enum pawl_level { PAWL_DEBUG, PAWL_INFO, PAWL_WARN, PAWL_ERROR };

/* A line in the function's log, with the execution, operation and attempt it belongs to.
 * Silent during replay, so a workflow logs each thing once. stdout and stderr are yours. */
PAWL_API void pawl_log(struct pawl_context *ctx, enum pawl_level level, const char *format, ...)
    PAWL_PRINTF(3, 4);

#define pawl_debug(ctx, ...) pawl_log((ctx), PAWL_DEBUG, __VA_ARGS__)
#define pawl_info(ctx, ...) pawl_log((ctx), PAWL_INFO, __VA_ARGS__)
#define pawl_warn(ctx, ...) pawl_log((ctx), PAWL_WARN, __VA_ARGS__)
#define pawl_log_error(ctx, ...) pawl_log((ctx), PAWL_ERROR, __VA_ARGS__)

/* Whether this context and those made from it later log during replay too. */
PAWL_API void pawl_log_replays(struct pawl_context *ctx, bool is_wanted);

/* --- memory and clean-up ----------------------------------------------------------- */

/* Zeroed memory until the invocation ends. Never NULL: without memory the process ends
 * and the daemon runs the invocation again. */
PAWL_API void *pawl_alloc(struct pawl_context *ctx, size_t size);

/* Formatted texts in such memory. */
PAWL_API char *pawl_printf(struct pawl_context *ctx, const char *format, ...) PAWL_PRINTF(2, 3);
PAWL_API struct pawl_value pawl_format(struct pawl_context *ctx, const char *format, ...)
    PAWL_PRINTF(2, 3);

/* Calls fn(arg) when the function that was given `ctx` has returned, whatever it
 * returned; the last one first. */
PAWL_API void pawl_defer(struct pawl_context *ctx, void (*fn)(void *arg), void *arg);

/* A text as a JSON string, with its quotes: pawl_format(ctx, "{\"name\":%s}",
 * pawl_json_quote(ctx, name)). Bytes that are not UTF-8 become U+FFFD. */
PAWL_API char *pawl_json_quote(struct pawl_context *ctx, const char *text);

/* The text of a value that is a JSON string, or NULL when it is something else. */
PAWL_API char *pawl_json_unquote(struct pawl_context *ctx, struct pawl_value value);

#ifdef __cplusplus
}
#endif

#endif /* PAWL_PAWL_H */
