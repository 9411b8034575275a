#include "sdk/cli/layers.h"

#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"

/* An ARN is NAME:VERSION with more words in front; the daemon knows whose it is by the layer's
 * ARN, which is all but the last word. */
int cli_layer_path(struct buf *path, const char *name)
{
    const char *colon = strrchr(name, ':');
    char layer[256];

    if (colon == NULL || colon == name || colon[1] == '\0' ||
        colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
        (size_t)(colon - name) >= sizeof layer) {
        return cli_complain(CLI_USAGE,
                            "%.300s: give the layer's NAME:VERSION, as 'pawl layer "
                            "list NAME' shows them, or its ARN",
                            name);
    }
    (void)snprintf(layer, sizeof layer, "%.*s", (int)(colon - name), name);
    cli_path_append(path, CLI_LAYERS "/");
    cli_path_append_segment(path, layer);
    cli_path_append(path, "/versions/");
    cli_path_append_segment(path, colon + 1);
    return path->failed ? cli_complain_memory() : 0;
}

static int append_arn(struct buf *json, const struct cli_request *request,
                      const struct cli_reply *reply)
{
    json_t *answer = NULL;
    int r = cli_reply_json(request, reply, &answer);

    if (r == 0) {
        cli_put_element(json, cli_member_text(answer, "LayerVersionArn"));
    }
    json_decref(answer);
    return r;
}

static int resolve(struct cli_session *session, const char *name, struct buf *json)
{
    struct buf path = {0};
    char what[320];
    struct cli_request request = {
        .method = "GET", .path = &path, .what = what, .is_repeatable = true};
    struct cli_reply reply = {0};
    int r = cli_layer_path(&path, name);

    (void)snprintf(what, sizeof what, "find the layer '%.256s'", name);
    if (r == 0) {
        r = cli_request_send(session, &request, &reply);
    }
    if (r == 0) {
        r = append_arn(json, &request, &reply);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_layers_resolve(struct cli_session *session, const struct cli_arguments *arguments,
                       struct buf *json)
{
    const char *name;
    int r = 0;

    buf_append_text(json, "[");
    for (size_t i = 0; r == 0 && (name = cli_argument(arguments, "layer", i)) != NULL; i++) {
        r = resolve(session, name, json);
    }
    buf_append_text(json, "]");
    return (r == 0 && json->failed) ? cli_complain_memory() : r;
}
