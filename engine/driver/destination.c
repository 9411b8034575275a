/* Destinations: the function that is told how an asynchronous invoke ended, with Lambda's
 * record of it as an event of its own.
 *
 * The event's id was chosen when the invoke was accepted, so telling it again is harmless,
 * and it is told before the end is noted to be known: until that note is durable the
 * execution stays due, and recovery tells it again. The start of the event stands in the
 * log before the note, and the note before the event's own end, so one that is told twice
 * is found running. */
#include <stdio.h>
#include <time.h>

#include "engine/base/crash.h"
#include "engine/base/json.h"
#include "engine/base/json_scan.h"
#include "engine/base/log.h"
#include "engine/driver/event_settings.h"
#include "engine/driver/lineage.h"
#include "engine/driver/state.h"

/* --- the record ------------------------------------------------------------------------- */

/* What the views say of it. */
struct outcome_text {
    struct arena *arena;
    struct bytes input;
    bool has_input;
    struct bytes payload;
    bool has_payload;
    struct bytes error; /* encoded */
    bool has_error;
    bool is_found;
};

static int take_record(void *arg, const struct record *record, uint64_t record_no)
{
    struct outcome_text *text = arg;

    (void)record_no;
    if (record->kind == EXECUTION_STARTED) {
        text->has_input = record->has_payload;
        text->input = arena_copy(text->arena, record->payload);
        return 0;
    }
    if (record->kind < EXECUTION_SUCCEEDED || record->kind > EXECUTION_TIMED_OUT) {
        return 0;
    }
    text->has_payload = record->has_payload;
    text->payload = arena_copy(text->arena, record->payload);
    text->has_error = record->has_error;
    text->error = arena_copy(text->arena, record->error);
    text->is_found = text->payload.data != NULL && text->error.data != NULL;
    return 1;
}

/* A payload is JSON by habit only; what is not goes as a text. */
static void put_payload(struct buf *json, const char *key, bool is_there, struct bytes payload)
{
    json_key(json, key);
    if (!is_there || payload.len == 0) {
        buf_append_text(json, "null");
    } else if (json_scan(payload, &json_limits_payload, NULL)) {
        buf_append(json, payload.data, payload.len);
    } else {
        json_quoted(json, payload);
    }
}

static void put_time(struct buf *json, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[80];

    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   (int)(time_ms % 1000));
    json_key(json, "timestamp");
    json_text(json, text);
}

static bool is_too_old(const struct exec *exec, const struct error_object *error)
{
    if (exec->kind != EXEC_EVENT || bytes_equal(error->type, bytes_of_text(EVENT_SHUT_TYPE))) {
        return false;
    }
    return exec->failures < exec->retries_max ||
           bytes_equal(error->type, bytes_of_text("Pawl.EventAgeExceeded"));
}

static void put_context(struct buf *json, const struct exec *exec, const struct error_object *error)
{
    const char *condition = is_too_old(exec, error) ? "EventAgeExceeded" : "RetriesExhausted";
    char id[ID_TEXT_LEN + 1];

    id_format((exec->attempt > 0) ? &exec->request_id : &exec->id, id);
    json_key(json, "requestContext");
    json_open(json, '{');
    json_key(json, "requestId");
    json_text(json, id);
    json_key(json, "functionArn");
    json_quoted(json, exec->function);
    json_key(json, "condition");
    json_text(json, (exec->status == EXEC_SUCCEEDED) ? "Success" : condition);
    json_key(json, "approximateInvokeCount");
    json_int(json, exec->attempt);
    json_close(json, '}');
}

static void put_response(struct buf *json, const struct exec *exec)
{
    json_key(json, "responseContext");
    json_open(json, '{');
    json_key(json, "statusCode");
    json_int(json, 200);
    json_key(json, "executedVersion");
    json_quoted(json, arn_version(exec->function));
    if (exec->status != EXEC_SUCCEEDED) {
        json_key(json, "functionError");
        json_text(json, "Unhandled");
    }
    json_close(json, '}');
}

/* Lambda's record. A response that makes it larger than a payload may be is left out. */
static void put_record(struct buf *json, const struct exec *exec, const struct outcome_text *text)
{
    struct error_object error = {0};
    size_t before;

    (void)wire_get_error(text->arena, text->error, &error);
    json_open(json, '{');
    json_key(json, "version");
    json_text(json, "1.0");
    put_time(json, exec->end_ms);
    put_context(json, exec, &error);
    put_payload(json, "requestPayload", text->has_input, text->input);
    put_response(json, exec);
    before = json->len;
    if (text->has_error) {
        json_key(json, "responsePayload");
        error_put(json, &error);
    } else {
        put_payload(json, "responsePayload", text->has_payload, text->payload);
    }
    if (json->len + 1 > EXEC_PAYLOAD_BYTES_MAX) {
        json->len = before;
        put_payload(json, "responsePayload", false, text->payload);
    }
    json_close(json, '}');
}

