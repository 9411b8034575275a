/* Layers and their versions as bytes: what is sealed into their objects, and its keys. */
#include <inttypes.h>

#include "engine/driver/field.h"
#include "engine/driver/function_name.h"
#include "engine/driver/layers.h"

#define LAYER_FORMAT 1U

void layer_record_put(struct buf *buf, const struct layer_record *record)
{
    field_put_number(buf, LAYER_FORMAT, 1);
    field_put_text(buf, record->name);
    field_put_number(buf, record->last_version, 4);
}

int layer_record_get(struct bytes bytes, struct layer_record *ret_record)
{
    uint64_t format;
    struct field_cursor cursor = field_open(bytes, LAYER_FORMAT, &format);
    struct layer_record record = {.name = field_text(&cursor)};
    int r;

    record.last_version = field_u32(&cursor);
    if (record.name == NULL || !function_name_is_plain(bytes_of_text(record.name))) {
        cursor.is_bad = true;
    }
    r = field_check_end(&cursor, "a layer");
    if (r == 0) {
        *ret_record = record;
    }
    return r;
}

void layer_version_record_put(struct buf *buf, const struct layer_version *version)
{
    field_put_number(buf, LAYER_FORMAT, 1);
    field_put_text(buf, version->layer->name);
    field_put_number(buf, version->version, 4);
    field_put_number(buf, (uint64_t)version->created_ms, 8);
    field_put_text(buf, version->code);
    field_put_number(buf, version->code_bytes, 8);
    field_put_bytes(buf, version->about);
    field_put_number(buf, version->policy.data != NULL, 1);
    field_put_bytes(buf, version->policy);
}

int layer_version_record_get(struct bytes bytes, const char **ret_name,
                             struct layer_version *ret_version)
{
    uint64_t format;
    struct field_cursor cursor = field_open(bytes, LAYER_FORMAT, &format);
    const char *name = field_text(&cursor);
    struct layer_version found = *ret_version;
    bool has_policy;
    int r;

    found.version = field_u32(&cursor);
    found.created_ms = (int64_t)field_number(&cursor, 8);
    found.code = field_text(&cursor);
    found.code_bytes = field_number(&cursor, 8);
    found.about = field_bytes(&cursor);
    has_policy = field_number(&cursor, 1) != 0;
    found.policy = field_bytes(&cursor);
    if (!has_policy) {
        found.policy = (struct bytes){0};
    }
    if (name == NULL || found.version == 0 || found.code == NULL ||
        !code_is_name(bytes_of_text(found.code))) {
        cursor.is_bad = true;
    }
    r = field_check_end(&cursor, "a layer version");
    if (r == 0) {
        *ret_name = name;
        *ret_version = found;
    }
    return r;
}

/* --- keys ------------------------------------------------------------------------------- */

static void hash_name(const struct functions *functions, struct bytes name,
                      char text[ID_TEXT_LEN + 1])
{
    struct id hash;

    seal_hash(functions->keys, name, &hash);
    id_format(&hash, text);
}

void layer_key(struct object_key *ret_key, const struct functions *functions, struct bytes name)
{
    char text[ID_TEXT_LEN + 1];

    hash_name(functions, name, text);
    object_key_format(ret_key, functions->tenant, "layer/%s", text);
}

void layer_version_key(struct object_key *ret_key, const struct functions *functions,
                       struct bytes name, uint32_t version)
{
    char text[ID_TEXT_LEN + 1];

    hash_name(functions, name, text);
    object_key_format(ret_key, functions->tenant, "layer-version/%s/%010" PRIu32, text, version);
}
