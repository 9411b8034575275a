#include "invoke/call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/json_scan.h"
#include "engine/driver/alias.h"
#include "engine/driver/function_name.h"
#include "invoke/moment.h"

#define RETRY_AFTER_S "1"
#define PAGE_ITEMS_MAX 50U

/* --- answers ------------------------------------------------------------------------ */

/* The last word: releases what the call holds, and the call with its request. */
void call_respond(struct call *call, int status, const char *content_type, struct bytes body)
{
    struct http_request *request = call->request;
    json_t *json = call->json;
    struct buf out = call->out;
    char text[ID_TEXT_LEN + 1];

    id_format(&call->id, text);
    http_add_header(request, "x-amzn-requestid", bytes_of(text, ID_TEXT_LEN));
    http_respond(request, status, content_type, body); /* copies the body */
    json_decref(json);
    buf_fini(&out);
}

void call_answer(struct call *call, int status)
{
    if (call->out.failed) {
        call_fail_memory(call);
        return;
    }
    call_respond(call, status, "application/json", buf_bytes(&call->out));
}

static void write_error(struct buf *buf, int status, const char *reason, const char *message)
{
    json_open(buf, '{');
    if (reason != NULL) {
        json_key(buf, "Reason");
        json_text(buf, reason);
    }
    json_key(buf, "Type");
    json_text(buf, (status >= 500) ? "Service" : "User");
    json_key(buf, "Message");
    json_text(buf, message);
    json_key(buf, "message");
    json_text(buf, message);
    json_close(buf, '}');
}

static void fail(struct call *call, int status, const char *name, const char *reason,
                 const char *message)
{
    static const char last_resort[] =
        "{\"Type\":\"Service\",\"Message\":\"out of memory\",\"message\":\"out of memory\"}";

    http_add_header(call->request, "x-amzn-errortype", bytes_of_text(name));
    if (status == 429 || status == 503) {
        http_add_header(call->request, "retry-after", bytes_of_text(RETRY_AFTER_S));
    }
    call->out.len = 0;
    write_error(&call->out, status, reason, message);
    call_respond(call, status, "application/json",
                 call->out.failed ? bytes_of_text(last_resort) : buf_bytes(&call->out));
}

