#include "engine/driver/function_record.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/functions.h"

#define RECORD_FORMAT 1U
#define RECORD_FORMAT_VERSIONS 2U
#define TEXT_NONE UINT32_MAX /* in place of a length: NULL */

#define FLAG_DURABLE 1U
#define FLAG_PER_TENANT 2U

#define STATE_DELETED 1U

/* --- writing ----------------------------------------------------------------------- */

static void put_number(struct buf *buf, uint64_t value, size_t len)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    buf_append(buf, bytes, len);
}

static void put_bytes(struct buf *buf, struct bytes bytes)
{
    put_number(buf, bytes.len, 4);
    buf_append(buf, bytes.data, bytes.len);
    put_number(buf, 0, 1);
}

static void put_text(struct buf *buf, const char *text)
{
    if (text == NULL) {
        put_number(buf, TEXT_NONE, 4);
    } else {
        put_bytes(buf, bytes_of_text(text));
    }
}

static void put_config(struct buf *buf, const struct function_config *config)
{
    put_text(buf, config->runtime);
    put_text(buf, config->handler);
    put_text(buf, config->role);
    put_text(buf, config->description);
    put_number(buf, config->timeout_s, 4);
    put_number(buf, config->memory_mb, 4);
    put_number(buf, config->tmp_mb, 4);
    put_number(buf, config->concurrency, 4);
    put_number(buf, config->execution_timeout_s, 4);
    put_number(buf, config->retention_days, 4);
    put_number(
        buf,
        (config->is_durable ? FLAG_DURABLE : 0) | (config->is_per_tenant ? FLAG_PER_TENANT : 0), 1);
    put_number(buf, config->env_count, 4);
    for (size_t i = 0; i < config->env_count; i++) {
        put_text(buf, config->env[i]);
    }
    put_bytes(buf, config->raw);
}

void revision_record_put(struct buf *buf, const struct function_revision *revision)
{
    put_number(buf, RECORD_FORMAT_VERSIONS, 1);
    put_number(buf, revision->number, 4);
    put_number(buf, revision->version, 4);
    put_number(buf, revision->is_deleted ? STATE_DELETED : 0, 1);
    buf_append(buf, revision->digest, sizeof revision->digest);
    put_text(buf, revision->code);
    put_number(buf, revision->code_bytes, 8);
    buf_append(buf, revision->revision_id.bytes, sizeof revision->revision_id.bytes);
    put_number(buf, (uint64_t)revision->modified_ms, 8);
    put_config(buf, &revision->config);
}

int revision_digest(const struct function_revision *revision,
                    uint8_t ret_digest[FUNCTION_DIGEST_BYTES])
{
    struct buf buf = {0};
    int r = 0;

    put_text(&buf, revision->code);
    put_config(&buf, &revision->config);
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
    put_number(buf, RECORD_FORMAT_VERSIONS, 1);
    put_text(buf, record->name);
    put_number(buf, (uint64_t)record->created_ms, 8);
    put_number(buf, record->is_deleted, 1);
    put_number(buf, record->last_revision, 4);
    put_number(buf, record->last_version, 4);
}

void archive_record_put(uint8_t out[ARCHIVE_RECORD_BYTES], const struct archive_record *record)
{
    out[0] = RECORD_FORMAT;
    for (size_t i = 0; i < 8; i++) {
        out[1 + i] = (uint8_t)(record->bytes >> (8 * i));
    }
    for (size_t i = 0; i < 4; i++) {
        out[9 + i] = (uint8_t)(record->chunks >> (8 * i));
    }
}

/* --- reading ----------------------------------------------------------------------- */

struct cursor {
    const uint8_t *at;
    size_t left;
    bool is_bad; /* from here on everything is zero */
};

static const uint8_t *take(struct cursor *cursor, size_t len)
{
    const uint8_t *at = cursor->at;

    if (cursor->is_bad || len > cursor->left) {
        cursor->is_bad = true;
        return NULL;
    }
    cursor->at += len;
    cursor->left -= len;
    return at;
}

