/* GetDurableExecution and GetDurableExecutionHistory: records as Lambda's JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/driver/request.h"
#include "engine/driver/state.h"

#define ITEMS_DEFAULT 100U
#define ITEMS_MAX 1000U
#define PAGE_BYTES_MAX ((size_t)5 << 20)
#define MARKER_KIND 'h'

static void put_text(struct buf *json, const char *key, struct bytes text)
{
    if (text.len > 0) {
        json_key(json, key);
        json_quoted(json, text);
    }
}

static void put_number(struct buf *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

void error_put_stack(struct buf *json, const char *key, const struct error_object *error)
{
    if (error->stack_count == 0) {
        return;
    }
    json_key(json, key);
    json_open(json, '[');
    for (size_t i = 0; i < error->stack_count; i++) {
        json_element(json);
        json_quoted(json, error->stack[i]);
    }
    json_close(json, ']');
}

void history_put_error_object(struct buf *json, struct bytes encoded)
{
    struct error_object error = {0};
    struct arena arena;

    arena_init(&arena, 0);
    (void)wire_get_error(&arena, encoded, &error);
    json_open(json, '{');
    put_text(json, "ErrorMessage", error.message);
    put_text(json, "ErrorType", error.type);
    put_text(json, "ErrorData", error.data);
    error_put_stack(json, "StackTrace", &error);
    json_close(json, '}');
    arena_fini(&arena);
}

static void put_payload(struct buf *json, const char *key, const struct record *record,
                        bool has_data)
{
    json_key(json, key);
    json_open(json, '{');
    if (record->has_payload && has_data) {
        json_key(json, "Payload");
        json_quoted(json, record->payload);
    }
    json_key(json, "Truncated");
    json_bool(json, false);
    json_close(json, '}');
}

static void put_error(struct buf *json, const struct record *record, bool has_data)
{
    json_key(json, "Error");
    json_open(json, '{');
    if (record->has_error && has_data) {
        json_key(json, "Payload");
        history_put_error_object(json, record->error);
    }
    json_key(json, "Truncated");
    json_bool(json, false);
    json_close(json, '}');
}

static void put_retry(struct buf *json, const struct record *record)
{
    json_key(json, "RetryDetails");
    json_open(json, '{');
    put_number(json, "CurrentAttempt", record->attempt);
    if (record->delay_s > 0) {
        put_number(json, "NextAttemptDelaySeconds", record->delay_s);
    }
    json_close(json, '}');
}

static void put_chained_start(struct buf *json, const struct record *record, bool has_data)
{
    put_text(json, "FunctionName", record->function);
    put_text(json, "TenantId", record->tenant_id);
    put_payload(json, "Input", record, has_data);
    if (record->arn.len > 0) { /* else there is no such target */
        json_key(json, "ExecutedVersion");
        json_quoted(json, arn_version(record->arn));
    }
    put_text(json, "DurableExecutionArn", record->arn);
}

static void put_invocation(struct buf *json, const struct record *record, bool has_data)
{
    char request_id[ID_TEXT_LEN + 1];

    id_format(&record->request_id, request_id);
    json_key(json, "StartTimestamp");
    json_seconds(json, record->start_ms);
    json_key(json, "EndTimestamp");
    json_seconds(json, record->time_ms);
    put_text(json, "RequestId", bytes_of_text(request_id));
    if (record->has_error) {
        put_error(json, record, has_data);
    } else {
        json_key(json, "Error");
        buf_append_text(json, "{}");
    }
}

static void put_callback_start(struct driver *driver, const struct id *exec_id, struct buf *json,
                               const struct record *record)
{
    char callback_id[TOKEN_TEXT_MAX];
    struct exec exec = {.id = *exec_id};

    callback_id_make(driver, &exec, record->op_id, callback_id);
    put_text(json, "CallbackId", bytes_of_text(callback_id));
    if (record->heartbeat_s > 0) {
        put_number(json, "HeartbeatTimeout", record->heartbeat_s);
    }
    if (record->timeout_s > 0) {
        put_number(json, "Timeout", record->timeout_s);
    }
}

static void put_details(struct driver *driver, const struct id *exec_id, struct buf *json,
                        const struct record *record, bool has_data)
{
    switch (record->kind) {
    case EXECUTION_STARTED:
        put_payload(json, "Input", record, has_data);
        put_number(json, "ExecutionTimeout", record->timeout_s);
        break;
    case EXECUTION_SUCCEEDED:
    case CONTEXT_SUCCEEDED:
    case CALLBACK_SUCCEEDED:
    case CHAINED_INVOKE_SUCCEEDED:
        put_payload(json, "Result", record, has_data);
        break;
    case STEP_SUCCEEDED:
        put_payload(json, "Result", record, has_data);
        put_retry(json, record);
        break;
    case STEP_FAILED:
        put_error(json, record, has_data);
        put_retry(json, record);
        break;
    case WAIT_STARTED:
        put_number(json, "Duration", record->delay_s);
        json_key(json, "ScheduledEndTimestamp");
        json_seconds(json, record->due_ms);
        break;
    case WAIT_SUCCEEDED:
        put_number(json, "Duration", record->delay_s);
        break;
    case CALLBACK_STARTED:
        put_callback_start(driver, exec_id, json, record);
        break;
    case CHAINED_INVOKE_STARTED:
        put_chained_start(json, record, has_data);
        break;
    case INVOCATION_COMPLETED:
        put_invocation(json, record, has_data);
        break;
    case CONTEXT_STARTED:
    case STEP_STARTED:
        break;
    default: /* the rest ends with an error, or was cancelled */
        if (record->kind != WAIT_CANCELLED || record->has_error) {
            put_error(json, record, has_data);
        }
        break;
    }
}

