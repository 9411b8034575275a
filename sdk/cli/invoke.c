/* pawl invoke: one run of a function, or one execution of a durable one.
 *
 * A durable function must be invoked with a qualifier. So a plain name is looked up
 * first; if it is durable, $LATEST is meant. Such an invoke, and an asynchronous one,
 * carries an invocation id and is safe to repeat when the connection is lost: the
 * daemon attaches it to what it has started. An ordinary synchronous one is not. */
#include <string.h>

#include "sdk/cli/base64.h"
#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/payload.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"
#include "sdk/cli/text.h"

#define WHAT_MAX 256
#define HEADER_MAX 512
#define INVOKE_TIMEOUT_S 5460 /* the longest timeout of a function, and a minute */

struct invoke {
    struct cli_session *session;
    const struct cli_arguments *arguments;
    const char *name;
    const char *qualifier; /* NULL: none is sent */
    bool is_async;
    bool is_durable;
    char what[WHAT_MAX];
    char headers[CLI_HEADERS_MAX][HEADER_MAX];
    size_t header_count;
    struct buf payload;
    struct cli_reply reply;
};

static int look_up(struct invoke *invoke)
{
    struct buf path = {0};
    struct cli_request request = {
        .method = "GET", .path = &path, .what = invoke->what, .is_repeatable = true};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r;

    cli_path_append_function(&path, invoke->name, "");
    r = cli_request_send(invoke->session, &request, &reply);
    r = (r == 0) ? cli_reply_json(&request, &reply, &json) : r;
    if (r == 0) {
        const json_t *now = cli_member(json, "Configuration");

        invoke->is_durable = json_is_object(cli_member(now, "DurableConfig"));
    }
    if (invoke->is_durable && !cli_function_is_qualified(invoke->name)) {
        invoke->qualifier = "$LATEST";
    }
    json_decref(json);
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

/* An option's value as a header; a line end in it would be a header of its own. */
static int add_header(struct invoke *invoke, const char *name, const char *value)
{
    char *line = invoke->headers[invoke->header_count];

    if (value == NULL) {
        return 0;
    }
    if (strpbrk(value, "\r\n") != NULL ||
        snprintf(line, HEADER_MAX, "%s: %s", name, value) >= HEADER_MAX) {
        return cli_complain(CLI_USAGE, "the value of an option is too long or has line ends: %.64s",
                            value);
    }
    invoke->header_count++;
    return 0;
}

static int add_headers(struct invoke *invoke)
{
    const struct cli_arguments *arguments = invoke->arguments;
    bool wants_log = cli_argument_given(arguments, "log");
    char id[ID_TEXT_LEN + 1];
    int r = cli_invocation_id(id);

    r = (r == 0) ? add_header(invoke, "amz-sdk-invocation-id", id) : r;
    r = (r == 0) ? add_header(invoke, "X-Amz-Invocation-Type",
                              invoke->is_async ? "Event" : "RequestResponse")
                 : r;
    r = (r == 0) ? add_header(invoke, "X-Amz-Log-Type", wants_log ? "Tail" : NULL) : r;
    r = (r == 0)
            ? add_header(invoke, "X-Amz-Durable-Execution-Name", cli_argument(arguments, "name", 0))
            : r;
    return (r == 0) ? add_header(invoke, "X-Amz-Tenant-Id", cli_argument(arguments, "tenant-id", 0))
                    : r;
}

static int send(struct invoke *invoke)
{
    struct buf path = {0};
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .what = invoke->what,
                                  .body = buf_bytes(&invoke->payload),
                                  .content_type = "application/octet-stream",
                                  .is_repeatable = invoke->is_async || invoke->is_durable,
                                  .timeout_s = INVOKE_TIMEOUT_S};
    int r;

    for (size_t i = 0; i < invoke->header_count; i++) {
        request.headers[i] = invoke->headers[i];
    }
    cli_path_append_function(&path, invoke->name, "/invocations");
    cli_path_append_query(&path, "Qualifier", invoke->qualifier);
    r = cli_request_send(invoke->session, &request, &invoke->reply);
    buf_fini(&path);
    return r;
}

/* --- what came back --------------------------------------------------------------- */

static void add_header_member(const struct invoke *invoke, struct buf *json, const char *key,
                              const char *header)
{
    const char *value = cli_reply_header(invoke->session, header);

    if (value != NULL) {
        cli_put_text(json, key, value);
    }
}

/* The payload as the function wrote it, when that is JSON; else as a string (so also
 * for the JSON that the parser does not take: half surrogates, numbers over 1e308). */
