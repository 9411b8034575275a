#include "invoke/execution_sort.h"

#include <inttypes.h>
#include <stdlib.h>

#include "invoke/moment.h"

#define PAGE_ITEMS 1000U
#define PAGES_MAX 200U

enum sort_key { SORT_END, SORT_STATUS, SORT_NAME, SORT_DURATION };

struct row {
    double number; /* of an end or a duration */
    const char *text;
    const char *arn; /* so that the order is the same on every page */
    json_t *json;
};

/* A request of its own for each page: the driver is not done with one when it says
 * what the page holds. */
struct page {
    struct list_request request;
    struct sorting *sorting;
};

struct sorting {
    struct call *call;
    struct list_request filter;
    struct page *page; /* being read */
    uint32_t page_count;
    enum sort_key key;
    bool is_reverse;
    uint32_t items_max;
    uint32_t skip; /* from the client's marker: how many it has */
    json_t *all;   /* array of what was read */
    double now_s;  /* what still runs ends now */
    struct buf marker;
};

/* --- comparing --------------------------------------------------------------------------- */

static const char *text_of(const json_t *execution, const char *key)
{
    const char *text = json_string_value(json_object_get(execution, key));

    return (text != NULL) ? text : "";
}

static struct row make_row(const struct sorting *sorting, json_t *execution)
{
    const json_t *end = json_object_get(execution, "EndTimestamp");
    double end_s = json_is_number(end) ? json_number_value(end) : sorting->now_s;
    struct row row = {
        .json = execution, .text = "", .arn = text_of(execution, "DurableExecutionArn")};

    switch (sorting->key) {
    case SORT_END:
        row.number = -end_s;
        break;
    case SORT_DURATION:
        row.number = json_number_value(json_object_get(execution, "StartTimestamp")) - end_s;
        break;
    case SORT_STATUS:
        row.text = text_of(execution, "Status");
        break;
    case SORT_NAME:
        row.text = text_of(execution, "DurableExecutionName");
        break;
    }
    return row;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order = strcmp(a->text, b->text);

    if (order == 0) {
        order = (a->number > b->number) - (a->number < b->number);
    }
    return (order != 0) ? order : strcmp(a->arn, b->arn);
}

/* --- the answer ---------------------------------------------------------------------------- */

static int append_piece(const char *piece, size_t size, void *data)
{
    buf_append(data, piece, size);
    return 0;
}

static void write_rows(struct sorting *sorting, const struct row *rows, size_t count)
{
    struct buf *out = &sorting->call->out;
    size_t end = sorting->skip + (size_t)sorting->items_max;

    json_open(out, '{');
    json_key(out, "Executions");
    json_open(out, '[');
    for (size_t i = sorting->skip; i < end && i < count; i++) {
        const struct row *row = &rows[sorting->is_reverse ? count - 1 - i : i];

        json_element(out);
        if (json_dump_callback(row->json, append_piece, out, JSON_COMPACT) != 0) {
            out->failed = true;
        }
    }
    json_close(out, ']');
    if (end < count) {
        json_key(out, "NextMarker");
        buf_printf(out, "\"%zu\"", end);
    }
    json_close(out, '}');
}

/* The call owns none of this: it is released before the call is answered. */
static void release(struct sorting *sorting)
{
    json_decref(sorting->all);
    buf_fini(&sorting->marker);
}

static void answer(struct sorting *sorting)
{
    struct call *call = sorting->call;
    size_t count = json_array_size(sorting->all);
    struct row *rows = arena_alloc(http_arena(call->request), (count + 1) * sizeof *rows);

    for (size_t i = 0; rows != NULL && i < count; i++) {
        rows[i] = make_row(sorting, json_array_get(sorting->all, i));
    }
    if (rows != NULL) {
        qsort(rows, count, sizeof *rows, compare_rows);
        write_rows(sorting, rows, count);
    }
    release(sorting);
    if (rows == NULL) {
        call_fail_memory(call);
    } else {
        call_answer(call, 200);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static void on_page(struct list_request *request);

static void fail(struct sorting *sorting, int status, const char *name, const char *message)
{
    release(sorting);
    call_fail(sorting->call, status, name, "%s", message);
}

static void fail_too_many(struct sorting *sorting)
{
    fail(sorting, 400, "InvalidParameterValueException",
         "More than 10000 executions match: only Sort=start is possible then. Narrow it down with "
         "Function, Status or Since.");
}

static void ask(struct sorting *sorting)
{
    struct page *page = arena_alloc(http_arena(sorting->call->request), sizeof *page);

    if (page == NULL) {
        release(sorting);
        call_fail_memory(sorting->call);
        return;
    }
    if (++sorting->page_count > PAGES_MAX) {
        fail_too_many(sorting);
        return;
    }
    page->sorting = sorting;
    page->request = sorting->filter;
    page->request.marker = buf_bytes(&sorting->marker);
    page->request.items_max = PAGE_ITEMS;
    page->request.cb = on_page;
    sorting->page = page;
    driver_list(sorting->call->service->driver, &page->request);
}

static void on_page(struct list_request *request)
{
    struct sorting *sorting = container_of(request, struct page, request)->sorting;
    json_t *page = NULL;
    const char *marker;

    if (request->failure.name != NULL) {
        struct driver_error error = request->failure;

        release(sorting);
        call_fail_driver(sorting->call, &error);
        return;
    }
    page = json_loadb((const char *)request->json.data, request->json.len, JSON_ALLOW_NUL, NULL);
    if (page == NULL || json_array_extend(sorting->all, json_object_get(page, "Executions")) != 0) {
        json_decref(page);
        fail(sorting, 500, "ServiceException", "The list could not be sorted.");
        return;
    }
    marker = text_of(page, "NextMarker");
    sorting->marker.len = 0;
    buf_append_text(&sorting->marker, marker);
    json_decref(page);
    if (json_array_size(sorting->all) > EXECUTION_SORT_MAX) {
        fail_too_many(sorting);
    } else if (sorting->marker.len > 0) {
        ask(sorting);
    } else {
        answer(sorting);
    }
}

static void on_gone(void *user)
{
    struct sorting *sorting = user;

    driver_list_abandon(sorting->call->service->driver, &sorting->page->request);
    fail(sorting, 408, "RequestTimeoutException", "The client has left.");
}

static bool read_key(struct sorting *sorting, struct bytes key)
{
    static const char *const keys[] = {[SORT_END] = "end",
                                       [SORT_STATUS] = "status",
                                       [SORT_NAME] = "name",
                                       [SORT_DURATION] = "duration"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (bytes_equal(key, bytes_of_text(keys[i]))) {
            sorting->key = (enum sort_key)i;
            return true;
        }
    }
    call_fail(sorting->call, 400, "InvalidParameterValueException",
              "Sort must be start, end, status, name or duration.");
    return false;
}

void execution_sort(struct call *call, const struct list_request *filter, struct bytes key,
                    bool is_reverse)
{
    struct sorting *sorting = call_alloc(call, sizeof *sorting);

    if (sorting == NULL) {
        return;
    }
    sorting->call = call;
    sorting->filter = *filter;
    sorting->items_max = filter->items_max;
    sorting->is_reverse = is_reverse;
    sorting->now_s = (double)moment_now_ms() / 1000.0;
    if (!read_key(sorting, key) ||
        !call_query_number(call, "Marker", EXECUTION_SORT_MAX, 0, &sorting->skip)) {
        return;
    }
    sorting->all = json_array();
    if (sorting->all == NULL) {
        call_fail_memory(call);
        return;
    }
    http_set_user(call->request, sorting, on_gone);
    ask(sorting);
}