static void put_identity(struct buf *json, const struct id *exec_id, const struct record *record)
{
    char id[ID_TEXT_LEN + 1];

    if (record->kind == INVOCATION_COMPLETED) {
        return;
    }
    if (record->kind <= EXECUTION_TIMED_OUT) {
        id_format(exec_id, id);
        put_text(json, "Id", bytes_of_text(id));
    } else {
        put_text(json, "Id", record->op_id);
    }
    put_text(json, "Name", record->name);
    put_text(json, "SubType", record->sub_type);
    put_text(json, "ParentId", record->parent_id);
}

static void put_event(struct driver *driver, const struct id *exec_id, struct buf *json,
                      const struct record *record, bool has_data)
{
    char details[64];

    json_open(json, '{');
    json_key(json, "EventType");
    json_text(json, record_kind_text(record->kind));
    put_number(json, "EventId", (int64_t)record->event_id);
    json_key(json, "EventTimestamp");
    json_seconds(json, record->time_ms);
    put_identity(json, exec_id, record);
    (void)snprintf(details, sizeof details, "%sDetails", record_kind_text(record->kind));
    json_key(json, details);
    json_open(json, '{');
    put_details(driver, exec_id, json, record, has_data);
    json_close(json, '}');
    json_close(json, '}');
}

/* --- one page ------------------------------------------------------------------------- */

struct page {
    struct driver *driver;
    const struct id *exec_id;
    struct buf *json;
    uint64_t from; /* event ids of the page, both inclusive */
    uint64_t to;
    uint64_t last; /* put so far */
    bool has_data;
    size_t *places; /* where each event begins, to turn the page round */
    size_t count;
};

static int visit_event(void *arg, const struct record *record, uint64_t record_no)
{
    struct page *page = arg;

    (void)record_no;
    if (!record_is_event(record->kind) || record->event_id < page->from) {
        return 0;
    }
    if (record->event_id > page->to || (page->json->len > PAGE_BYTES_MAX && page->count > 0)) {
        return 1;
    }
    json_element(page->json);
    page->places[page->count++] = page->json->len;
    put_event(page->driver, page->exec_id, page->json, record, page->has_data);
    page->last = record->event_id;
    return 0;
}

/* The events stand in order from places[0] on; this writes them the other way. */
static void reverse_events(struct buf *json, const size_t *places, size_t count)
{
    struct buf turned = {0};
    size_t end = json->len;

    for (size_t i = count; i > 0; i--) {
        if (i < count) {
            buf_append(&turned, ",", 1);
        }
        buf_append(&turned, json->data + places[i - 1], end - places[i - 1]);
        end = places[i - 1] - 1; /* the comma */
    }
    if (count > 0 && !turned.failed) {
        json->len = places[0];
        buf_append(json, turned.data, turned.len);
    }
    buf_fini(&turned);
}

static bool parse_marker(const struct driver *driver, const struct id *exec_id, struct bytes marker,
                         uint64_t *ret_event)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len;

    if (!token_open(driver->keys, marker, fields, &len) || len != 1 + 16 + 8 ||
        fields[0] != MARKER_KIND || memcmp(fields + 1, exec_id->bytes, 16) != 0) {
        return false;
    }
    memcpy(ret_event, fields + 17, sizeof *ret_event);
    return true;
}

static void put_marker(const struct driver *driver, const struct id *exec_id, uint64_t event,
                       struct buf *json)
{
    uint8_t fields[25] = {MARKER_KIND};
    char text[TOKEN_TEXT_MAX];

    memcpy(fields + 1, exec_id->bytes, 16);
    memcpy(fields + 17, &event, sizeof event);
    token_make(driver->keys, bytes_of(fields, sizeof fields), text);
    put_text(json, "NextMarker", bytes_of_text(text));
}

static void set_range(struct page *page, const struct execution_request *request, uint64_t at,
                      uint64_t events)
{
    uint32_t max = (request->items_max > 0) ? request->items_max : ITEMS_DEFAULT;

    if (max > ITEMS_MAX) {
        max = ITEMS_MAX;
    }
    if (request->is_reverse) {
        page->to = (at != 0) ? at : events;
        page->from = (page->to > max) ? page->to - max + 1 : 1;
    } else {
        page->from = (at != 0) ? at : 1;
        page->to = page->from + max - 1;
    }
    if (page->to > events) {
        page->to = events;
    }
}

