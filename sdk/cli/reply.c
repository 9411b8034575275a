/* What an answer means: names and messages of errors, exit codes, JSON. */
#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/member.h"
#include "sdk/cli/request.h"

#define NAME_MAX_BYTES 128
#define MESSAGE_MAX_BYTES 1024

struct refusal {
    char name[NAME_MAX_BYTES]; /* "ResourceNotFoundException", or "" */
    char message[MESSAGE_MAX_BYTES];
};

/* "Name:http://..." is cut at the colon, "prefix#Name" at the hash. */
static void set_name(struct refusal *refusal, const char *text)
{
    const char *hash = strrchr(text, '#');

    text = (hash != NULL) ? hash + 1 : text;
    (void)snprintf(refusal->name, sizeof refusal->name, "%.*s", (int)strcspn(text, ":"), text);
}

static void read_refusal(struct cli_session *session, const struct cli_reply *reply,
                         struct refusal *refusal)
{
    const char *type = cli_reply_header(session, "x-amzn-errortype");
    json_t *json = json_loadb((const char *)reply->body.data, reply->body.len, 0, NULL);
    const char *message = cli_member_text(json, "message");

    message = (message[0] != '\0') ? message : cli_member_text(json, "Message");
    set_name(refusal, (type != NULL) ? type : cli_member_text(json, "__type"));
    (void)snprintf(refusal->message, sizeof refusal->message, "%s", message);
    json_decref(json);
}

static enum cli_exit exit_of(int status, const struct refusal *refusal)
{
    if (status == 404 && strstr(refusal->name, "NotFound") != NULL) {
        return CLI_NOT_FOUND;
    }
    return (status == 429 || status >= 500) ? CLI_SERVER : CLI_REFUSED;
}

int cli_reply_check(struct cli_session *session, const struct cli_request *request,
                    const struct cli_reply *reply)
{
    struct refusal refusal = {0};
    bool has_message;

    if (reply->status >= 200 && reply->status < 300) {
        return 0;
    }
    read_refusal(session, reply, &refusal);
    has_message = refusal.message[0] != '\0';
    if ((reply->status == 404 || reply->status == 405) &&
        exit_of(reply->status, &refusal) != CLI_NOT_FOUND) {
        return cli_complain(CLI_REFUSED, "cannot %s: the daemon does not support it (%d%s%s%s%s)",
                            request->what, reply->status, has_message ? ": " : "", refusal.message,
                            refusal.name[0] != '\0' ? ", " : "", refusal.name);
    }
    if (reply->status == 429) {
        return cli_complain(CLI_SERVER, "cannot %s now: %s: try again later", request->what,
                            has_message ? refusal.message : "there are too many requests");
    }
    return cli_complain(exit_of(reply->status, &refusal), "cannot %s: %s (%d%s%s)", request->what,
                        has_message ? refusal.message : "the daemon gave no reason", reply->status,
                        refusal.name[0] != '\0' ? ", " : "", refusal.name);
}

static json_t *load(const struct cli_reply *reply, size_t flags)
{
    return json_loadb((const char *)reply->body.data, reply->body.len, flags, NULL);
}

int cli_reply_json(const struct cli_request *request, const struct cli_reply *reply,
                   json_t **ret_json)
{
    json_t *json = load(reply, JSON_ALLOW_NUL);

    if (json == NULL) { /* perhaps only for an integer of more than 64 bits */
        json = load(reply, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL);
    }
    if (json == NULL || !json_is_object(json)) {
        json_decref(json);
        return cli_complain(CLI_SERVER, "cannot %s: the daemon's answer is not a JSON object",
                            request->what);
    }
    *ret_json = json;
    return 0;
}
