/* The functions that run in the storm. Which one is decided by _HANDLER:
 *
 *     storm-flow, storm-sub   a workflow after the plan in its input, a letter an operation
 *     storm-event             an ordinary function that notes that it ran
 *
 *     s  step, at least once          w  wait of one second
 *     a  step, at most once           c  callback, completed by a client
 *     r  step whose first attempt     i  chained invoke of storm-sub
 *        fails                        x  child with a step, a wait and a step
 *
 * Everything that runs says so in the ledger and goes on when the ledger has it on disk.
 * A step answers a number of its own making, so which run's result was kept can be seen. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pawl/pawl.h>

#define LINE_MAX_BYTES 4096
#define PLAN_MAX 64

/* --- the ledger --------------------------------------------------------------------- */

static pthread_mutex_t ledger_lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *ledger; /* NULL until first used */

/* Without the ledger nothing here may run: what ran would not be known. */
static _Noreturn void die(const char *what)
{
    fprintf(stderr, "storm worker: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static FILE *ledger_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("STORM_LEDGER");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *file;

    if (path == NULL || strlen(path) >= sizeof(address.sun_path)) {
        die("STORM_LEDGER");
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        die(path);
    }
    file = fdopen(fd, "r+");
    if (file == NULL) {
        die("fdopen");
    }
    return file;
}

struct note {
    const char *kind;
    const char *arn;
    const char *op;
    uint32_t attempt;
    const char *invocation;
    const char *extra;
};

static const char *field(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : "-";
}

static void ledger_write(const struct note *note)
{
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof(line), "%s\t%s\t%s\t%" PRIu32 "\t%s\t%s\n", note->kind,
                       field(note->arn), field(note->op), note->attempt, field(note->invocation),
                       field(note->extra));

    if (len < 0 || (size_t)len >= sizeof(line)) {
        errno = E2BIG;
        die("note");
    }
    pthread_mutex_lock(&ledger_lock);
    if (ledger == NULL) {
        ledger = ledger_connect();
    }
    if (write(fileno(ledger), line, (size_t)len) != len ||
        fgets(line, sizeof(line), ledger) == NULL || strcmp(line, "ok\n") != 0) {
        die("the ledger does not answer");
    }
    pthread_mutex_unlock(&ledger_lock);
}

/* --- a workflow ----------------------------------------------------------------------- */

struct flow {
    const char *arn;
    const char *invocation;
    char *steps; /* members of the result so far */
};

static void flow_note(const struct flow *flow, const char *kind, const char *op, const char *extra)
{
    struct note note = {
        .kind = kind, .arn = flow->arn, .op = op, .invocation = flow->invocation, .extra = extra};

    ledger_write(&note);
}

struct work {
    const struct flow *flow;
    const char *name;
    const char *mode; /* "least" or "once" */
    bool fails_first;
};

static void work_note(const struct work *work, struct pawl_context *ctx, const char *kind,
                      const char *extra)
{
    struct note note = {.kind = kind,
                        .arn = work->flow->arn,
                        .op = work->name,
                        .attempt = pawl_attempt(ctx),
                        .invocation = work->flow->invocation,
                        .extra = extra};

    ledger_write(&note);
}

static int work_run(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct work *work = arg;
    uint64_t number = 0;
    char *text;

    work_note(work, ctx, "start", work->mode);
    if (work->fails_first && pawl_attempt(ctx) == 1) {
        work_note(work, ctx, "done", "fail");
        return pawl_fail(ctx, "Planned", "the first attempt fails");
    }
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        die("getrandom");
    }
    text = pawl_printf(ctx, "%016" PRIx64, number);
    work_note(work, ctx, "done", text);
    *ret_result = pawl_format(ctx, "\"%s\"", text);
    return 0;
}

static int do_step(struct pawl_context *ctx, struct flow *flow, const char *name, char letter,
                   struct pawl_value *ret_result)
{
    static const struct pawl_retry retry = {
        .max_attempts = 1000, .initial_delay_s = 1, .max_delay_s = 1, .jitter = PAWL_JITTER_NONE};
    bool is_once = letter == 'a';
    struct pawl_step_options options = {
        .retry = &retry, .semantics = is_once ? PAWL_AT_MOST_ONCE : PAWL_AT_LEAST_ONCE};
    struct work work = {.flow = flow,
                        .name = name,
                        .mode = is_once ? "once" : "least",
                        .fails_first = letter == 'r'};

    return pawl_step(ctx, name, work_run, &work, &options, ret_result);
}

