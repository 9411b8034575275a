/* Lists of executions: Lambda's of one function, and Pawl's of all. */
#include <string.h>

#include "engine/driver/alias.h"
#include "engine/driver/function_name.h"
#include "invoke/execution_sort.h"
#include "invoke/routes.h"

#define PAGE_ITEMS_DEFAULT 100U
#define PAGE_ITEMS_MAX 1000U
#define STATUSES_MAX 10U

struct listing {
    struct call *call;
    struct list_request request;
};

static void on_answer(struct list_request *request)
{
    struct listing *listing = container_of(request, struct listing, request);

    if (request->failure.name != NULL) {
        call_fail_driver(listing->call, &request->failure);
    } else if (request->json.failed) {
        call_fail_memory(listing->call);
    } else {
        call_respond(listing->call, 200, "application/json", buf_bytes(&request->json));
    }
}

static void on_gone(void *user)
{
    struct listing *listing = user;

    driver_list_abandon(listing->call->service->driver, &listing->request);
    call_fail(listing->call, 408, "RequestTimeoutException", "The client has left.");
}

static struct listing *make_listing(struct call *call, const struct principal *principal)
{
    struct listing *listing = call_alloc(call, sizeof *listing);

    if (listing != NULL) {
        listing->call = call;
        listing->request.principal = principal;
        listing->request.cb = on_answer;
    }
    return listing;
}

static void ask(struct listing *listing)
{
    http_set_user(listing->call->request, listing, on_gone);
    driver_list(listing->call->service->driver, &listing->request);
}

/* `key` may be repeated. False: answered. */
static bool read_statuses(struct call *call, const char *key, uint32_t *ret_statuses)
{
    struct bytes value = http_query_value(call->request, key, 0);
    uint32_t statuses = 0;

    for (size_t n = 1; value.data != NULL; n++) {
        enum exec_status status = exec_status_parse(value);

        if (status == EXEC_STATUS_NONE || n > STATUSES_MAX) {
            call_fail(call, 400, "InvalidParameterValueException",
                      "%s must be up to %u of RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED.", key,
                      STATUSES_MAX);
            return false;
        }
        statuses |= 1U << status;
        value = http_query_value(call->request, key, n);
    }
    *ret_statuses = statuses;
    return true;
}

static bool read_page(struct listing *listing)
{
    return call_query_number(listing->call, "MaxItems", PAGE_ITEMS_MAX, PAGE_ITEMS_DEFAULT,
                             &listing->request.items_max) &&
           call_query(listing->call, "Marker", &listing->request.marker);
}

static bool check_name(struct call *call, struct bytes name)
{
    if (name.len == 0 || function_name_is_plain(name)) {
        return true;
    }
    call_fail(call, 400, "InvalidParameterValueException",
              "An execution's name must satisfy the pattern [a-zA-Z0-9-_]{1,64}.");
    return false;
}

/* Without a qualifier those of $LATEST, as Lambda does; of an alias both its versions. */
static void choose_versions(struct list_request *request, const struct function_revision *revision,
                            struct bytes qualifier)
{
    const struct function_revision *other = NULL;
    struct alias alias;

    request->versions[0] = bytes_of_text(revision->qualifier);
    if (qualifier.len > 0 && alias_find(revision->function, qualifier, &alias)) {
        other = function_version_find(revision->function, alias.other);
    }
    if (other != NULL) {
        request->versions[1] = bytes_of_text(other->qualifier);
    }
}

void route_list_by_function(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function_revision *revision = call_revision(call, 0, &qualifier);
    struct listing *listing = (revision != NULL) ? make_listing(call, principal) : NULL;
    struct list_request *request = (listing != NULL) ? &listing->request : NULL;

    if (listing == NULL) {
        return;
    }
    request->function = bytes_of_text(revision->function->name);
    request->kind = EXEC_DURABLE;
    choose_versions(request, revision, qualifier);
    if (call_query(call, "DurableExecutionName", &request->execution_name) &&
        check_name(call, request->execution_name) &&
        read_statuses(call, "Statuses", &request->statuses) &&
        call_query_moment(call, "StartedAfter", &request->started_after_ms) &&
        call_query_moment(call, "StartedBefore", &request->started_before_ms) &&
        call_query_flag(call, "ReverseOrder", false, &request->is_oldest_first) &&
        read_page(listing)) {
        ask(listing);
    }
}

/* --- GET /pawl/v1/executions -------------------------------------------------------------- */

static bool read_kind(struct listing *listing)
{
    struct bytes text;

    if (!call_query(listing->call, "Kind", &text)) {
        return false;
    }
    listing->request.kind = bytes_equal(text, bytes_of_text("event")) ? EXEC_EVENT : EXEC_DURABLE;
    if (listing->request.kind == EXEC_DURABLE && text.len > 0 &&
        !bytes_equal(text, bytes_of_text("durable"))) {
        call_fail(listing->call, 400, "InvalidParameterValueException",
                  "Kind must be durable or event.");
        return false;
    }
    return true;
}

/* Epoch milliseconds. */
static bool read_since(struct listing *listing)
{
    struct bytes text;
    int64_t since_ms = 0;

    if (!call_query(listing->call, "Since", &text)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || text.len > 15) {
            call_fail(listing->call, 400, "InvalidParameterValueException",
                      "Since must be epoch milliseconds.");
            return false;
        }
        since_ms = since_ms * 10 + (text.data[i] - '0');
    }
    listing->request.started_after_ms = since_ms;
    return true;
}

static bool read_function(struct listing *listing)
{
    struct call *call = listing->call;
    struct bytes text;
    struct bytes qualifier;

    if (!call_query(call, "Function", &text)) {
        return false;
    }
    if (text.len > 0) {
        text = call_function_name(call, text, &qualifier);
        if (text.data == NULL) {
            return false;
        }
    }
    listing->request.function = text;
    return true;
}

void route_list_executions(struct call *call, const struct principal *principal)
{
    struct listing *listing = make_listing(call, principal);
    struct bytes sort;
    bool is_reverse;

    if (listing == NULL) {
        return;
    }
    listing->request.is_pawl = true;
    if (!read_kind(listing) || !read_function(listing) || !read_since(listing) ||
        !read_statuses(call, "Status", &listing->request.statuses) ||
        !call_query_flag(call, "ReverseOrder", false, &is_reverse) ||
        !call_query(call, "Sort", &sort) || !read_page(listing)) {
        return;
    }
    if (sort.len > 0 && !bytes_equal(sort, bytes_of_text("start"))) {
        execution_sort(call, &listing->request, sort, is_reverse);
        return;
    }
    listing->request.is_oldest_first = is_reverse;
    ask(listing);
}
