#include "sdk/cli/put.h"

#include "engine/base/json.h"

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

void cli_put_raw(struct buf *json, const char *key, struct bytes value)
{
    json_key(json, key);
    buf_append(json, value.data, value.len);
}

void cli_put_key(struct buf *json, const char *key)
{
    json_key(json, key);
}
