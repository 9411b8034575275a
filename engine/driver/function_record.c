#include "engine/driver/function_record.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/field.h"
#include "engine/driver/functions.h"

#define RECORD_FORMAT 1U
#define RECORD_FORMAT_VERSIONS 2U
#define RECORD_FORMAT_LAYERS 3U
#define ARCHIVE_FORMAT 2U

#define FLAG_DURABLE 1U
#define FLAG_PER_TENANT 2U

#define STATE_DELETED 1U

/* --- writing ----------------------------------------------------------------------- */

static void put_config(struct buf *buf, const struct function_config *config)
{
    field_put_text(buf, config->runtime);
    field_put_text(buf, config->handler);
    field_put_text(buf, config->role);
    field_put_text(buf, config->description);
    field_put_number(buf, config->timeout_s, 4);
    field_put_number(buf, config->memory_mb, 4);
    field_put_number(buf, config->tmp_mb, 4);
    field_put_number(buf, config->concurrency, 4);
    field_put_number(buf, config->execution_timeout_s, 4);
    field_put_number(buf, config->retention_days, 4);
    field_put_number(
        buf,
        (config->is_durable ? FLAG_DURABLE : 0) | (config->is_per_tenant ? FLAG_PER_TENANT : 0), 1);
    field_put_number(buf, config->env_count, 4);
    for (size_t i = 0; i < config->env_count; i++) {
        field_put_text(buf, config->env[i]);
    }
    field_put_bytes(buf, config->raw);
}

static void put_layers(struct buf *buf, const struct function_config *config)
{
    field_put_number(buf, config->layer_count, 1);
    for (size_t i = 0; i < config->layer_count; i++) {
        field_put_text(buf, config->layers[i].arn);
        field_put_text(buf, config->layers[i].code);
        field_put_number(buf, config->layers[i].code_bytes, 8);
    }
}

void revision_record_put(struct buf *buf, const struct function_revision *revision)
{
    bool has_layers = revision->config.layer_count > 0;

    field_put_number(buf, has_layers ? RECORD_FORMAT_LAYERS : RECORD_FORMAT_VERSIONS, 1);
    field_put_number(buf, revision->number, 4);
    field_put_number(buf, revision->version, 4);
    field_put_number(buf, revision->is_deleted ? STATE_DELETED : 0, 1);
    buf_append(buf, revision->digest, sizeof revision->digest);
    field_put_text(buf, revision->code);
    field_put_number(buf, revision->code_bytes, 8);
    buf_append(buf, revision->revision_id.bytes, sizeof revision->revision_id.bytes);
    field_put_number(buf, (uint64_t)revision->modified_ms, 8);
    put_config(buf, &revision->config);
    if (has_layers) {
        put_layers(buf, &revision->config);
    }
}

int revision_digest(const struct function_revision *revision,
                    uint8_t ret_digest[FUNCTION_DIGEST_BYTES])
{
    struct buf buf = {0};
    int r = 0;

    field_put_text(&buf, revision->code);
    put_config(&buf, &revision->config);
    if (revision->config.layer_count > 0) { /* without them it stays what it was */
        put_layers(&buf, &revision->config);
    }
    if (buf.failed) {
        r = ERR(ERR_NOMEM, "digest of a revision");
    } else {
        seal_sha256(buf_bytes(&buf), ret_digest);
    }
    if (buf.data != NULL) {
        explicit_bzero(buf.data, buf.cap);
    }
    buf_fini(&buf);
    return r;
}

void function_record_put(struct buf *buf, const struct function_record *record)
{
    field_put_number(buf, RECORD_FORMAT_VERSIONS, 1);
    field_put_text(buf, record->name);
    field_put_number(buf, (uint64_t)record->created_ms, 8);
    field_put_number(buf, record->is_deleted, 1);
    field_put_number(buf, record->last_revision, 4);
    field_put_number(buf, record->last_version, 4);
}

void archive_record_put(uint8_t out[ARCHIVE_RECORD_BYTES], const struct archive_record *record)
{
    out[0] = ARCHIVE_FORMAT;
    for (size_t i = 0; i < 8; i++) {
        out[1 + i] = (uint8_t)(record->bytes >> (8 * i));
    }
    for (size_t i = 0; i < 4; i++) {
        out[9 + i] = (uint8_t)(record->chunks >> (8 * i));
    }
    for (size_t i = 0; i < 8; i++) {
        out[13 + i] = (uint8_t)(record->unpacked_bytes >> (8 * i));
    }
}

/* --- reading ----------------------------------------------------------------------- */

