#include "invoke/router.h"

#include <assert.h>
#include <string.h>

#include "engine/base/percent.h"
#include "invoke/moment.h"

/* Of a request that no route takes, or that has no credentials: enough for any
 * client's small request, so that it is told why. */
#define STRANGER_BODY_BYTES_MAX 65536U
/* From here on a hash takes a millisecond and more. */
#define HASH_ELSEWHERE_BYTES_MIN 262144U
#define ROUTES_MAX 256U

/* --- paths --------------------------------------------------------------------------- */

/* Takes what stands before the next '/' off `rest`; what is behind it stays. */
static struct bytes take_segment(struct bytes *rest)
{
    const uint8_t *slash = (rest->len > 0) ? memchr(rest->data, '/', rest->len) : NULL;
    size_t len = (slash != NULL) ? (size_t)(slash - rest->data) : rest->len;
    struct bytes segment = bytes_of(rest->data, len);

    len += (slash != NULL) ? 1 : 0;
    *rest = bytes_of(rest->data + len, rest->len - len);
    return segment;
}

static bool match_segment(struct bytes wanted, struct bytes segment, struct arena *arena,
                          struct bytes *ret_label)
{
    struct bytes label;

    if (!bytes_equal(wanted, bytes_of("{}", 2))) {
        return bytes_equal(wanted, segment);
    }
    if (segment.len == 0) {
        return false;
    }
    label = percent_decode(segment, arena);
    if (label.data == NULL || memchr(label.data, '\0', label.len) != NULL) {
        return false;
    }
    *ret_label = label;
    return true;
}

/* The number of segments, without one '/' at the end. */
static size_t count_segments(struct bytes path)
{
    size_t count = 0;

    for (size_t i = 0; i < path.len; i++) {
        count += (path.data[i] == '/' && i + 1 < path.len) ? 1 : 0;
    }
    return count;
}

/* The fixed segments are compared as they are: an encoded "functions" is not one. */
bool route_match(const char *pattern, struct bytes path, struct arena *arena,
                 struct bytes ret_labels[CALL_LABELS_MAX])
{
    struct bytes wanted = bytes_of_text(pattern);
    struct bytes labels[CALL_LABELS_MAX] = {{0}};
    size_t label_count = 0;

    if (path.len == 0 || count_segments(path) != count_segments(wanted)) {
        return false;
    }
    while (wanted.len > 0) {
        struct bytes want = take_segment(&wanted);
        struct bytes label = {0};

        if (!match_segment(want, take_segment(&path), arena, &label)) {
            return false;
        }
        if (label.data != NULL) {
            assert(label_count < CALL_LABELS_MAX);
            labels[label_count++] = label;
        }
    }
    memcpy(ret_labels, labels, sizeof labels);
    return true;
}

/* --- the table ------------------------------------------------------------------------- */

struct match {
    const struct route *route; /* NULL: none */
    const struct route *other; /* the same path with another method */
    struct bytes labels[CALL_LABELS_MAX];
};

/* What a path is before its first label and behind its last: of some sixty routes this
 * leaves one or two to be looked at segment by segment. */
struct ends {
    struct bytes head;
    struct bytes tail;
};

static struct ends ends_of(const struct route *route)
{
    const char *label = strrchr(route->path, '}');

    return (struct ends){.head = bytes_of(route->path, strcspn(route->path, "{")),
                         .tail = bytes_of_text((label != NULL) ? label + 1 : route->path)};
}

/* Filled by the first request. */
static const struct ends *all_ends(void)
{
    static struct ends ends[ROUTES_MAX];

    if (ends[0].head.data == NULL) {
        for (size_t i = 0; routes[i].name != NULL; i++) {
            assert(i < ROUTES_MAX);
            ends[i] = ends_of(&routes[i]);
        }
    }
    return ends;
}