void call_fail(struct call *call, int status, const char *name, const char *format, ...)
{
    char message[CALL_MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fail(call, status, name, NULL, message);
}

void call_fail_memory(struct call *call)
{
    fail(call, 500, "ServiceException", NULL, "There is not enough memory for this request.");
}

void call_fail_full(struct call *call)
{
    fail(call, 429, "TooManyRequestsException", NULL,
         "The journal takes no new work: see 'pawl status'.");
}

void call_fail_change(struct call *call)
{
    fail(call, 500, "ServiceException", NULL,
         "The change could not be made: the daemon's log says why.");
}

void call_fail_driver(struct call *call, const struct driver_error *error)
{
    fail(call, error->http_status, error->name, error->reason,
         (error->message != NULL) ? error->message : "");
}

/* --- problems ------------------------------------------------------------------------- */

bool problem_set(struct problem *problem, int status, const char *name, const char *format, ...)
{
    va_list args;

    problem->status = status;
    problem->name = name;
    va_start(args, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
    return false;
}

bool problem_invalid(struct problem *problem, const char *format, ...)
{
    va_list args;

    problem->status = 400;
    problem->name = "InvalidParameterValueException";
    va_start(args, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
    return false;
}

bool problem_memory(struct problem *problem)
{
    return problem_set(problem, 500, "ServiceException",
                       "There is not enough memory for this request.");
}

void call_fail_problem(struct call *call, const struct problem *problem)
{
    fail(call, problem->status, problem->name, NULL, problem->message);
}

/* --- the body --------------------------------------------------------------------------- */

/* Scanned first: jansson descends by recursion, and would take a name given twice. */
bool call_read_json(struct call *call)
{
    struct bytes body = http_body(call->request);
    struct json_problem problem;
    json_error_t error;

    if (body.len == 0) {
        body = bytes_of_text("{}");
    }
    if (!json_scan(body, &json_limits_request, &problem)) {
        call_fail(call, 400, "InvalidRequestContentException",
                  "Could not parse request body into json: at byte %zu: %s", problem.offset,
                  problem.text);
        return false;
    }
    call->json = json_loadb((const char *)body.data, body.len,
                            JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (json_is_object(call->json)) {
        return true;
    }
    call_fail(call, 400, "InvalidRequestContentException",
              "Could not parse request body into json: %s",
              (call->json != NULL) ? "it is not an object" : error.text);
    return false;
}

/* --- the query --------------------------------------------------------------------------- */

bool call_query(struct call *call, const char *key, struct bytes *ret_value)
{
    struct bytes value = http_query_value(call->request, key, 0);

    if (value.data == NULL) { /* absent: the router has refused what is malformed */
        value = bytes_of("", 0);
    }
    if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The query parameter %s has a zero byte.", key);
        return false;
    }
    *ret_value = value;
    return true;
}

bool call_query_flag(struct call *call, const char *key, bool otherwise, bool *ret_flag)
{
    struct bytes value;

    if (!call_query(call, key, &value)) {
        return false;
    }
    if (value.len == 0) {
        *ret_flag = otherwise;
        return true;
    }
    *ret_flag = bytes_equal(value, bytes_of_text("true"));
    if (!*ret_flag && !bytes_equal(value, bytes_of_text("false"))) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The query parameter %s must be true or false.", key);
        return false;
    }
    return true;
}

/* Digits only, up to nine. */
static bool parse_number(struct bytes text, uint32_t *ret_number)
{
    uint32_t number = 0;

    if (text.len == 0 || text.len > 9) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

bool call_query_number(struct call *call, const char *key, uint32_t max, uint32_t otherwise,
                       uint32_t *ret_number)
{
    struct bytes value;
    uint32_t number = 0;

    if (!call_query(call, key, &value)) {
        return false;
    }
    if (value.len > 0 && (!parse_number(value, &number) || number > max)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The query parameter %s must be a number from 0 to %" PRIu32 ".", key, max);
        return false;
    }
    *ret_number = (number > 0) ? number : otherwise;
    return true;
}

bool call_page(struct call *call, uint32_t *ret_items_max)
{
    if (!call_query_number(call, "MaxItems", 10000, PAGE_ITEMS_MAX, ret_items_max)) {
        return false;
    }
    if (*ret_items_max > PAGE_ITEMS_MAX) {
        *ret_items_max = PAGE_ITEMS_MAX;
    }
    return true;
}

bool call_query_moment(struct call *call, const char *key, int64_t *ret_ms)
{
    struct bytes value;

    if (!call_query(call, key, &value)) {
        return false;
    }
    *ret_ms = 0;
    if (value.len > 0 && !moment_parse(value, ret_ms)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The query parameter %s must be a moment such as 2026-11-23T09:29:22Z.", key);
        return false;
    }
    return true;
}

/* --- functions ----------------------------------------------------------------------------- */

void call_fail_function(struct call *call, struct bytes name, struct bytes qualifier)
{
    call_fail(call, 404, "ResourceNotFoundException",
              "Function not found: arn:aws:lambda:%s:%012" PRIu64 ":function:%.*s%s%.*s",
              call->service->region, call->principal.tenant, (int)name.len, (const char *)name.data,
              (qualifier.len > 0) ? ":" : "", (int)qualifier.len,
              (qualifier.len > 0) ? (const char *)qualifier.data : "");
}

/* Two qualifiers, in the name and in the query, must agree. */
static bool merge_qualifier(struct call *call, struct bytes *qualifier)
{
    struct bytes asked;

    if (!call_query(call, "Qualifier", &asked)) {
        return false;
    }
    if (qualifier->len > 0 && asked.len > 0 && !bytes_equal(*qualifier, asked)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The derived qualifier from the function name does not match the specified "
                  "qualifier.");
        return false;
    }
    if (asked.len > 0) {
        *qualifier = asked;
    }
    return true;
}

struct bytes call_function_name(struct call *call, struct bytes text, struct bytes *ret_qualifier)
{
    struct function_name name;

    if (!function_name_parse(text, &name)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value '%.*s' at 'functionName' failed to satisfy "
                  "constraint: it is neither a function's name nor its ARN",
                  (int)((text.len < 256) ? text.len : 256), (const char *)text.data);
        return (struct bytes){0};
    }
    *ret_qualifier = name.qualifier;
    if (!merge_qualifier(call, ret_qualifier)) {
        return (struct bytes){0};
    }
    if ((name.account != 0 && name.account != call->principal.tenant) ||
        (name.region.len > 0 && !bytes_equal(name.region, bytes_of_text(call->service->region)))) {
        call_fail_function(call, name.name, *ret_qualifier); /* as if it were ours and absent */
        return (struct bytes){0};
    }
    return name.name;
}

struct function_revision *call_revision(struct call *call, size_t n, struct bytes *ret_qualifier)
{
    struct bytes name = call_function_name(call, call->labels[n], ret_qualifier);
    const struct function *function;
    struct function_revision *revision;

    if (name.data == NULL) {
        return NULL;
    }
    function = function_find(driver_functions(call->service->driver), name);
    revision = (function != NULL) ? function_resolve(function, *ret_qualifier, UINT64_MAX) : NULL;
    if (revision == NULL) {
        call_fail_function(call, name, *ret_qualifier);
    }
    return revision;
}

struct function *call_function(struct call *call, size_t n, struct bytes *ret_qualifier)
{
    const struct function_revision *revision = call_revision(call, n, ret_qualifier);

    return (revision != NULL) ? revision->function : NULL;
}

struct function *call_latest(struct call *call, size_t n)
{
    struct bytes qualifier;
    struct function *function = call_function(call, n, &qualifier);

    if (function != NULL && qualifier.len > 0 &&
        !bytes_equal(qualifier, bytes_of_text("$LATEST"))) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Only $LATEST can be changed and published: name the function without the "
                  "qualifier %.*s.",
                  (int)qualifier.len, (const char *)qualifier.data);
        return NULL;
    }
    return function;
}

void *call_alloc(struct call *call, size_t size)
{
    void *memory = arena_alloc(http_arena(call->request), size);

    if (memory == NULL) {
        call_fail_memory(call);
    }
    return memory;
}
