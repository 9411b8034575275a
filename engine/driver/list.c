/* Lists of executions, from the views: they are answered once the views hold all
 * that was committed when the request came. */
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define ITEMS_DEFAULT 100U
#define ITEMS_MAX 1000U
#define SCAN_MAX 20000U /* heads looked at for one page; the marker goes on from there */
#define MARKER_KIND 'l'

struct list_wait {
    struct list link; /* in driver->waits */
    struct driver *driver;
    struct list_request *request; /* NULL when the client is gone */
    struct journal_wait wait;
};

struct listing {
    struct driver *driver;
    struct list_request *request;
    struct arena arena;
    uint32_t max;
    uint32_t count;
    uint32_t scanned;
    bool is_more;
    int64_t last_start_ms;
    struct id last_id;
};

static void put_text(struct buf *json, const char *key, struct bytes text)
{
    json_key(json, key);
    json_quoted(json, text);
}

/* The name within a qualified ARN: its seventh part. */
static struct bytes name_in_arn(struct bytes arn)
{
    size_t from = 0;
    size_t to;

    for (int colons = 0; from < arn.len && colons < 6; from++) {
        colons += arn.data[from] == ':' ? 1 : 0;
    }
    for (to = from; to < arn.len && arn.data[to] != ':'; to++) {
    }
    return bytes_of(arn.data + from, to - from);
}

static void put_execution(struct listing *listing, const struct journal_head *head,
                          const struct title *title)
{
    struct buf *json = &listing->request->json;

    json_element(json);
    json_open(json, '{');
    put_text(json, "DurableExecutionArn",
             arn_make(&listing->arena, title->function, title->name, &head->exec_id));
    put_text(json, "DurableExecutionName", title->name);
    put_text(json, "FunctionArn", title->function);
    put_text(json, "Status", bytes_of_text(exec_status_text((enum exec_status)head->status)));
    json_key(json, "StartTimestamp");
    json_seconds(json, head->start_ms);
    if (head->end_ms != 0) {
        json_key(json, "EndTimestamp");
        json_seconds(json, head->end_ms);
    }
    if (listing->request->is_pawl) {
        put_text(json, "FunctionName", name_in_arn(title->function));
        put_text(json, "Kind", bytes_of_text(head->kind == EXEC_EVENT ? "event" : "durable"));
    }
    json_close(json, '}');
}

static bool is_version_wanted(const struct list_request *request, const struct title *title)
{
    struct bytes version = arn_version(title->function);

    return request->versions[0].len == 0 || bytes_equal(version, request->versions[0]) ||
           bytes_equal(version, request->versions[1]);
}

static bool is_wanted(struct listing *listing, const struct journal_head *head,
                      struct title *ret_title)
{
    const struct list_request *request = listing->request;
    uint8_t kind = (request->kind != 0) ? request->kind : EXEC_DURABLE;

    if (head->kind != kind || sealer_open_title(&listing->arena, listing->driver->keys,
                                                &head->exec_id, head->title, ret_title) != 0) {
        return false;
    }
    return is_version_wanted(request, ret_title) &&
           (request->execution_name.len == 0 ||
            bytes_equal(request->execution_name, ret_title->name));
}

static int visit_head(void *arg, const struct journal_head *head)
{
    struct listing *listing = arg;
    struct title title;

    if (listing->count >= listing->max || listing->scanned >= SCAN_MAX) {
        listing->is_more = true;
        return 1;
    }
    listing->scanned++;
    arena_reset(&listing->arena);
    if (is_wanted(listing, head, &title)) {
        put_execution(listing, head, &title);
        listing->count++;
    }
    listing->last_start_ms = head->start_ms;
    listing->last_id = head->exec_id;
    return 0;
}

static bool parse_marker(const struct driver *driver, struct bytes marker,
                         struct journal_list *list)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len;

    if (!token_open(driver->keys, marker, fields, &len) || len != 1 + 8 + 16 ||
        fields[0] != MARKER_KIND) {
        return false;
    }
    memcpy(&list->from_start_ms, fields + 1, 8);
    memcpy(list->from_exec_id.bytes, fields + 9, 16);
    return true;
}

