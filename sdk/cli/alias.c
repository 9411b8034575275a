/* pawl alias: a name for a version. Whether it exists is asked first; what is not given (a
 * share, a description) is taken away from one that does. */
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"

struct alias {
    struct cli_session *session;
    const struct cli_arguments *arguments;
    const char *function;
    const char *name;
    const char *version; /* NULL: with --delete */
    char what[256];
    struct cli_reply reply; /* the last one */
};

/* --- what is asked ------------------------------------------------------------------ */

static int check_weight(const char *weight)
{
    size_t digits = strspn(weight, "0123456789");
    char *end = NULL;
    double share = (weight[digits] == '=') ? strtod(weight + digits + 1, &end) : -1;

    if (digits == 0 || end == NULL || end == weight + digits + 1 || *end != '\0' ||
        !(share >= 0 && share <= 1)) {
        return cli_complain(CLI_USAGE, "--weight %s: give VERSION=SHARE with a share from 0 to 1",
                            weight);
    }
    return 0;
}

static int check(const struct alias *alias)
{
    const char *weight = cli_argument(alias->arguments, "weight", 0);
    bool is_delete = cli_argument_given(alias->arguments, "delete");

    if (is_delete && alias->version != NULL) {
        return cli_complain(CLI_USAGE, "--delete takes no VERSION: it is the alias that goes");
    }
    if (!is_delete && alias->version == NULL) {
        return cli_complain(CLI_USAGE, "give the VERSION that '%s' is to name, or --delete",
                            alias->name);
    }
    return (weight != NULL) ? check_weight(weight) : 0;
}

static void put_body(const struct alias *alias, struct buf *json)
{
    const char *weight = cli_argument(alias->arguments, "weight", 0);
    const char *description = cli_argument(alias->arguments, "description", 0);

    cli_put_object(json, NULL);
    cli_put_text(json, "Name", alias->name);
    cli_put_text(json, "FunctionVersion", alias->version);
    cli_put_text(json, "Description", (description != NULL) ? description : "");
    cli_put_object(json, "RoutingConfig");
    cli_put_object(json, "AdditionalVersionWeights");
    if (weight != NULL) {
        size_t digits = strspn(weight, "0123456789");
        char text[32];
        struct buf version = {0};

        buf_append(&version, weight, digits);
        buf_append(&version, "", 1);
        (void)snprintf(text, sizeof text, "%.15g", strtod(weight + digits + 1, NULL));
        if (!version.failed) {
            cli_put_raw(json, (const char *)version.data, bytes_of_text(text));
        }
        json->failed = json->failed || version.failed;
        buf_fini(&version);
    }
    cli_put_end(json);
    cli_put_end(json);
    cli_put_end(json);
}

/* --- requests ----------------------------------------------------------------------- */

static int send(struct alias *alias, struct cli_request *request, const char *method,
                const struct buf *body)
{
    struct buf path = {0};
    bool is_new = strcmp(method, "POST") == 0;
    int r;

    cli_reply_fini(&alias->reply);
    cli_path_append_function(&path, alias->function, is_new ? "/aliases" : "/aliases/");
    if (!is_new) {
        cli_path_append_segment(&path, alias->name);
    }
    *request = (struct cli_request){
        .method = method, .path = &path, .what = alias->what, .is_repeatable = !is_new};
    if (body != NULL) {
        request->body = buf_bytes(body);
        request->content_type = "application/json";
        path.failed = path.failed || body->failed;
    }
    r = cli_request_try(alias->session, request, &alias->reply);
    request->path = NULL; /* for the complaint it is not needed */
    buf_fini(&path);
    return r;
}

/* A missing function is found out by the POST. */
static int look(struct alias *alias, bool *ret_exists)
{
    struct cli_request request;
    int r = send(alias, &request, "GET", NULL);
    const char *type;

    if (r != 0) {
        return r;
    }
    type = cli_reply_header(alias->session, "x-amzn-errortype");
    *ret_exists = alias->reply.status != 404 || type == NULL || strstr(type, "NotFound") == NULL;
    return *ret_exists ? cli_reply_check(alias->session, &request, &alias->reply) : 0;
}

static int put(struct alias *alias, bool exists)
{
    struct cli_request request;
    struct buf body = {0};
    int r;

    put_body(alias, &body);
    r = send(alias, &request, exists ? "PUT" : "POST", &body);
    r = (r == 0) ? cli_reply_check(alias->session, &request, &alias->reply) : r;
    buf_fini(&body);
    return r;
}

static void print(struct alias *alias, const char *verb)
{
    struct cli_session *session = alias->session;
    const char *weight = cli_argument(alias->arguments, "weight", 0);

    if (session->is_json) {
        cli_session_print(session, (alias->reply.body.len > 0) ? buf_bytes(&alias->reply.body)
                                                               : bytes_of_text("{}"));
    } else if (alias->version == NULL) {
        (void)fprintf(session->out, "%s %s:%s\n", verb, alias->function, alias->name);
    } else {
        (void)fprintf(session->out, "%s %s:%s: version %s%s%s\n", verb, alias->function,
                      alias->name, alias->version, (weight != NULL) ? ", share " : "",
                      (weight != NULL) ? weight : "");
    }
}

static int run_delete(struct alias *alias)
{
    struct cli_request request;
    int r = send(alias, &request, "DELETE", NULL);

    r = (r == 0) ? cli_reply_check(alias->session, &request, &alias->reply) : r;
    if (r == 0) {
        print(alias, "deleted");
    }
    return r;
}

static int run_put(struct alias *alias)
{
    bool exists = false;
    int r = look(alias, &exists);

    r = (r == 0) ? put(alias, exists) : r;
    if (r == 0) {
        print(alias, exists ? "moved" : "created");
    }
    return r;
}

int cli_run_alias(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct alias alias = {.session = session,
                          .arguments = arguments,
                          .function = cli_operand(arguments, 0),
                          .name = cli_operand(arguments, 1),
                          .version = cli_operand(arguments, 2)};
    int r = check(&alias);

    (void)snprintf(alias.what, sizeof alias.what, "%s alias '%s' of '%s'",
                   (alias.version != NULL) ? "set" : "delete", alias.name, alias.function);
    if (r == 0) {
        r = (alias.version != NULL) ? run_put(&alias) : run_delete(&alias);
    }
    cli_reply_fini(&alias.reply);
    return r;
}
