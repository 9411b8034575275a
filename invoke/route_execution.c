/* The durable execution APIs that are about one execution or one callback. */
#include "invoke/checkpoint_body.h"
#include "invoke/member.h"
#include "invoke/routes.h"
#include "invoke/update_body.h"

#define PAGE_ITEMS_DEFAULT 100U
#define PAGE_ITEMS_MAX 1000U
#define ARN_MAX 1024U
#define CALLBACK_ID_MAX 1024U

struct asking {
    struct call *call;
    struct execution_request request;
};

typedef void (*ask_driver)(struct driver *driver, struct execution_request *request);

/* --- the common way ------------------------------------------------------------------ */

/* The driver's JSON is the body; where it has none, the answer has no members. */
static void on_answer(struct execution_request *request)
{
    struct asking *asking = container_of(request, struct asking, request);
    struct call *call = asking->call;
    struct bytes body = (request->kept.len > 0) ? request->kept : buf_bytes(&request->json);

    if (request->failure.name != NULL) {
        call_fail_driver(call, &request->failure);
    } else if (request->json.failed) {
        call_fail_memory(call);
    } else {
        call_respond(call, 200, "application/json", (body.len > 0) ? body : bytes_of("{}", 2));
    }
}

static void on_gone(void *user)
{
    struct asking *asking = user;

    driver_abandon(asking->call->service->driver, &asking->request);
    call_fail(asking->call, 408, "RequestTimeoutException", "The client has left.");
}

static struct asking *make_asking(struct call *call, const struct principal *principal)
{
    struct asking *asking = call_alloc(call, sizeof *asking);

    if (asking != NULL) {
        asking->call = call;
        asking->request.principal = principal;
        asking->request.cb = on_answer;
    }
    return asking;
}

/* About the execution that the path names. */
static struct asking *begin(struct call *call, const struct principal *principal)
{
    struct asking *asking;

    if (call->labels[0].len > ARN_MAX) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "A durable execution's ARN has at most %u characters.", ARN_MAX);
        return NULL;
    }
    asking = make_asking(call, principal);
    if (asking != NULL) {
        asking->request.arn = call->labels[0];
    }
    return asking;
}

static void ask(struct asking *asking, ask_driver ask_it)
{
    http_set_user(asking->call->request, asking, on_gone);
    ask_it(asking->call->service->driver, &asking->request);
}

/* --- looking ---------------------------------------------------------------------------- */

static bool read_page(struct asking *asking, uint32_t otherwise)
{
    return call_query_number(asking->call, "MaxItems", PAGE_ITEMS_MAX, otherwise,
                             &asking->request.items_max) &&
           call_query(asking->call, "Marker", &asking->request.marker);
}

void route_get_execution(struct call *call, const struct principal *principal)
{
    struct asking *asking = begin(call, principal);

    if (asking != NULL &&
        call_query_flag(call, "IncludeExecutionData", true, &asking->request.has_data)) {
        ask(asking, driver_get_execution);
    }
}

void route_get_history(struct call *call, const struct principal *principal)
{
    struct asking *asking = begin(call, principal);

    if (asking != NULL &&
        call_query_flag(call, "IncludeExecutionData", true, &asking->request.has_data) &&
        call_query_flag(call, "ReverseOrder", false, &asking->request.is_reverse) &&
        read_page(asking, PAGE_ITEMS_DEFAULT)) {
        ask(asking, driver_get_history);
    }
}

/* --- checkpoints -------------------------------------------------------------------------- */

