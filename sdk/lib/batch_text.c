#include "sdk/lib/batch_text.h"

#include <stdlib.h>

#include "engine/base/json.h"
#include "sdk/lib/json_read.h"

static const char *const status_texts[] = {"STARTED", "SUCCEEDED", "FAILED"};
static const char *const completion_texts[] = {"ALL_COMPLETED", "MIN_SUCCESSFUL_REACHED",
                                               "FAILURE_TOLERANCE_EXCEEDED"};
static const char status_marks[] = "-SF";

void batch_count(struct pawl_batch *batch)
{
    batch->succeeded = 0;
    batch->failed = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->succeeded += batch->items[i].status == PAWL_ITEM_SUCCEEDED;
        batch->failed += batch->items[i].status == PAWL_ITEM_FAILED;
    }
}

/* --- writing ---------------------------------------------------------------------- */

static void put_error(struct buf *buf, const struct pawl_error *error)
{
    json_key(buf, "error");
    json_open(buf, '{');
    json_key(buf, "ErrorType");
    json_text(buf, error->type);
    json_key(buf, "ErrorMessage");
    json_text(buf, error->message);
    if (error->data[0] != '\0') {
        json_key(buf, "ErrorData");
        json_text(buf, error->data);
    }
    json_close(buf, '}');
}

static bool put_item(struct buf *buf, const struct pawl_item *item, size_t index)
{
    json_element(buf);
    json_open(buf, '{');
    json_key(buf, "index");
    json_int(buf, (int64_t)index);
    json_key(buf, "status");
    json_text(buf, status_texts[item->status]);
    if (item->status == PAWL_ITEM_FAILED) {
        put_error(buf, &item->error);
    }
    if (item->status == PAWL_ITEM_SUCCEEDED && item->result.data != NULL) {
        if (!json_is_valid(value_bytes(item->result))) {
            return false;
        }
        json_key(buf, "result");
        buf_append(buf, item->result.data, item->result.len);
    }
    json_close(buf, '}');
    return true;
}

bool batch_put(struct buf *buf, const struct pawl_batch *batch)
{
    json_open(buf, '{');
    json_key(buf, "all");
    json_open(buf, '[');
    for (size_t i = 0; i < batch->count; i++) {
        if (!put_item(buf, &batch->items[i], i) || buf->len > OP_PAYLOAD_BYTES_MAX) {
            return false;
        }
    }
    json_close(buf, ']');
    json_key(buf, "completionReason");
    json_text(buf, completion_texts[batch->completion]);
    json_close(buf, '}');
    return buf->len <= OP_PAYLOAD_BYTES_MAX && !buf->failed;
}

static void put_statuses(struct buf *buf, const struct pawl_batch *batch)
{
    json_key(buf, "items");
    buf_append(buf, "\"", 1);
    for (size_t i = 0; i < batch->count; i++) {
        buf_append(buf, &status_marks[batch->items[i].status], 1);
    }
    buf_append(buf, "\"", 1);
}

void batch_put_summary(struct buf *buf, const struct pawl_batch *batch, bool is_map, bool is_flat)
{
    size_t started = batch->count - batch->succeeded - batch->failed;

    json_open(buf, '{');
    json_key(buf, "type");
    json_text(buf, is_map ? "MapResult" : "ParallelResult");
    json_key(buf, "totalCount");
    json_int(buf, (int64_t)batch->count);
    json_key(buf, "successCount");
    json_int(buf, (int64_t)batch->succeeded);
    json_key(buf, "failureCount");
    json_int(buf, (int64_t)batch->failed);
    json_key(buf, "startedCount");
    json_int(buf, (int64_t)started);
    json_key(buf, "completionReason");
    json_text(buf, completion_texts[batch->completion]);
    json_key(buf, "status");
    json_text(buf, (batch->failed > 0) ? "FAILED" : "SUCCEEDED");
    if (is_flat) {
        put_statuses(buf, batch);
    }
    json_close(buf, '}');
}

/* --- reading ---------------------------------------------------------------------- */

static bool is_text(struct bytes quoted, const char *text)
{
    size_t len = strlen(text);

    return quoted.len == len + 2 && memcmp(quoted.data + 1, text, len) == 0;
}

/* The next member of an object that has been opened; false at its end or in what is not
 * an object, and `*is_first` is for the caller to set once. */