/* --- telling -------------------------------------------------------------------------------- */

/* NULL: `ret_why` says why not. */
static struct function_revision *find_target(struct driver *driver, const struct exec *exec,
                                             struct bytes *ret_qualifier, const char **ret_why)
{
    struct reference reference;
    struct function_revision *revision = NULL;

    if (reference_parse(driver, exec_destination(exec), exec->tenant, &reference) &&
        !reference.is_foreign) {
        revision = reference_find(driver, &reference);
        *ret_qualifier = reference.qualifier;
    }
    *ret_why = "there is no such function";
    if (revision != NULL && trace_is_loop(exec, revision->function)) {
        *ret_why = LINEAGE_LOOP_MESSAGE;
    } else if (revision != NULL) {
        *ret_why =
            tenancy_refusal(&revision->config,
                            revision->config.is_per_tenant ? exec->tenant_id : (struct bytes){0});
    }
    return (*ret_why == NULL) ? revision : NULL;
}

static void note_told(struct driver *driver, const struct id *exec_id)
{
    task_submit(task_create(driver, COMMAND_NOTIFIED, exec_id, NULL, NULL));
}

/* Told, also when it had been before; a journal that is full is asked again. */
static void on_told(struct task *task)
{
    CRASH_POINT(parent_told);
    if (task->refusal != REFUSAL_FULL) {
        note_told(task->driver, task->arg);
    }
}

/* Nobody waits for this: the log of the daemon is where it is found. */
static void give_up(struct driver *driver, const struct exec *exec, const char *why)
{
    struct bytes destination = exec_destination(exec);
    char id[ID_TEXT_LEN + 1];

    id_format(&exec->id, id);
    log_error("%s of %.*s: its destination %.*s was not told of its end: %s", id,
              (int)exec->function.len, (const char *)exec->function.data, (int)destination.len,
              (const char *)destination.data, why);
    note_told(driver, &exec->id);
}

static void tell(struct driver *driver, const struct exec *exec, struct function_revision *revision,
                 struct bytes qualifier, struct bytes record)
{
    struct task *task = task_create(driver, COMMAND_START, &exec->telling_id, on_told, NULL);
    struct journal_head head;
    char name[ID_TEXT_LEN + 1];

    task->arg = (void *)(uintptr_t)task_copy(task, bytes_of(&exec->id, sizeof exec->id)).data;
    id_format(&exec->telling_id, name);
    start_fill(task, revision, bytes_of_text(name), record, true,
               revision->config.is_durable ? EXEC_DURABLE : EXEC_EVENT);
    start_settle_event(task, revision->function, qualifier);
    task->command.is_known = journal_get_head(driver->journal, &exec->telling_id, NULL, &head) == 0;
    task->command.started.tenant_id =
        task_copy(task, revision->config.is_per_tenant ? exec->tenant_id : (struct bytes){0});
    task->command.started.trace_id =
        trace_of_run(&task->arena, exec->trace_id, &exec->id, &exec->function_id);
    CRASH_POINT(child_start);
    task_submit(task);
}

static void tell_from_views(struct driver *driver, const struct exec *exec)
{
    struct arena arena;
    struct outcome_text text = {.arena = &arena};
    struct bytes qualifier = {0};
    struct function_revision *revision;
    struct buf json = {0};
    const char *why = NULL;

    revision = find_target(driver, exec, &qualifier, &why);
    if (revision == NULL) {
        give_up(driver, exec, why);
        return;
    }
    arena_init(&arena, (size_t)64 << 20);
    if (view_walk(driver, &exec->id, take_record, &text) == 1 && text.is_found) {
        put_record(&json, exec, &text);
    } else {
        why = "its records cannot be read";
    }
    if (why != NULL) {
        give_up(driver, exec, why);
    } else if (!json.failed) { /* else it stays due, and there may be memory then */
        tell(driver, exec, revision, qualifier, buf_bytes(&json));
    }
    buf_fini(&json);
    arena_fini(&arena);
}

static void on_applied(struct journal_wait *wait)
{
    struct hot *hot = container_of(wait, struct hot, end_wait);

    hot->is_end_waiting = false;
    if (!hot->driver->is_closing && !hot->exec->is_parent_notified) {
        tell_from_views(hot->driver, hot->exec);
    }
}

void destination_ended(struct task *task)
{
    struct hot *hot = hot_of(task->exec);

    if (exec_destination(task->exec).len == 0 || task->exec->is_parent_notified ||
        hot->is_end_waiting || task->driver->is_closing) {
        return;
    }
    hot->is_end_waiting = true;
    journal_wait_applied(task->driver->journal, &hot->end_wait, hot->last_lsn, on_applied);
}