static uint64_t get_number(struct cursor *cursor, size_t len)
{
    const uint8_t *at = take(cursor, len);
    uint64_t value = 0;

    for (size_t i = 0; at != NULL && i < len; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static uint32_t get_u32(struct cursor *cursor)
{
    return (uint32_t)get_number(cursor, 4);
}

static struct bytes take_bytes(struct cursor *cursor, size_t len)
{
    const uint8_t *at = take(cursor, len);

    if (get_number(cursor, 1) != 0) {
        cursor->is_bad = true;
    }
    return cursor->is_bad ? bytes_of(NULL, 0) : bytes_of(at, len);
}

static const char *get_text(struct cursor *cursor)
{
    uint32_t len = get_u32(cursor);
    struct bytes bytes;

    if (len == TEXT_NONE) {
        return NULL;
    }
    bytes = take_bytes(cursor, len);
    if (bytes.data != NULL && memchr(bytes.data, '\0', bytes.len) != NULL) {
        cursor->is_bad = true;
    }
    return cursor->is_bad ? NULL : (const char *)bytes.data;
}

static int get_env(struct cursor *cursor, struct function_config *config)
{
    uint32_t count = get_u32(cursor);

    if (cursor->is_bad || count > FUNCTION_ENV_MAX) {
        cursor->is_bad = true;
        return 0;
    }
    config->env = mem_calloc(count + 1, sizeof *config->env);
    if (config->env == NULL) {
        return ERR(ERR_NOMEM, "%u environment variables", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        config->env[i] = (char *)(uintptr_t)get_text(cursor);
        cursor->is_bad = cursor->is_bad || config->env[i] == NULL;
    }
    config->env_count = count;
    return 0;
}

static int get_config(struct cursor *cursor, struct function_config *config)
{
    uint8_t flags;
    int r;

    config->runtime = get_text(cursor);
    config->handler = get_text(cursor);
    config->role = get_text(cursor);
    config->description = get_text(cursor);
    config->timeout_s = get_u32(cursor);
    config->memory_mb = get_u32(cursor);
    config->tmp_mb = get_u32(cursor);
    config->concurrency = get_u32(cursor);
    config->execution_timeout_s = get_u32(cursor);
    config->retention_days = get_u32(cursor);
    flags = (uint8_t)get_number(cursor, 1);
    config->is_durable = (flags & FLAG_DURABLE) != 0;
    config->is_per_tenant = (flags & FLAG_PER_TENANT) != 0;
    r = get_env(cursor, config);
    if (r == 0) {
        config->raw = take_bytes(cursor, get_u32(cursor));
    }
    return r;
}

static void get_code(struct cursor *cursor, struct function_revision *revision)
{
    const char *code = get_text(cursor);

    if (code == NULL || !code_is_name(bytes_of_text(code))) {
        cursor->is_bad = true;
        return;
    }
    memcpy(revision->code, code, sizeof revision->code);
}

static void get_id(struct cursor *cursor, struct id *ret_id)
{
    const uint8_t *at = take(cursor, sizeof ret_id->bytes);

    if (at != NULL) {
        memcpy(ret_id->bytes, at, sizeof ret_id->bytes);
    }
}

static struct cursor open_record(struct bytes bytes, uint64_t format_max, uint64_t *ret_format)
{
    struct cursor cursor = {.at = bytes.data, .left = bytes.len};
    uint64_t format = get_number(&cursor, 1);

    if (format < RECORD_FORMAT || format > format_max) {
        cursor.is_bad = true;
    }
    *ret_format = format;
    return cursor;
}

static int check_end(const struct cursor *cursor, const char *what)
{
    if (cursor->is_bad || cursor->left != 0) {
        return ERR(ERR_CORRUPT, "the record of %s does not have the expected form", what);
    }
    return 0;
}

static void get_version(struct cursor *cursor, struct function_revision *revision)
{
    const uint8_t *digest;
    uint64_t state;

    revision->version = get_u32(cursor);
    state = get_number(cursor, 1);
    revision->is_deleted = state == STATE_DELETED;
    if (state > STATE_DELETED || (revision->is_deleted && revision->version == 0)) {
        cursor->is_bad = true;
    }
    digest = take(cursor, sizeof revision->digest);
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
    struct cursor cursor = open_record(bytes, RECORD_FORMAT_VERSIONS, &format);
    int r;

    found.config = (struct function_config){0};
    found.version = 0;
    found.is_deleted = false;
    found.number = get_u32(&cursor);
    if (format >= RECORD_FORMAT_VERSIONS) {
        get_version(&cursor, &found);
    }
    get_code(&cursor, &found);
    found.code_bytes = get_number(&cursor, 8);
    get_id(&cursor, &found.revision_id);
    found.modified_ms = (int64_t)get_number(&cursor, 8);
    r = get_config(&cursor, &found.config);
    if (r == 0) {
        r = check_end(&cursor, "a revision");
    }
    if (r != 0) {
        mem_free(found.config.env);
        return r;
    }
    *ret_revision = found;
    return 0;
}

int function_record_get(struct bytes bytes, struct function_record *ret_record)
{
    uint64_t format;
    struct cursor cursor = open_record(bytes, RECORD_FORMAT_VERSIONS, &format);
    struct function_record record = {.name = get_text(&cursor)};
    int r;

    record.created_ms = (int64_t)get_number(&cursor, 8);
    record.is_deleted = get_number(&cursor, 1) != 0;
    if (format >= RECORD_FORMAT_VERSIONS) {
        record.last_revision = get_u32(&cursor);
        record.last_version = get_u32(&cursor);
    }
    if (record.name == NULL) {
        cursor.is_bad = true;
    }
    r = check_end(&cursor, "a function");
    if (r == 0) {
        *ret_record = record;
    }
    return r;
}

int archive_record_get(struct bytes bytes, struct archive_record *ret_record)
{
    uint64_t format;
    struct cursor cursor = open_record(bytes, RECORD_FORMAT, &format);
    struct archive_record record = {.bytes = get_number(&cursor, 8)};
    int r;

    record.chunks = get_u32(&cursor);
    if (record.bytes > FUNCTION_ARCHIVE_BYTES_MAX || record.chunks != code_chunks(record.bytes)) {
        cursor.is_bad = true;
    }
    r = check_end(&cursor, "an archive");
    if (r == 0) {
        *ret_record = record;
    }
    return r;
}