static bool ends_fit(const struct ends *ends, struct bytes path)
{
    if (path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    return path.len >= ends->head.len && path.len >= ends->tail.len &&
           memcmp(path.data + path.len - ends->tail.len, ends->tail.data, ends->tail.len) == 0 &&
           memcmp(path.data, ends->head.data, ends->head.len) == 0;
}

static void find(struct match *match, struct http_request *request)
{
    const struct ends *ends = all_ends();
    struct bytes method = http_method(request);
    struct bytes path = http_path(request);
    struct bytes labels[CALL_LABELS_MAX];

    *match = (struct match){0};
    for (const struct route *route = routes; route->name != NULL; route++, ends++) {
        if (!ends_fit(ends, path) || !route_match(route->path, path, http_arena(request), labels)) {
            continue;
        }
        if (bytes_equal(method, bytes_of_text(route->method))) {
            match->route = route;
            memcpy(match->labels, labels, sizeof labels);
            return;
        }
        match->other = route;
    }
}

static bool is_for_environments(const struct route *route);

/* --- the door -------------------------------------------------------------------------- */

static bool read_headers(struct http_request *request, struct request_head *head)
{
    size_t count = http_header_count(request);
    struct request_header *headers =
        arena_alloc(http_arena(request), (count + 1) * sizeof *headers);

    if (headers == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        headers[i].value = http_header_at(request, i, &headers[i].name);
    }
    head->headers = headers;
    head->header_count = count;
    return true;
}

/* NULL without memory. */
static struct admission *verify(const struct service *service, struct http_request *request)
{
    bool is_unix = http_is_unix(request);
    struct credentials credentials = {.kind = is_unix ? CREDENTIALS_UNIX : CREDENTIALS_TCP,
                                      .peer_uid = is_unix ? http_peer_uid(request) : 0,
                                      .head = {.method = http_method(request),
                                               .path = http_path(request),
                                               .query = http_query(request)},
                                      .now_ms = moment_now_ms()};

    if (!is_unix && !read_headers(request, &credentials.head)) {
        return NULL;
    }
    return verifier_admit(service->verifier, &credentials, http_arena(request));
}

static struct id make_id(struct service *service)
{
    return id_make(moment_now_ms(), 0, service->id_count++, &service->prng);
}

/* An event is asynchronous: it may be only so large. */
static size_t limit_of(const struct route *route, const struct http_request *request)
{
    struct bytes type = http_header(request, "x-amz-invocation-type");
    size_t max = route->body_bytes_max;

    if (type.data != NULL && bytes_equal(type, bytes_of("Event", 5)) &&
        max > OP_INVOKE_PAYLOAD_BYTES_MAX && strcmp(route->name, "Invoke") == 0) {
        return OP_INVOKE_PAYLOAD_BYTES_MAX;
    }
    return max;
}

/* The server answers a body that is too large by itself; clients look for its type. */
static void name_refusal(struct service *service, struct http_request *request, size_t max)
{
    struct bytes length = http_header(request, "content-length");
    char text[ID_TEXT_LEN + 1];
    uint64_t announced = 0;
    struct id id;

    for (size_t i = 0; i < length.len && announced <= max; i++) {
        announced = announced * 10 + (uint64_t)(length.data[i] - '0');
    }
    if (length.data != NULL && announced > max) {
        id = make_id(service);
        id_format(&id, text);
        http_add_header(request, "x-amzn-requestid", bytes_of(text, ID_TEXT_LEN));
        http_add_header(request, "x-amzn-errortype", bytes_of_text("RequestTooLargeException"));
    }
}

/* What was found out is kept with the request until its body is there. */
size_t router_admit(void *arg, struct http_request *request)
{
    struct service *service = arg;
    struct admission *admission = verify(service, request);
    struct match match;
    size_t max = STRANGER_BODY_BYTES_MAX;

    http_set_user(request, admission, NULL);
    if (admission != NULL && admission_is_open(admission)) {
        find(&match, request);
        if (match.route != NULL && match.route->handle != NULL) {
            max = limit_of(match.route, request);
        }
    }
    name_refusal(service, request, max);
    return max;
}

static void refuse_unknown(struct call *call, const struct match *match)
{
    struct bytes method = http_method(call->request);
    struct bytes path = http_path(call->request);

    if (match->route != NULL) {
        call_fail(call, 404, "UnknownOperationException",
                  "Lambda's operation %s is not offered by this version of Pawl.",
                  match->route->name);
    } else if (match->other != NULL) {
        call_fail(call, 405, "MethodNotAllowedException",
                  "%.*s is not a method of this path: %s is (%s).", (int)method.len,
                  (const char *)method.data, match->other->method, match->other->name);
    } else {
        call_fail(call, 404, "UnknownOperationException", "There is no operation %.*s %.*s.",
                  (int)method.len, (const char *)method.data,
                  (int)((path.len < 256) ? path.len : 256), (const char *)path.data);
    }
}

static bool is_encoded_well(struct call *call)
{
    if (!percent_is_well_formed(http_path(call->request)) ||
        !percent_is_well_formed(http_query(call->request))) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The percent-encoding of the path or query is malformed.");
        return false;
    }
    return true;
}