static void add_payload_member(const struct invoke *invoke, struct buf *json)
{
    struct bytes body = buf_bytes(&invoke->reply.body);
    json_t *parsed = json_loadb((const char *)body.data, body.len,
                                JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);

    if (parsed != NULL) {
        cli_put_raw(json, "Payload", body);
    } else if (body.len > 0) {
        cli_put_bytes(json, bytes_of_text("Payload"), body);
    }
    json_decref(parsed);
}

static int print_json(struct invoke *invoke)
{
    struct buf json = {0};
    int r = 0;

    cli_put_object(&json, NULL);
    cli_put_number(&json, "StatusCode", invoke->reply.status);
    add_header_member(invoke, &json, "FunctionError", "x-amz-function-error");
    add_header_member(invoke, &json, "ExecutedVersion", "x-amz-executed-version");
    add_header_member(invoke, &json, "DurableExecutionArn", "x-amz-durable-execution-arn");
    add_header_member(invoke, &json, "LogResult", "x-amz-log-result");
    add_payload_member(invoke, &json);
    cli_put_end(&json);
    if (json.failed) {
        r = cli_complain_memory();
    } else {
        cli_session_print(invoke->session, buf_bytes(&json));
    }
    buf_fini(&json);
    return r;
}

static void print_log(const struct invoke *invoke)
{
    const char *encoded = cli_reply_header(invoke->session, "x-amz-log-result");
    struct buf log = {0};
    size_t start = 0;

    if (encoded == NULL || !cli_base64_decode(&log, bytes_of_text(encoded))) {
        buf_fini(&log);
        return;
    }
    for (size_t i = 0; i <= log.len; i++) {
        struct buf line = {0};

        if (i < log.len && log.data[i] != '\n') {
            continue;
        }
        if (i > start || i < log.len) {
            cli_text_append_clean(&line, bytes_of(log.data + start, i - start));
            buf_append(&line, "\n", 1);
            (void)fwrite(line.data, 1, line.len, stderr);
        }
        buf_fini(&line);
        start = i + 1;
    }
    buf_fini(&log);
}

static void complain_stack(const json_t *error)
{
    const json_t *stack = cli_member(error, "stackTrace");
    const json_t *line;
    size_t i;

    stack = (stack != NULL) ? stack : cli_member(error, "trace");
    json_array_foreach(stack, i, line)
    {
        if (json_is_string(line)) {
            cli_note("    %s", json_string_value(line));
        }
    }
}

static int complain_failed(const struct invoke *invoke)
{
    const char *arn = cli_reply_header(invoke->session, "x-amz-durable-execution-arn");
    json_t *error = json_loadb((const char *)invoke->reply.body.data, invoke->reply.body.len,
                               JSON_ALLOW_NUL, NULL);
    const char *type = cli_member_text(error, "errorType");
    const char *message = cli_member_text(error, "errorMessage");

    (void)cli_complain(CLI_FAILED, "function '%s' failed: %s%s%s", invoke->name, type,
                       (type[0] != '\0' && message[0] != '\0') ? ": " : "",
                       (type[0] == '\0' && message[0] == '\0') ? "it gave no reason" : message);
    complain_stack(error);
    if (arn != NULL) {
        cli_note("its events: pawl history '%s'", arn);
    }
    json_decref(error);
    return CLI_FAILED;
}

static int print(struct invoke *invoke)
{
    bool has_failed = cli_reply_header(invoke->session, "x-amz-function-error") != NULL;
    const char *arn = cli_reply_header(invoke->session, "x-amz-durable-execution-arn");
    int r = 0;

    print_log(invoke);
    if (invoke->session->is_json) {
        r = print_json(invoke);
    } else if (invoke->is_async) {
        (void)fprintf(invoke->session->out, "%s\n", (arn != NULL) ? arn : "accepted");
    } else if (!has_failed) {
        cli_session_print(invoke->session, buf_bytes(&invoke->reply.body));
    }
    if (r == 0 && has_failed) {
        return complain_failed(invoke);
    }
    return r;
}

int cli_run_invoke(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct invoke invoke = {.session = session,
                            .arguments = arguments,
                            .name = cli_operand(arguments, 0),
                            .is_async = cli_argument_given(arguments, "async")};
    int r;

    (void)snprintf(invoke.what, sizeof invoke.what, "invoke '%s'", invoke.name);
    if (invoke.is_async && cli_argument_given(arguments, "log")) {
        return cli_complain(CLI_USAGE, "--async has no log to print: use 'pawl logs %s'",
                            invoke.name);
    }
    r = add_headers(&invoke);
    r = (r == 0) ? cli_payload_read(&invoke.payload, cli_operand(arguments, 1)) : r;
    r = (r == 0) ? look_up(&invoke) : r;
    r = (r == 0) ? send(&invoke) : r;
    r = (r == 0) ? print(&invoke) : r;
    buf_fini(&invoke.payload);
    cli_reply_fini(&invoke.reply);
    return r;
}