static void put_marker(const struct listing *listing, struct buf *json)
{
    uint8_t fields[25] = {MARKER_KIND};
    char text[TOKEN_TEXT_MAX];

    memcpy(fields + 1, &listing->last_start_ms, 8);
    memcpy(fields + 9, listing->last_id.bytes, 16);
    token_make(listing->driver->keys, bytes_of(fields, sizeof fields), text);
    put_text(json, "NextMarker", bytes_of_text(text));
}

static void answer(struct list_request *request)
{
    struct list_wait *waiting = request->state;
    struct buf json;

    if (waiting != NULL) {
        list_remove(&waiting->link);
        mem_free(waiting);
        request->state = NULL;
    }
    json = request->json;
    request->cb(request); /* who may free it */
    buf_fini(&json);
}

static void fail(struct list_request *request, int status, const char *name, const char *message)
{
    request->failure =
        (struct driver_error){.http_status = status, .name = name, .message = message};
    answer(request);
}

static bool fill_list(struct driver *driver, struct list_request *request,
                      struct journal_list *list)
{
    struct reference reference;
    const struct function *function;
    char message[REFERENCE_NOT_FOUND_MAX];

    *list = (struct journal_list){.tenant = request->principal->tenant,
                                  .statuses = request->statuses,
                                  .started_after_ms = request->started_after_ms,
                                  .started_before_ms = request->started_before_ms,
                                  .is_oldest_first = request->is_oldest_first};
    if (request->marker.len > 0 && !parse_marker(driver, request->marker, list)) {
        fail(request, 400, "InvalidParameterValueException", "The marker is invalid.");
        return false;
    }
    if (request->function.len == 0) {
        return true;
    }
    if (!reference_parse(driver, request->function, request->principal->tenant, &reference)) {
        fail(request, 404, "ResourceNotFoundException",
             "Function not found: its name is malformed.");
        return false;
    }
    function = reference.is_foreign ? NULL : function_find(driver->functions, reference.name);
    if (function == NULL) {
        reference_not_found(driver, request->principal->tenant, &reference, message);
        fail(request, 404, "ResourceNotFoundException", message);
        return false;
    }
    list->function_id = function->id;
    return true;
}

static void render(struct driver *driver, struct list_request *request)
{
    struct listing listing = {.driver = driver, .request = request};
    struct journal_list list;
    int r;

    if (!fill_list(driver, request, &list)) {
        return;
    }
    listing.max = (request->items_max > 0) ? request->items_max : ITEMS_DEFAULT;
    if (listing.max > ITEMS_MAX) {
        listing.max = ITEMS_MAX;
    }
    arena_init(&listing.arena, 0);
    buf_append_text(&request->json,
                    request->is_pawl ? "{\"Executions\":[" : "{\"DurableExecutions\":[");
    r = journal_read_list(driver->journal, &list, visit_head, &listing);
    buf_append_text(&request->json, "]");
    if (listing.is_more) {
        put_marker(&listing, &request->json);
    }
    json_close(&request->json, '}');
    arena_fini(&listing.arena);
    if (r < 0) {
        buf_fini(&request->json);
        fail(request, 500, "ServiceException", "The list cannot be read.");
        return;
    }
    answer(request);
}

static void on_ready(struct journal_wait *wait)
{
    struct list_wait *waiting = container_of(wait, struct list_wait, wait);

    if (waiting->request == NULL) {
        list_remove(&waiting->link);
        mem_free(waiting);
        return;
    }
    render(waiting->driver, waiting->request);
}

void driver_list(struct driver *driver, struct list_request *request)
{
    struct list_wait *waiting = mem_calloc(1, sizeof *waiting);

    request->failure = (struct driver_error){0};
    request->json = (struct buf){0};
    request->state = waiting;
    if (waiting == NULL) {
        fail(request, 500, "ServiceException", "The daemon is out of memory.");
        return;
    }
    waiting->driver = driver;
    waiting->request = request;
    list_push_back(&driver->waits, &waiting->link);
    journal_wait_applied(driver->journal, &waiting->wait, journal_last_lsn(driver->journal),
                         on_ready);
}

void driver_list_abandon(struct driver *driver, struct list_request *request)
{
    struct list_wait *waiting = request->state;

    (void)driver;
    if (waiting != NULL) {
        waiting->request = NULL;
        request->state = NULL;
    }
}