static void dispatch(struct call *call, const struct match *match)
{
    if (!is_encoded_well(call)) {
        return;
    }
    if (match->route == NULL || match->route->handle == NULL) {
        refuse_unknown(call, match);
        return;
    }
    if (call->principal.is_environment && !is_for_environments(match->route)) {
        call_fail(call, 403, "AccessDeniedException",
                  "%s is not for functions: call it from outside.", match->route->name);
        return;
    }
    if (match->route->is_operator && !call->principal.is_operator) {
        call_fail(call, 403, "AccessDeniedException",
                  "%s is for the operator: use the daemon's unix socket.", match->route->name);
        return;
    }
    call->route = match->route;
    memcpy(call->labels, match->labels, sizeof call->labels);
    match->route->handle(call, &call->principal);
}

/* NULL without memory: answered. */
static struct call *open_call(struct service *service, struct http_request *request)
{
    struct call *call = arena_alloc(http_arena(request), sizeof *call);

    if (call == NULL) {
        http_respond(request, 500, NULL, bytes_of(NULL, 0));
        return NULL;
    }
    call->service = service;
    call->request = request;
    call->id = make_id(service);
    return call;
}

static void finish(struct call *call, struct admission *admission)
{
    const struct denial *denial =
        verifier_finish(call->service->verifier, admission, http_body(call->request),
                        moment_now_ms(), &call->principal);
    struct match match;

    if (denial != NULL) {
        call_fail(call, denial->status, denial->name, "%s", denial->message);
        return;
    }
    find(&match, call->request);
    dispatch(call, &match);
}

struct hashing {
    uv_work_t work;
    struct call *call;
    struct admission *admission;
    struct bytes body;
};

static void hash(uv_work_t *work)
{
    struct hashing *hashing = container_of(work, struct hashing, work);

    admission_hash_body(hashing->admission, hashing->body);
}

static void on_hashed(uv_work_t *work, int status)
{
    struct hashing *hashing = container_of(work, struct hashing, work);

    (void)status; /* what was not hashed there is hashed here */
    finish(hashing->call, hashing->admission);
}

/* By a thread, while the loop does something else; false where that cannot be. */
static bool hash_elsewhere(struct call *call, struct admission *admission)
{
    struct bytes body = http_body(call->request);
    struct hashing *hashing = NULL;

    if (body.len < HASH_ELSEWHERE_BYTES_MIN || !admission_wants_hash(admission)) {
        return false;
    }
    hashing = arena_alloc(http_arena(call->request), sizeof *hashing);
    if (hashing == NULL) {
        return false;
    }
    hashing->call = call;
    hashing->admission = admission;
    hashing->body = body;
    return uv_queue_work(call->service->loop, &hashing->work, hash, on_hashed) == 0;
}

void router_handle(void *arg, struct http_request *request)
{
    struct service *service = arg;
    struct admission *admission = http_user(request);
    struct call *call = open_call(service, request);

    if (call == NULL) {
        return;
    }
    http_set_user(request, NULL, NULL);
    if (admission == NULL) {
        call_fail_memory(call);
    } else if (!hash_elsewhere(call, admission)) {
        finish(call, admission);
    }
}

/* --- from inside of an environment -------------------------------------------------------- */

/* What a durable function's SDK calls, and invokes: a function does not manage functions. */
static bool is_for_environments(const struct route *route)
{
    static const char *const names[] = {"Invoke",
                                        "InvokeAsync",
                                        "InvokeWithResponseStream",
                                        "CheckpointDurableExecution",
                                        "GetDurableExecutionState",
                                        "GetDurableExecution",
                                        "GetDurableExecutionHistory",
                                        "ListDurableExecutionsByFunction",
                                        "StopDurableExecution",
                                        "SendDurableExecutionCallbackSuccess",
                                        "SendDurableExecutionCallbackFailure",
                                        "SendDurableExecutionCallbackHeartbeat"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], route->name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the path means is kept with the request until its body is there. */
size_t router_admit_environment(struct service *service, struct http_request *request)
{
    size_t max = STRANGER_BODY_BYTES_MAX;
    struct match *match = arena_alloc(http_arena(request), sizeof *match);

    http_set_user(request, match, NULL);
    if (match != NULL) {
        find(match, request);
        if (match->route != NULL && match->route->handle != NULL) {
            max = limit_of(match->route, request);
        }
    }
    name_refusal(service, request, max);
    return max;
}

void router_handle_environment(struct service *service, struct http_request *request)
{
    const struct match *match = http_user(request);
    struct call *call = open_call(service, request);

    if (call == NULL) {
        return;
    }
    http_set_user(request, NULL, NULL);
    if (match == NULL) {
        call_fail_memory(call);
        return;
    }
    principal_of_environment(TENANT_DEFAULT, &call->principal);
    dispatch(call, match);
}