static int do_top_step(struct pawl_context *ctx, struct flow *flow, const char *name, char letter)
{
    struct pawl_value result;

    PAWL_TRY(do_step(ctx, flow, name, letter, &result));
    flow->steps = pawl_printf(ctx, "%s%s\"%s\":%s", flow->steps, flow->steps[0] == '\0' ? "" : ",",
                              name, result.data);
    return 0;
}

static int do_wait(struct pawl_context *ctx, const struct flow *flow, const char *name)
{
    flow_note(flow, "before", name, "1");
    PAWL_TRY(pawl_wait_s(ctx, name, 1));
    flow_note(flow, "after", name, "1");
    return 0;
}

static int do_callback(struct pawl_context *ctx, const struct flow *flow, const char *name)
{
    struct pawl_callback callback;

    PAWL_TRY(pawl_callback_create(ctx, name, NULL, &callback));
    flow_note(flow, "callback", name, callback.id);
    return pawl_callback_result(ctx, &callback, NULL);
}

struct child {
    struct flow *flow;
    const char *name;
};

static int child_run(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct child *child = arg;
    const char *name = child->name;

    PAWL_TRY(do_step(ctx, child->flow, pawl_printf(ctx, "%s.s", name), 's', ret_result));
    PAWL_TRY(do_wait(ctx, child->flow, pawl_printf(ctx, "%s.w", name)));
    return do_step(ctx, child->flow, pawl_printf(ctx, "%s.a", name), 'a', NULL);
}

static int do_child(struct pawl_context *ctx, struct flow *flow, const char *name)
{
    struct child child = {.flow = flow, .name = name};

    return pawl_child(ctx, name, child_run, &child, NULL);
}

static int do_invoke(struct pawl_context *ctx, const char *name)
{
    return pawl_invoke(ctx, name, getenv("STORM_SUB"), pawl_value("{\"plan\":\"sas\"}"), NULL,
                       NULL);
}

static int do_operation(struct pawl_context *ctx, struct flow *flow, char letter, size_t i)
{
    const char *name = pawl_printf(ctx, "%c%zu", letter, i);

    switch (letter) {
    case 's':
    case 'a':
    case 'r':
        return do_top_step(ctx, flow, name, letter);
    case 'w':
        return do_wait(ctx, flow, name);
    case 'c':
        return do_callback(ctx, flow, name);
    case 'i':
        return do_invoke(ctx, name);
    case 'x':
        return do_child(ctx, flow, name);
    default:
        return pawl_fail(ctx, "Plan", "no operation '%c'", letter);
    }
}

static const char *read_member(struct pawl_context *ctx, struct pawl_value input, const char *name)
{
    json_t *json = json_loadb(input.data, input.len, 0, NULL);
    const char *text = json_string_value(json_object_get(json, name));
    const char *copy = pawl_printf(ctx, "%s", text != NULL ? text : "");

    json_decref(json);
    return copy;
}

static int run_plan(struct pawl_context *ctx, struct flow *flow, const char *plan,
                    struct pawl_value *ret_result)
{
    for (size_t i = 0; plan[i] != '\0' && i < PLAN_MAX; i++) {
        PAWL_TRY(do_operation(ctx, flow, plan[i], i));
    }
    *ret_result = pawl_format(ctx, "{\"steps\":{%s}}", flow->steps);
    return 0;
}

static int flow_handler(struct pawl_context *ctx, struct pawl_value input,
                        struct pawl_value *ret_result)
{
    const struct pawl_invocation *invocation = pawl_invocation(ctx);
    struct flow flow = {.arn = invocation->execution_arn, .steps = pawl_printf(ctx, "%s", "")};
    int r;

    flow.invocation = pawl_printf(ctx, "%s#%" PRIu32, invocation->request_id, invocation->number);
    flow_note(&flow, "enter", NULL, NULL);
    r = run_plan(ctx, &flow, read_member(ctx, input, "plan"), ret_result);
    flow_note(&flow, "leave", NULL, NULL);
    return r;
}

static int event_handler(struct pawl_context *ctx, struct pawl_value input,
                         struct pawl_value *ret_result)
{
    struct note note = {.kind = "event", .op = read_member(ctx, input, "event")};

    (void)ret_result;
    ledger_write(&note);
    return 0;
}

int main(void)
{
    static const struct pawl_handler handlers[] = {
        {"storm-flow", flow_handler},
        {"storm-sub", flow_handler},
        {"storm-event", event_handler},
        {NULL, NULL},
    };

    return pawl_main(handlers);
}
