#include "invoke/guest.h"

#include <string.h>

#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "invoke/guest_parts.h"
#include "invoke/router.h"

#define RUNTIME "/2018-06-01/runtime"
#define BODY_BYTES ((uint64_t)16 << 20)
#define BODIES_BYTES_MAX ((uint64_t)256 << 20)
#define RESERVE_BYTES ((uint64_t)1 << 20) /* whatever its neighbours do */

/* --- answers -------------------------------------------------------------------------- */

void guest_refuse(struct http_request *request, int status, const char *type, const char *message)
{
    struct buf json = {0};

    json_open(&json, '{');
    json_key(&json, "errorMessage");
    json_text(&json, message);
    json_key(&json, "errorType");
    json_text(&json, type);
    json_close(&json, '}');
    http_respond(request, status, "application/json", buf_bytes(&json));
    buf_fini(&json);
}

void guest_accept(struct http_request *request)
{
    static const char text[] = "{\"status\":\"OK\"}\n";

    http_respond(request, 202, "application/json", bytes_of(text, sizeof text - 1));
}

/* --- runs ----------------------------------------------------------------------------- */

struct guest_run *guest_find_run(const struct guest *guest, struct bytes request_id)
{
    struct list *item;

    list_for_each (item, &guest->running) {
        struct guest_run *run = container_of(item, struct guest_run, link);

        if (bytes_equal(bytes_of_text(run->request_id), request_id)) {
            return run;
        }
    }
    return NULL;
}

void guest_end_run(struct guest *guest, struct guest_run *run, const struct guest_end *end)
{
    uint64_t number = run->number;

    list_remove(&run->link);
    mem_free(run);
    (void)guest_completes(guest->place, number, end);
}

static struct guest_run *find_number(const struct guest *guest, uint64_t number)
{
    struct list *item;

    list_for_each (item, &guest->running) {
        struct guest_run *run = container_of(item, struct guest_run, link);

        if (run->number == number) {
            return run;
        }
    }
    return NULL;
}

static void resume(void *arg, uint64_t number)
{
    struct guest_run *run = find_number(arg, number);

    if (run != NULL && run->response != NULL) {
        guest_response_resume(run->response);
    }
}

/* What still comes of its response is read, and dropped. */
static void forget(void *arg, uint64_t number)
{
    struct guest_run *run = find_number(arg, number);

    if (run == NULL) {
        return;
    }
    if (run->response != NULL) {
        guest_response_resume(run->response);
    }
    list_remove(&run->link);
    mem_free(run);
}

/* --- next ----------------------------------------------------------------------------- */

static void on_next_gone(void *user)
{
    struct guest_next *next = user;
    struct guest *guest = next->guest;
    bool is_counted = next->is_counted;

    list_remove(&next->link);
    guest_refuse(next->request, 500, "Runtime.Gone", "The runtime has left.");
    if (is_counted && !guest->is_closing) {
        guest_asks_no_more(guest->place);
    }
}

/* NULL: the connection went first. */
static struct guest_next *take_next(struct guest *guest)
{
    struct list *item;

    list_for_each (item, &guest->asking) {
        struct guest_next *next = container_of(item, struct guest_next, link);

        if (next->is_counted) {
            list_remove(&next->link);
            return next;
        }
    }
    return NULL;
}

static void invoke(void *arg, uint64_t number, const struct wire_invoke *what)
{
    struct guest *guest = arg;
    struct guest_next *next = take_next(guest);
    struct guest_run *run = (next != NULL) ? mem_calloc(1, sizeof *run) : NULL;

    if (run == NULL) {
        if (next != NULL) {
            guest_refuse(next->request, 500, "Runtime.OutOfMemory", "The daemon is out of memory.");
        }
        guest_loses(guest->place);
        return;
    }
    run->number = number;
    run->is_durable = what->is_durable;
    memcpy(run->request_id, what->request_id.data, ID_TEXT_LEN);
    list_push_back(&guest->running, &run->link);
    guest_give(guest, next->request, what);
}

static void take_question(struct guest *guest, struct http_request *request)
{
    struct guest_next *next = arena_alloc(http_arena(request), sizeof *next);

    if (next == NULL) {
        guest_refuse(request, 500, "Runtime.OutOfMemory", "The daemon is out of memory.");
        return;
    }
    next->guest = guest;
    next->request = request;
    next->is_counted = true;
    list_push_back(&guest->asking, &next->link);
    http_set_user(request, next, on_next_gone);
    if (!guest_asks(guest->place)) {
        next->is_counted = false; /* it gets nothing any more: its environment is ending */
    }
}

/* --- routes --------------------------------------------------------------------------- */

static bool is_path(struct http_request *request, const char *method, const char *pattern,
                    struct bytes labels[CALL_LABELS_MAX])
{
    return bytes_equal(http_method(request), bytes_of_text(method)) &&
           route_match(pattern, http_path(request), http_arena(request), labels);
}

static void
serve_invocation(struct guest *guest, struct http_request *request, struct bytes request_id,
                 void (*take)(struct guest *, struct http_request *, struct guest_run *))
{
    struct guest_run *run = guest_find_run(guest, request_id);

    if (run == NULL) {
        guest_refuse(request, 400, "InvalidRequestID", "Invalid request ID");
    } else {
        take(guest, request, run);
    }
}