static void render_history(struct driver *driver, struct execution_request *request,
                           const struct execution_view *view)
{
    struct page page = {.driver = driver,
                        .exec_id = &view->id,
                        .json = &request->json,
                        .has_data = request->has_data};
    size_t places[ITEMS_MAX];
    uint64_t at = 0;
    int r;

    page.places = places;
    if (request->marker.len > 0 && !parse_marker(driver, &view->id, request->marker, &at)) {
        request_fail(request, 400, "InvalidParameterValueException", "The marker is invalid.");
        return;
    }
    set_range(&page, request, at, view->events);
    buf_append_text(&request->json, "{\"Events\":[");
    r = view_walk(driver, &view->id, visit_event, &page);
    if (r < 0 || request->json.failed) {
        buf_fini(&request->json);
        request_fail(request, 500, "ServiceException", core_damaged_message);
        return;
    }
    if (request->is_reverse) {
        reverse_events(&request->json, page.places, page.count);
    }
    buf_append_text(&request->json, "]");
    if (!request->is_reverse && page.last != 0 && page.last < view->events) {
        put_marker(driver, &view->id, page.last + 1, &request->json);
    } else if (request->is_reverse && page.from > 1 && page.count > 0) {
        put_marker(driver, &view->id, page.from - 1, &request->json);
    }
    json_close(&request->json, '}');
    request_answer(request);
}

void driver_get_history(struct driver *driver, struct execution_request *request)
{
    request_view(driver, request, render_history);
}

/* --- GetDurableExecution ------------------------------------------------------------------ */

struct ends {
    struct buf *json;
    uint64_t records; /* that are part of the answer */
};

static int visit_ends(void *arg, const struct record *record, uint64_t record_no)
{
    const struct ends *ends = arg;

    if (record_no > ends->records) {
        return 1;
    }
    if (record->kind == EXECUTION_STARTED && record->has_payload) {
        json_key(ends->json, "InputPayload");
        json_quoted(ends->json, record->payload);
    } else if (record->kind == EXECUTION_SUCCEEDED && record->has_payload) {
        json_key(ends->json, "Result");
        json_quoted(ends->json, record->payload);
    } else if (record->kind > EXECUTION_SUCCEEDED && record->kind <= EXECUTION_TIMED_OUT &&
               record->has_error) {
        json_key(ends->json, "Error");
        history_put_error_object(ends->json, record->error);
    }
    return 0;
}

static void put_config(struct buf *json, const struct execution_view *view)
{
    if (view->kind != EXEC_DURABLE) {
        return;
    }
    json_key(json, "DurableConfig");
    json_open(json, '{');
    put_number(json, "ExecutionTimeout", view->timeout_s);
    put_number(json, "RetentionPeriodInDays", view->retention_days);
    json_close(json, '}');
}

static void put_trace(struct buf *json, const struct execution_view *view)
{
    char trace[TRACE_TEXT_MAX];

    json_key(json, "TraceHeader");
    json_open(json, '{');
    put_text(json, "XAmznTraceId", trace_of(view->trace_id, &view->id, trace));
    json_close(json, '}');
}

static void put_head(struct buf *json, const struct execution_view *view)
{
    struct arena arena;

    arena_init(&arena, 0);
    put_text(json, "DurableExecutionArn", arn_make(&arena, view->function, view->name, &view->id));
    arena_fini(&arena);
    put_text(json, "DurableExecutionName", view->name);
    put_text(json, "FunctionArn", view->function);
    json_key(json, "Version");
    json_quoted(json, arn_version(view->function));
    json_key(json, "StartTimestamp");
    json_seconds(json, view->start_ms);
    json_key(json, "Status");
    json_text(json, exec_status_text(view->status));
    if (view->status > EXEC_RUNNING) {
        json_key(json, "EndTimestamp");
        json_seconds(json, view->end_ms);
    }
    if (view->is_held) {
        json_key(json, "PawlHeld");
        json_bool(json, true);
    }
}

static void render_execution(struct driver *driver, struct execution_request *request,
                             const struct execution_view *view)
{
    struct buf *json = &request->json;
    struct ends ends = {.json = json, .records = view->records};

    json_open(json, '{');
    put_head(json, view);
    put_config(json, view);
    put_trace(json, view);
    json_key(json, "ExecutionDataIncluded");
    json_bool(json, request->has_data);
    if (request->has_data && view_walk(driver, &view->id, visit_ends, &ends) < 0) {
        buf_fini(json);
        request_fail(request, 500, "ServiceException", core_damaged_message);
        return;
    }
    json_close(json, '}');
    request_answer(request);
}

void driver_get_execution(struct driver *driver, struct execution_request *request)
{
    request_view(driver, request, render_execution);
}