/* [A-Za-z0-9+/]+={0,2} */
static bool is_base64(struct bytes text, size_t max)
{
    size_t len = text.len;

    while (len > 0 && text.len - len < 2 && text.data[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t c = text.data[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '+' &&
            c != '/') {
            return false;
        }
    }
    return len > 0 && text.len <= max;
}

static bool check_token(struct asking *asking)
{
    if (!is_base64(asking->request.token, CHECKPOINT_TOKEN_MAX)) {
        call_fail(asking->call, 400, "InvalidParameterValueException",
                  "Invalid Checkpoint Token: it is not one of ours.");
        return false;
    }
    return true;
}

void route_get_state(struct call *call, const struct principal *principal)
{
    struct asking *asking = begin(call, principal);

    if (asking != NULL && call_query(call, "CheckpointToken", &asking->request.token) &&
        check_token(asking) && read_page(asking, PAGE_ITEMS_MAX)) {
        ask(asking, driver_get_state);
    }
}

/* False: answered. */
static bool read_checkpoint_tree(struct call *call, struct checkpoint_body *ret_body)
{
    struct problem problem = {0};

    if (!checkpoint_body_read_tree(call->json, http_arena(call->request), ret_body, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    return true;
}

/* One CheckpointToken and ClientToken again is a repetition, and gets the same answer. */
void route_checkpoint(struct call *call, const struct principal *principal)
{
    struct arena *arena = http_arena(call->request);
    struct checkpoint_body body;
    struct asking *asking;
    bool is_read = checkpoint_body_read(http_body(call->request), arena, &body);

    if (!is_read && !call_read_json(call)) {
        return;
    }
    asking = begin(call, principal);
    if (asking == NULL) {
        return;
    }
    if (!is_read && !read_checkpoint_tree(call, &body)) {
        return;
    }
    asking->request.token = body.token;
    asking->request.client_token = body.client_token;
    asking->request.updates = body.updates;
    asking->request.update_count = body.update_count;
    if (check_token(asking)) {
        ask(asking, driver_checkpoint);
    }
}

/* --- ends ------------------------------------------------------------------------------------ */

static void on_stopped(struct execution_request *request)
{
    struct asking *asking = container_of(request, struct asking, request);
    struct call *call = asking->call;

    if (request->failure.name != NULL) {
        call_fail_driver(call, &request->failure);
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "StopTimestamp");
    json_seconds(&call->out, request->time_ms);
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* The body is the ErrorObject. False: answered. */
static bool read_error(struct asking *asking)
{
    struct call *call = asking->call;
    struct problem problem = {0};

    if (!error_body_read(call->json, http_arena(call->request), &asking->request.error, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    return true;
}

void route_stop(struct call *call, const struct principal *principal)
{
    struct asking *asking;

    if (!call_read_json(call)) {
        return;
    }
    asking = begin(call, principal);
    if (asking != NULL && read_error(asking)) {
        asking->request.cb = on_stopped;
        ask(asking, driver_stop);
    }
}

void route_redrive(struct call *call, const struct principal *principal)
{
    struct asking *asking = begin(call, principal);

    if (asking != NULL) {
        ask(asking, driver_redrive);
    }
}

static struct asking *begin_callback(struct call *call, const struct principal *principal)
{
    struct asking *asking;

    if (!is_base64(call->labels[0], CALLBACK_ID_MAX)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value at 'callbackId' failed to satisfy "
                  "constraint: Member must satisfy regular expression pattern: "
                  "[A-Za-z0-9+/]+={0,2}");
        return NULL;
    }
    asking = make_asking(call, principal);
    if (asking != NULL) {
        asking->request.callback_id = call->labels[0];
    }
    return asking;
}

/* The result is any bytes: it becomes a text inside answers, so it must be UTF-8, and
 * an SDK that reads it as JSON expects JSON; that is between the two. */
void route_callback_succeed(struct call *call, const struct principal *principal)
{
    struct asking *asking = begin_callback(call, principal);
    struct bytes body = http_body(call->request);

    if (asking != NULL) {
        asking->request.payload = (body.len > 0) ? body : (struct bytes){0};
        ask(asking, driver_callback_succeed);
    }
}

void route_callback_fail(struct call *call, const struct principal *principal)
{
    struct asking *asking;

    if (!call_read_json(call)) {
        return;
    }
    asking = begin_callback(call, principal);
    if (asking != NULL && read_error(asking)) {
        ask(asking, driver_callback_fail);
    }
}

void route_callback_heartbeat(struct call *call, const struct principal *principal)
{
    struct asking *asking = begin_callback(call, principal);

    if (asking != NULL) {
        ask(asking, driver_callback_heartbeat);
    }
}