static void serve_runtime(struct guest *guest, struct http_request *request)
{
    struct bytes labels[CALL_LABELS_MAX];

    if (is_path(request, "GET", RUNTIME "/invocation/next", labels)) {
        take_question(guest, request);
    } else if (is_path(request, "POST", RUNTIME "/invocation/{}/response", labels)) {
        serve_invocation(guest, request, labels[0], guest_take_response);
    } else if (is_path(request, "POST", RUNTIME "/invocation/{}/error", labels)) {
        serve_invocation(guest, request, labels[0], guest_take_error);
    } else if (is_path(request, "POST", RUNTIME "/init/error", labels)) {
        guest_take_init_error(guest, request);
    } else {
        guest_refuse(request, 404, "Runtime.UnknownPath",
                     "The Runtime API has no such call here: there are invocation/next, "
                     "invocation/{id}/response, invocation/{id}/error and init/error.");
    }
}

static bool begins_with(struct bytes text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static size_t admit(void *arg, struct http_request *request)
{
    struct bytes labels[CALL_LABELS_MAX];
    struct guest *guest = arg;

    if (!begins_with(http_path(request), RUNTIME "/")) {
        return router_admit_environment(guest->service, request);
    }
    if (is_path(request, "POST", RUNTIME "/invocation/{}/response", labels)) {
        http_stream_body(request);
        return SIZE_MAX;
    }
    return GUEST_RESPONSE_BYTES_MAX;
}

static void handle(void *arg, struct http_request *request)
{
    struct guest *guest = arg;
    struct bytes path = http_path(request);

    if (begins_with(path, RUNTIME "/")) {
        serve_runtime(guest, request);
    } else if (begins_with(path, "/2020-01-01/extension/")) {
        guest_refuse(request, 403, "Extension.NotSupported",
                     "Pawl does not run extensions: put what they do into the function, or "
                     "read `pawl logs`.");
    } else if (begins_with(path, "/2022-07-01/telemetry") ||
               begins_with(path, "/2020-08-15/logs")) {
        guest_refuse(request, 403, "Telemetry.NotSupported",
                     "Pawl has no telemetry API: `pawl logs` has what functions write.");
    } else {
        router_handle_environment(guest->service, request);
    }
}

/* --- beginning and end ---------------------------------------------------------------- */

/* What a function can make the daemon hold grows with what it may run at once: AWS's SDK has
 * up to 50 connections, and a checkpoint at most 15 MiB. */
static struct http_limits limits_of(struct service *service,
                                    const struct function_revision *revision)
{
    uint32_t concurrency = revision->config.concurrency + (revision->config.concurrency == 0);
    uint64_t bytes = (uint64_t)(concurrency + 1) * BODY_BYTES;

    bytes = (bytes < BODIES_BYTES_MAX) ? bytes : BODIES_BYTES_MAX;
    return (struct http_limits){.connections_max = 64 + 4 * concurrency,
                                .pipeline_max = 16,
                                .header_ms = 30000,
                                .buffered_bytes_max = bytes,
                                .unread_bytes_max = bytes,
                                .reserve_bytes = RESERVE_BYTES,
                                .budget = &service->guest_budget,
                                .trailer_bytes_max = 16384};
}

static void *open_guest(void *arg, struct place *place, int listener)
{
    const struct http_limits limits = limits_of(arg, guest_revision(place));
    struct guest *guest = mem_calloc(1, sizeof *guest);

    if (guest == NULL) {
        (void)close(listener);
        return NULL;
    }
    guest->service = arg;
    guest->place = place;
    list_init(&guest->asking);
    list_init(&guest->running);
    if (http_server_create(&guest->server, guest->service->loop, &limits, guest, admit, handle) !=
        0) {
        (void)close(listener);
        mem_free(guest);
        return NULL;
    }
    if (http_listen_fd(guest->server, listener) != 0) {
        log_warn("function %s: no Runtime API", guest_revision(place)->function->name);
    }
    return guest;
}

static void on_closed(void *arg)
{
    struct guest *guest = arg;
    struct place *place = guest->place;
    struct list *item;

    while ((item = list_pop_front(&guest->running)) != NULL) {
        mem_free(container_of(item, struct guest_run, link));
    }
    mem_free(guest);
    guest_on_closed(place);
}

/* Its program is dead: connections have nobody at their other end. */
static void close_guest(void *arg)
{
    struct guest *guest = arg;

    guest->is_closing = true;
    while (!list_is_empty(&guest->asking)) {
        struct guest_next *next = container_of(guest->asking.next, struct guest_next, link);

        list_remove(&next->link);
        guest_refuse(next->request, 500, "Runtime.Gone", "The environment has ended.");
    }
    http_server_close(guest->server, guest, on_closed);
    http_server_kill(guest->server);
}

struct guest_ops guest_door(struct service *service)
{
    return (struct guest_ops){.arg = service,
                              .open = open_guest,
                              .invoke = invoke,
                              .resume = resume,
                              .forget = forget,
                              .close = close_guest};
}
