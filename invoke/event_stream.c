#include "invoke/event_stream.h"

#include "engine/base/json.h"

#define CRC_POLYNOMIAL 0xEDB88320U /* reflected */
#define HEADER_TEXT 7U
#define PRELUDE_BYTES 8U
#define CRC_BYTES 4U

uint32_t event_stream_crc(uint32_t crc, struct bytes bytes)
{
    static uint32_t table[256];

    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t entry = i;

        for (int bit = 0; bit < 8; bit++) {
            entry = (entry >> 1) ^ (((entry & 1) != 0) ? CRC_POLYNOMIAL : 0);
        }
        table[i] = entry;
    }
    crc = ~crc;
    for (size_t i = 0; i < bytes.len; i++) {
        crc = (crc >> 8) ^ table[(crc ^ bytes.data[i]) & 0xff];
    }
    return ~crc;
}

static void put_u32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> (24 - 8 * i));
    }
}

static void append_u32(struct buf *buf, uint32_t number)
{
    uint8_t bytes[4];

    put_u32(bytes, number);
    buf_append(buf, bytes, sizeof bytes);
}

static void put_header(struct buf *buf, const char *name, const char *value)
{
    uint8_t name_len = (uint8_t)strlen(name);
    size_t value_len = strlen(value);
    uint8_t kind[3] = {HEADER_TEXT, (uint8_t)(value_len >> 8), (uint8_t)value_len};

    buf_append(buf, &name_len, 1);
    buf_append_text(buf, name);
    buf_append(buf, kind, sizeof kind);
    buf_append_text(buf, value);
}

/* Lengths and the first checksum are known only behind the headers. */
void event_stream_put(struct buf *buf, const char *event_type, const char *content_type,
                      struct bytes payload)
{
    static const uint8_t blank[PRELUDE_BYTES + CRC_BYTES];
    size_t begun = buf->len;
    size_t headers_len;
    uint8_t *frame;

    buf_append(buf, blank, sizeof blank);
    put_header(buf, ":event-type", event_type);
    put_header(buf, ":content-type", content_type);
    put_header(buf, ":message-type", "event");
    headers_len = buf->len - begun - sizeof blank; /* of no use once it has failed */
    if (buf_reserve(buf, payload.len + CRC_BYTES) == NULL || buf->failed) {
        return;
    }
    buf_append(buf, payload.data, payload.len);
    frame = buf->data + begun;
    put_u32(frame, (uint32_t)(buf->len - begun + CRC_BYTES));
    put_u32(frame + 4, (uint32_t)headers_len);
    put_u32(frame + PRELUDE_BYTES, event_stream_crc(0, bytes_of(frame, PRELUDE_BYTES)));
    append_u32(buf, event_stream_crc(0, bytes_of(frame, buf->len - begun)));
}

void event_stream_put_chunks(struct buf *buf, struct bytes payload)
{
    for (size_t at = 0; at < payload.len; at += EVENT_STREAM_CHUNK_BYTES) {
        size_t left = payload.len - at;

        event_stream_put(buf, "PayloadChunk", "application/octet-stream",
                         bytes_of(payload.data + at, (left < EVENT_STREAM_CHUNK_BYTES)
                                                         ? left
                                                         : EVENT_STREAM_CHUNK_BYTES));
    }
}

static void put_member(struct buf *json, const char *key, struct bytes text)
{
    if (text.len > 0) {
        json_key(json, key);
        json_quoted(json, text);
    }
}

void event_stream_put_end(struct buf *buf, struct bytes error_code, struct bytes error_details,
                          struct bytes log_result)
{
    struct buf json = {0};

    json_open(&json, '{');
    put_member(&json, "ErrorCode", error_code);
    put_member(&json, "ErrorDetails", error_details);
    put_member(&json, "LogResult", log_result);
    json_close(&json, '}');
    event_stream_put(buf, "InvokeComplete", "application/json", buf_bytes(&json));
    buf->failed = buf->failed || json.failed;
    buf_fini(&json);
}