static bool next_member(struct json_read *read, bool *is_first, struct bytes *ret_key,
                        struct bytes *ret_value)
{
    if (!*is_first && !json_passes(read, ',')) {
        return false;
    }
    *is_first = false;
    return json_pass(read, ret_key) && json_passes(read, ':') && json_pass(read, ret_value);
}

static struct json_read read_of(struct bytes text)
{
    const char *at = (const char *)text.data;

    return (struct json_read){at, (at != NULL) ? at + text.len : at};
}

static const char *text_of(struct pawl_context *ctx, struct bytes quoted)
{
    const char *text =
        pawl_json_unquote(ctx, (struct pawl_value){(const char *)quoted.data, quoted.len});

    return (text != NULL) ? text : "";
}

static void get_error(struct pawl_context *ctx, struct bytes text, struct pawl_error *ret_error)
{
    struct json_read read = read_of(text);
    bool is_first = json_passes(&read, '{');
    struct bytes value;
    struct bytes key;

    *ret_error = (struct pawl_error){"", "", ""};
    while (next_member(&read, &is_first, &key, &value)) {
        if (is_text(key, "ErrorType")) {
            ret_error->type = text_of(ctx, value);
        } else if (is_text(key, "ErrorMessage")) {
            ret_error->message = text_of(ctx, value);
        } else if (is_text(key, "ErrorData")) {
            ret_error->data = text_of(ctx, value);
        }
    }
}

static enum pawl_item_status get_status(struct bytes text)
{
    enum pawl_item_status status = PAWL_ITEM_FAILED;

    while (status > PAWL_ITEM_STARTED && !is_text(text, status_texts[status])) {
        status--;
    }
    return status;
}

static bool get_item(struct pawl_context *ctx, struct bytes text, struct pawl_item *item)
{
    struct json_read read = read_of(text);
    bool is_first = json_passes(&read, '{');
    struct bytes value;
    struct bytes key;

    if (!is_first) {
        return false;
    }
    while (next_member(&read, &is_first, &key, &value)) {
        if (is_text(key, "status")) {
            item->status = get_status(value);
        } else if (is_text(key, "error")) {
            get_error(ctx, value, &item->error);
        } else if (is_text(key, "result")) {
            item->result =
                context_keep(ctx, (struct pawl_value){(const char *)value.data, value.len});
        }
    }
    return true;
}

static bool get_items(struct pawl_context *ctx, struct bytes text, struct pawl_item *items,
                      size_t count)
{
    struct json_read read = read_of(text);
    struct bytes value;

    if (!json_passes(&read, '[')) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        items[i].error = (struct pawl_error){"", "", ""};
        if ((i > 0 && !json_passes(&read, ',')) || !json_pass(&read, &value) ||
            !get_item(ctx, value, &items[i])) {
            return false;
        }
    }
    return json_passes(&read, ']');
}

static bool get_completion(struct bytes text, enum pawl_completion *ret_completion)
{
    for (unsigned i = 0; i < sizeof completion_texts / sizeof completion_texts[0]; i++) {
        if (is_text(text, completion_texts[i])) {
            *ret_completion = (enum pawl_completion)i;
            return true;
        }
    }
    return false;
}

static bool find_member(struct bytes text, const char *name, struct bytes *ret_value)
{
    struct json_read read = read_of(text);
    bool is_first = json_passes(&read, '{');
    struct bytes key;

    if (!is_first) {
        return false;
    }
    while (next_member(&read, &is_first, &key, ret_value)) {
        if (is_text(key, name)) {
            return true;
        }
    }
    return false;
}

bool batch_get_completion(struct bytes text, enum pawl_completion *ret_completion)
{
    struct bytes value;

    return find_member(text, "completionReason", &value) && get_completion(value, ret_completion);
}

bool batch_get(struct pawl_context *ctx, struct bytes text, struct pawl_item *items,
               struct pawl_batch *batch)
{
    struct bytes all;

    if (!find_member(text, "all", &all) || !get_items(ctx, all, items, batch->count) ||
        !batch_get_completion(text, &batch->completion)) {
        return false;
    }
    batch->items = items;
    batch_count(batch);
    return true;
}

bool batch_get_statuses(struct bytes text, struct pawl_item *items, size_t count)
{
    struct bytes marks;

    if (!find_member(text, "items", &marks) || marks.len != count + 2) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *mark = memchr(status_marks, marks.data[i + 1], sizeof status_marks - 1);

        if (mark == NULL) {
            return false;
        }
        items[i].status = (enum pawl_item_status)(mark - status_marks);
    }
    return true;
}
