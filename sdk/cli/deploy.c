/* pawl deploy: creates a function, or updates its code and then its settings.
 *
 * Whether it exists is asked first. Between the two halves of an update the daemon
 * may still be taking in the code; the settings wait for that. When the second half
 * is refused, the first has happened: the complaint says so. */
#include <inttypes.h>
#include <string.h>

#include "sdk/cli/archive.h"
#include "sdk/cli/base64.h"
#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/layers.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"
#include "sdk/cli/settings.h"
#include "sdk/cli/when.h"

#define ROLE "arn:aws:iam::123456789012:role/pawl" /* required by the API, unused here */
#define SETTLE_MS_MAX 60000
#define SETTLE_POLL_MS 100
#define UPLOAD_TIMEOUT_S 600

struct deploy {
    struct cli_session *session;
    const struct cli_arguments *arguments;
    const char *name;
    struct cli_archive archive;
    struct buf layers; /* a JSON array of ARNs */
    char what[256];
    struct cli_reply reply; /* the last one */
    json_t *json;           /* and what it says */
};

/* One request; the answer's JSON is then in deploy->json, also when it is refused. */
static int ask(struct deploy *deploy, const char *method, const char *rest, const struct buf *body,
               struct cli_request *request)
{
    struct buf path = {0};
    int r;

    cli_reply_fini(&deploy->reply);
    json_decref(deploy->json);
    deploy->json = NULL;
    if (strcmp(method, "POST") == 0) {
        cli_path_append(&path, "/2015-03-31/functions");
    } else {
        cli_path_append_function(&path, deploy->name, rest);
    }
    *request = (struct cli_request){.method = method,
                                    .path = &path,
                                    .what = deploy->what,
                                    .is_repeatable = strcmp(method, "POST") != 0,
                                    .timeout_s = UPLOAD_TIMEOUT_S};
    if (body != NULL) {
        request->body = buf_bytes(body);
        request->content_type = "application/json";
        path.failed = path.failed || body->failed;
    }
    r = cli_request_try(deploy->session, request, &deploy->reply);
    if (r == 0) {
        deploy->json = json_loadb((const char *)deploy->reply.body.data, deploy->reply.body.len,
                                  JSON_ALLOW_NUL, NULL);
    }
    request->path = NULL; /* it was for this; the caller has the answer to judge */
    buf_fini(&path);
    return r;
}

static int ask_and_check(struct deploy *deploy, const char *method, const char *rest,
                         const struct buf *body)
{
    struct cli_request request;
    int r = ask(deploy, method, rest, body, &request);

    return (r == 0) ? cli_reply_check(deploy->session, &request, &deploy->reply) : r;
}

static int look(struct deploy *deploy, bool *ret_exists)
{
    struct cli_request request;
    int r = ask(deploy, "GET", "", NULL, &request);
    const char *type;

    if (r != 0) {
        return r;
    }
    type = cli_reply_header(deploy->session, "x-amzn-errortype");
    if (deploy->reply.status == 404 && type != NULL && strstr(type, "NotFound") != NULL) {
        *ret_exists = false;
        return 0;
    }
    *ret_exists = true;
    return cli_reply_check(deploy->session, &request, &deploy->reply);
}

static void add_zip(const struct deploy *deploy, struct buf *json)
{
    cli_put_key(json, "ZipFile");
    buf_append_text(json, "\"");
    cli_base64_append(json, buf_bytes(&deploy->archive.zip));
    buf_append_text(json, "\"");
}

/* --- the requests --------------------------------------------------------------- */

static bool is_told_how(const struct cli_arguments *arguments)
{
    return cli_argument_given(arguments, "runtime") && cli_argument_given(arguments, "handler");
}

static int create(struct deploy *deploy)
{
    struct buf json = {0};
    int r;

    if (cli_settings_has_durable_numbers(deploy->arguments) &&
        !cli_argument_given(deploy->arguments, "durable")) {
        return cli_complain(CLI_USAGE, "--execution-timeout and --retention are for durable "
                                       "functions: add --durable");
    }
    if (deploy->archive.runtime == NULL && !is_told_how(deploy->arguments)) {
        return cli_complain(CLI_USAGE,
                            "%s holds neither 'bootstrap' nor index.mjs, index.js or app.py: say "
                            "what runs it with --runtime and --handler",
                            cli_operand(deploy->arguments, 1));
    }
    cli_put_object(&json, NULL);
    cli_put_text(&json, "FunctionName", deploy->name);
    cli_put_text(&json, "Role", ROLE);
    cli_settings_append_text(&json, deploy->arguments, "runtime", "Runtime",
                             deploy->archive.runtime);
    cli_settings_append_text(&json, deploy->arguments, "handler", "Handler",
                             deploy->archive.handler);
    cli_settings_append(&json, deploy->arguments);
    cli_settings_append_layers(&json, deploy->arguments, &deploy->layers);
    if (cli_argument_given(deploy->arguments, "durable")) {
        cli_settings_append_durable(&json, deploy->arguments, true);
    }
    cli_put_object(&json, "Code");
    add_zip(deploy, &json);
    cli_put_end(&json);
    cli_put_end(&json);
    r = ask_and_check(deploy, "POST", "", &json);
    buf_fini(&json);
    return r;
}

static int update_code(struct deploy *deploy)
{
    struct buf json = {0};
    int r;

    cli_put_object(&json, NULL);
    add_zip(deploy, &json);
    cli_put_end(&json);
    r = ask_and_check(deploy, "PUT", "/code", &json);
    buf_fini(&json);
    return r;
}