static int get_env(struct field_cursor *cursor, struct function_config *config)
{
    uint32_t count = field_u32(cursor);

    if (cursor->is_bad || count > FUNCTION_ENV_MAX) {
        cursor->is_bad = true;
        return 0;
    }
    config->env = mem_calloc(count + 1, sizeof *config->env);
    if (config->env == NULL) {
        return ERR(ERR_NOMEM, "%u environment variables", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        config->env[i] = (char *)(uintptr_t)field_text(cursor);
        cursor->is_bad = cursor->is_bad || config->env[i] == NULL;
    }
    config->env_count = count;
    return 0;
}

static int get_config(struct field_cursor *cursor, struct function_config *config)
{
    uint8_t flags;
    int r;

    config->runtime = field_text(cursor);
    config->handler = field_text(cursor);
    config->role = field_text(cursor);
    config->description = field_text(cursor);
    config->timeout_s = field_u32(cursor);
    config->memory_mb = field_u32(cursor);
    config->tmp_mb = field_u32(cursor);
    config->concurrency = field_u32(cursor);
    config->execution_timeout_s = field_u32(cursor);
    config->retention_days = field_u32(cursor);
    flags = (uint8_t)field_number(cursor, 1);
    config->is_durable = (flags & FLAG_DURABLE) != 0;
    config->is_per_tenant = (flags & FLAG_PER_TENANT) != 0;
    r = get_env(cursor, config);
    if (r == 0) {
        config->raw = field_bytes(cursor);
    }
    return r;
}

static int get_layers(struct field_cursor *cursor, struct function_config *config)
{
    uint64_t count = field_number(cursor, 1);

    if (cursor->is_bad || count == 0 || count > FUNCTION_LAYERS_MAX) {
        cursor->is_bad = true;
        return 0;
    }
    config->layers = mem_calloc(count, sizeof *config->layers);
    if (config->layers == NULL) {
        return ERR(ERR_NOMEM, "layers of a revision");
    }
    config->layer_count = count;
    for (uint64_t i = 0; i < count; i++) {
        struct function_layer *layer = &config->layers[i];

        layer->arn = field_text(cursor);
        layer->code = field_text(cursor);
        layer->code_bytes = field_number(cursor, 8);
        if (layer->arn == NULL || layer->code == NULL ||
            !code_is_name(bytes_of_text(layer->code))) {
            cursor->is_bad = true;
        }
    }
    return 0;
}

static void get_code(struct field_cursor *cursor, struct function_revision *revision)
{
    const char *code = field_text(cursor);

    if (code == NULL || !code_is_name(bytes_of_text(code))) {
        cursor->is_bad = true;
        return;
    }
    memcpy(revision->code, code, sizeof revision->code);
}

static void get_id(struct field_cursor *cursor, struct id *ret_id)
{
    const uint8_t *at = field_take(cursor, sizeof ret_id->bytes);

    if (at != NULL) {
        memcpy(ret_id->bytes, at, sizeof ret_id->bytes);
    }
}

static void get_version(struct field_cursor *cursor, struct function_revision *revision)
{
    const uint8_t *digest;
    uint64_t state;

    revision->version = field_u32(cursor);
    state = field_number(cursor, 1);
    revision->is_deleted = state == STATE_DELETED;
    if (state > STATE_DELETED || (revision->is_deleted && revision->version == 0)) {
        cursor->is_bad = true;
    }
    digest = field_take(cursor, sizeof revision->digest);
    if (digest != NULL) {
        memcpy(revision->digest, digest, sizeof revision->digest);
    }
}

bool revision_record_is_listed(struct bytes bytes)
{
    return bytes.len > 0 && bytes.data[0] >= RECORD_FORMAT_VERSIONS;
}

int revision_record_get(struct bytes bytes, struct function_revision *ret_revision)
{
    struct function_revision found = *ret_revision;
    uint64_t format;
    struct field_cursor cursor = field_open(bytes, RECORD_FORMAT_LAYERS, &format);
    int r;

    found.config = (struct function_config){0};
    found.version = 0;
    found.is_deleted = false;
    found.number = field_u32(&cursor);
    if (format >= RECORD_FORMAT_VERSIONS) {
        get_version(&cursor, &found);
    }
    get_code(&cursor, &found);
    found.code_bytes = field_number(&cursor, 8);
    get_id(&cursor, &found.revision_id);
    found.modified_ms = (int64_t)field_number(&cursor, 8);
    r = get_config(&cursor, &found.config);
    if (r == 0 && format >= RECORD_FORMAT_LAYERS) {
        r = get_layers(&cursor, &found.config);
    }
    if (r == 0) {
        r = field_check_end(&cursor, "a revision");
    }
    if (r != 0) {
        mem_free(found.config.env);
        mem_free(found.config.layers);
        return r;
    }
    *ret_revision = found;
    return 0;
}

int function_record_get(struct bytes bytes, struct function_record *ret_record)
{
    uint64_t format;
    struct field_cursor cursor = field_open(bytes, RECORD_FORMAT_VERSIONS, &format);
    struct function_record record = {.name = field_text(&cursor)};
    int r;

    record.created_ms = (int64_t)field_number(&cursor, 8);
    record.is_deleted = field_number(&cursor, 1) != 0;
    if (format >= RECORD_FORMAT_VERSIONS) {
        record.last_revision = field_u32(&cursor);
        record.last_version = field_u32(&cursor);
    }
    if (record.name == NULL) {
        cursor.is_bad = true;
    }
    r = field_check_end(&cursor, "a function");
    if (r == 0) {
        *ret_record = record;
    }
    return r;
}

int archive_record_get(struct bytes bytes, struct archive_record *ret_record)
{
    uint64_t format;
    struct field_cursor cursor = field_open(bytes, ARCHIVE_FORMAT, &format);
    struct archive_record record = {.bytes = field_number(&cursor, 8)};
    int r;

    record.chunks = field_u32(&cursor);
    record.unpacked_bytes = (format >= ARCHIVE_FORMAT) ? field_number(&cursor, 8) : 0;
    if (record.bytes > FUNCTION_ARCHIVE_BYTES_MAX || record.chunks != code_chunks(record.bytes)) {
        cursor.is_bad = true;
    }
    r = field_check_end(&cursor, "an archive");
    if (r == 0) {
        *ret_record = record;
    }
    return r;
}
