#include "sdk/cli/put.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/json.h"
#include "sdk/cli/arguments.h"
#include "sdk/cli/complain.h"

void cli_put_object(struct buf *json, const char *key)
{
    if (key != NULL) {
        json_key(json, key);
    }
    json_open(json, '{');
}

void cli_put_end(struct buf *json)
{
    json_close(json, '}');
}

void cli_put_text(struct buf *json, const char *key, const char *text)
{
    json_key(json, key);
    json_text(json, text);
}

void cli_put_bytes(struct buf *json, struct bytes key, struct bytes text)
{
    json_element(json);
    json_quoted(json, key);
    buf_append(json, ":", 1);
    json_quoted(json, text);
}

void cli_put_number(struct buf *json, const char *key, int64_t number)
{
    json_key(json, key);
    json_int(json, number);
}

void cli_put_element(struct buf *json, const char *text)
{
    json_element(json);
    json_text(json, text);
}

void cli_put_texts(struct buf *json, const char *key, const struct cli_arguments *arguments,
                   const char *option)
{
    const char *text;

    json_key(json, key);
    json_open(json, '[');
    for (size_t i = 0; (text = cli_argument(arguments, option, i)) != NULL; i++) {
        cli_put_element(json, text);
    }
    json_close(json, ']');
}

int cli_put_path(struct buf *json, const char *key, const char *path)
{
    char here[4096];
    struct buf absolute = {0};

    if (path[0] != '/') {
        if (getcwd(here, sizeof here) == NULL) {
            return cli_complain(CLI_USAGE, "cannot tell the current directory: %s",
                                strerror(errno));
        }
        buf_printf(&absolute, "%s/", here);
    }
    buf_append_text(&absolute, path);
    cli_put_bytes(json, bytes_of_text(key), buf_bytes(&absolute));
    json->failed = json->failed || absolute.failed;
    buf_fini(&absolute);
    return 0;
}

void cli_put_raw(struct buf *json, const char *key, struct bytes value)
{
    json_key(json, key);
    buf_append(json, value.data, value.len);
}

void cli_put_key(struct buf *json, const char *key)
{
    json_key(json, key);
}