static int update_settings(struct deploy *deploy, bool was_durable)
{
    struct buf json = {0};
    bool wants_durable = cli_argument_given(deploy->arguments, "durable") && !was_durable;
    int r = 0;

    cli_put_object(&json, NULL);
    cli_settings_append_text(&json, deploy->arguments, "runtime", "Runtime", NULL);
    cli_settings_append_text(&json, deploy->arguments, "handler", "Handler", NULL);
    cli_settings_append(&json, deploy->arguments);
    cli_settings_append_layers(&json, deploy->arguments, &deploy->layers);
    if (wants_durable || cli_settings_has_durable_numbers(deploy->arguments)) {
        cli_settings_append_durable(&json, deploy->arguments, wants_durable);
    }
    cli_put_end(&json);
    if (json.failed || json.len > 2) { /* more than {} */
        (void)snprintf(deploy->what, sizeof deploy->what,
                       "change the settings of '%s' (its code is updated)", deploy->name);
        r = ask_and_check(deploy, "PUT", "/configuration", &json);
    }
    buf_fini(&json);
    return r;
}

/* The function's configuration in the last answer: GetFunction wraps it. */
static const json_t *configuration(const struct deploy *deploy)
{
    const json_t *inner = cli_member(deploy->json, "Configuration");

    return (inner != NULL) ? inner : deploy->json;
}

static bool is_settled(const struct deploy *deploy)
{
    const json_t *now = configuration(deploy);

    return strcmp(cli_member_text(now, "State"), "Pending") != 0 &&
           strcmp(cli_member_text(now, "LastUpdateStatus"), "InProgress") != 0;
}

/* Waits until the daemon has taken in what it was given. */
static int settle(struct deploy *deploy)
{
    int64_t until_ms = cli_elapsed_ms() + SETTLE_MS_MAX;
    const json_t *now;
    int r = 0;

    while (r == 0 && !is_settled(deploy) && cli_elapsed_ms() < until_ms) {
        cli_sleep_ms(SETTLE_POLL_MS);
        r = ask_and_check(deploy, "GET", "", NULL);
    }
    if (r != 0) {
        return r;
    }
    now = configuration(deploy);
    if (!is_settled(deploy)) {
        return cli_complain(CLI_SERVER,
                            "'%s' is stored but not ready after %d s: see 'pawl "
                            "functions'",
                            deploy->name, SETTLE_MS_MAX / 1000);
    }
    if (strcmp(cli_member_text(now, "State"), "Failed") == 0 ||
        strcmp(cli_member_text(now, "LastUpdateStatus"), "Failed") == 0) {
        const char *reason = cli_member_text(now, "StateReason");

        reason = (reason[0] != '\0') ? reason : cli_member_text(now, "LastUpdateStatusReason");
        return cli_complain(CLI_FAILED, "the daemon could not take in '%s': %s", deploy->name,
                            reason[0] != '\0' ? reason : "it gave no reason");
    }
    return 0;
}

/* Settings that are not given stay, also where the new code is for another runtime. */
static void warn_of_runtime(const struct deploy *deploy)
{
    const char *present = cli_member_text(configuration(deploy), "Runtime");
    const char *fitting = deploy->archive.runtime;

    if (fitting != NULL && present[0] != '\0' &&
        !cli_argument_given(deploy->arguments, "runtime") &&
        strncmp(present, fitting, strcspn(fitting, ".0123456789")) != 0) {
        cli_note("note: '%s' keeps its runtime %s, but its new code looks like %s's: --runtime "
                 "and --handler change it",
                 deploy->name, present, fitting);
    }
}

static int update(struct deploy *deploy)
{
    bool was_durable = json_is_object(cli_member(configuration(deploy), "DurableConfig"));
    int r;

    warn_of_runtime(deploy);
    r = update_code(deploy);
    r = (r == 0) ? settle(deploy) : r;
    return (r == 0) ? update_settings(deploy, was_durable) : r;
}

static void print(struct deploy *deploy, bool existed)
{
    const json_t *now = configuration(deploy);

    if (deploy->session->is_json) {
        cli_session_print(deploy->session, buf_bytes(&deploy->reply.body));
        return;
    }
    (void)fprintf(deploy->session->out, "%s %s (%" PRId64 " bytes, sha256 %s)\n",
                  existed ? "updated" : "created", deploy->name, cli_member_number(now, "CodeSize"),
                  cli_member_text(now, "CodeSha256"));
}

static int run(struct deploy *deploy)
{
    bool exists = false;
    int r = cli_archive_make(&deploy->archive, cli_operand(deploy->arguments, 1));

    r = (r == 0) ? cli_layers_resolve(deploy->session, deploy->arguments, &deploy->layers) : r;
    r = (r == 0) ? look(deploy, &exists) : r;
    if (r == 0) {
        r = exists ? update(deploy) : create(deploy);
    }
    r = (r == 0) ? settle(deploy) : r;
    if (r == 0) {
        print(deploy, exists);
    }
    return r;
}

int cli_run_deploy(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct deploy deploy = {
        .session = session, .arguments = arguments, .name = cli_operand(arguments, 0)};
    int r = cli_settings_check(arguments);

    if (r == 0) {
        (void)snprintf(deploy.what, sizeof deploy.what, "deploy '%s'", deploy.name);
        r = run(&deploy);
    }
    cli_archive_fini(&deploy.archive);
    buf_fini(&deploy.layers);
    cli_reply_fini(&deploy.reply);
    json_decref(deploy.json);
    return r;
}
