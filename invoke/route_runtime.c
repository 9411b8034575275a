/* Runtimes, for who operates the daemon; and what functions may name. */
#include "invoke/member.h"
#include "invoke/routes.h"

/* A change under way; in the call's arena. */
struct change {
    struct call *call;
    const char *name;
    const char *directory; /* NULL: a removal */
};

static void put_runtime(struct buf *json, const char *name, const char *directory)
{
    json_open(json, '{');
    json_key(json, "Name");
    json_text(json, name);
    json_key(json, "Directory");
    json_text(json, directory);
}

static void on_changed(void *arg, int status)
{
    struct change *change = arg;
    struct call *call = change->call;

    if (status != 0) {
        call_fail(call, 500, "ServiceException",
                  "The daemon is ending: whether the change was made is known when it is back.");
    } else if (change->directory == NULL) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else {
        put_runtime(&call->out, change->name, change->directory);
        json_close(&call->out, '}');
        call_answer(call, 200);
    }
}

static void fail_change(const struct change *change, int code)
{
    struct call *call = change->call;

    switch (code) {
    case RUNTIMES_NOT_FOUND:
        call_fail(call, 404, "ResourceNotFoundException", "There is no runtime %s.", change->name);
        break;
    case RUNTIMES_BUSY:
        call_fail(call, 409, "ResourceConflictException",
                  "Another change of the runtimes is under way: try again.");
        break;
    case RUNTIMES_TOO_MANY:
        call_fail(call, 400, "InvalidParameterValueException",
                  "There are %u runtimes, and more are not allowed: remove one first.",
                  RUNTIMES_MAX);
        break;
    case RUNTIMES_FULL:
        call_fail_full(call);
        break;
    default:
        call_fail_change(call);
    }
}

static void begin(struct call *call, const char *name, const char *directory)
{
    struct change *change = call_alloc(call, sizeof *change);
    int r;

    if (change == NULL) {
        return;
    }
    *change = (struct change){.call = call, .name = name, .directory = directory};
    r = runtimes_change(driver_runtimes(call->service->driver), name, directory, change,
                        on_changed);
    if (r != 0) {
        fail_change(change, r);
    }
}

/* --- adding ----------------------------------------------------------------------------- */

/* The name in the path; NULL: answered. */
static const char *read_name(struct call *call)
{
    const char *name = (const char *)call->labels[0].data; /* a zero byte is behind it */

    if (!runtime_is_name(name)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The name of a runtime has lower-case letters, digits and dots, at most %u, as "
                  "in nodejs22.x.",
                  RUNTIME_NAME_MAX);
        return NULL;
    }
    if (runtime_is_own(name)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "%s is always there: its functions bring their own program.", name);
        return NULL;
    }
    return name;
}

void route_put_runtime(struct call *call, const struct principal *principal)
{
    const char *name = read_name(call);
    struct problem problem = {0};
    const char *directory = "";
    char why[RUNTIME_WHY_MAX];

    (void)principal;
    if (name == NULL || !call_read_json(call)) {
        return;
    }
    if (!member_text(call->json, "Directory", RUNTIME_DIRECTORY_MAX, &directory, &problem)) {
        call_fail_problem(call, &problem);
    } else if (!runtimes_check(driver_runtimes(call->service->driver), directory, why)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The Directory cannot be the runtime %s: %s.", name, why);
    } else {
        begin(call, name, directory);
    }
}

/* --- listing ---------------------------------------------------------------------------- */

void route_list_runtimes(struct call *call, const struct principal *principal)
{
    const struct runtimes *runtimes = driver_runtimes(call->service->driver);
    const struct runtime *runtime = runtimes_next(runtimes, "");
    struct buf *json = &call->out;
    char why[RUNTIME_WHY_MAX];

    (void)principal;
    json_open(json, '{');
    json_key(json, "Runtimes");
    json_open(json, '[');
    for (; runtime != NULL; runtime = runtimes_next(runtimes, runtime->name)) {
        json_element(json);
        put_runtime(json, runtime->name, runtime->directory);
        if (!runtimes_check(runtimes, runtime->directory, why)) {
            json_key(json, "Problem");
            json_text(json, why);
        }
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
    call_answer(call, 200);
}

/* --- removing --------------------------------------------------------------------------- */

/* Also by an older revision, if something still needs that. */
static bool uses(const struct function *function, const char *runtime)
{
    struct list *item;

    list_for_each (item, &function->revisions) {
        const struct function_revision *revision =
            container_of(item, struct function_revision, link);

        if ((revision == function->latest || revision->references > 0) &&
            strcmp(revision->config.runtime, runtime) == 0) {
            return true;
        }
    }
    return false;
}

static const struct function *find_user(const struct functions *functions, const char *runtime)
{
    const struct function *function = function_next(functions, bytes_of("", 0));

    while (function != NULL && !uses(function, runtime)) {
        function = function_next(functions, bytes_of_text(function->name));
    }
    return function;
}

void route_delete_runtime(struct call *call, const struct principal *principal)
{
    const char *name = read_name(call);
    const struct function *user;

    (void)principal;
    if (name == NULL) {
        return;
    }
    user = find_user(driver_functions(call->service->driver), name);
    if (user != NULL) {
        call_fail(call, 409, "ResourceConflictException",
                  "The function %s needs the runtime %s: delete it, or give it another runtime.",
                  user->name, name);
        return;
    }
    begin(call, name, NULL);
}

/* --- what functions may name --------------------------------------------------------------- */

static void append(struct buf *text, const char *part)
{
    buf_append(text, part, strlen(part));
}

bool runtime_check_named(struct call *call, const char *name, struct problem *problem)
{
    const struct runtimes *runtimes = driver_runtimes(call->service->driver);
    const struct runtime *runtime = NULL;
    struct buf known = {0};

    if (runtime_is_own(name) || runtimes_find(runtimes, name) != NULL) {
        return true;
    }
    append(&known, "provided.al2023, provided.al2");
    while ((runtime = runtimes_next(runtimes, (runtime != NULL) ? runtime->name : "")) != NULL) {
        append(&known, ", ");
        append(&known, runtime->name);
    }
    (void)problem_invalid(problem,
                          "Value '%s' at 'runtime' failed to satisfy constraint: Member must "
                          "satisfy enum value set: [%.*s]. The operator of this daemon adds a "
                          "runtime with: pawl runtime add %s DIR",
                          name, (int)((known.len < 512) ? known.len : 512),
                          known.failed ? "" : (const char *)known.data, name);
    buf_fini(&known);
    return false;
}
