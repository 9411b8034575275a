#include "journal/frame.h"

#include "journal/layout.h"

void frame_header_put(const struct frame_header *header, uint8_t out[FRAME_HEADER_BYTES])
{
    out[0] = header->format;
    out[1] = header->suite;
    out[2] = header->flags;
    out[3] = header->status;
    put_u32le(out + 4, header->key_epoch);
    put_u64le(out + 8, header->tenant);
    memcpy(out + 16, header->exec_id.bytes, sizeof header->exec_id.bytes);
    put_u64le(out + 32, header->first_event);
    put_u32le(out + 40, header->events);
    put_u32le(out + 44, header->attempt);
    put_u64le(out + 48, header->first_record);
    put_u32le(out + 56, header->records);
    put_u32le(out + 60, header->revision);
    put_u64le(out + 64, (uint64_t)header->time_ms);
    put_u64le(out + 72, (uint64_t)header->wake_ms);
    put_u32le(out + 80, header->patch_marker);
    put_u32le(out + 84, header->opening_len);
    put_u32le(out + 88, header->sealed_len);
    put_u32le(out + 92, header->retention_days);
    memcpy(out + FRAME_AAD_BYTES, header->chain, FRAME_CHAIN_BYTES);
}

void frame_opening_put(const struct frame_opening *opening, uint8_t out[FRAME_OPENING_BYTES])
{
    memset(out, 0, FRAME_OPENING_BYTES);
    memcpy(out, opening->function_id.bytes, sizeof opening->function_id.bytes);
    memcpy(out + 16, opening->name_hash.bytes, sizeof opening->name_hash.bytes);
    put_u64le(out + 32, (uint64_t)opening->start_ms);
    out[40] = opening->kind;
}

static void get_header(const uint8_t *in, struct frame_header *header)
{
    header->format = in[0];
    header->suite = in[1];
    header->flags = in[2];
    header->status = in[3];
    header->key_epoch = get_u32le(in + 4);
    header->tenant = get_u64le(in + 8);
    memcpy(header->exec_id.bytes, in + 16, sizeof header->exec_id.bytes);
    header->first_event = get_u64le(in + 32);
    header->events = get_u32le(in + 40);
    header->attempt = get_u32le(in + 44);
    header->first_record = get_u64le(in + 48);
    header->records = get_u32le(in + 56);
    header->revision = get_u32le(in + 60);
    header->time_ms = (int64_t)get_u64le(in + 64);
    header->wake_ms = (int64_t)get_u64le(in + 72);
    header->patch_marker = get_u32le(in + 80);
    header->opening_len = get_u32le(in + 84);
    header->sealed_len = get_u32le(in + 88);
    header->retention_days = get_u32le(in + 92);
    memcpy(header->chain, in + FRAME_AAD_BYTES, FRAME_CHAIN_BYTES);
}

/* What every reader may rely on: lengths that add up, an execution, numbers that
 * start at 1 and do not wrap, times that sort as unsigned keys. */
static bool is_sound(const struct frame_header *header, size_t len)
{
    bool is_first = (header->flags & FRAME_FIRST) != 0;
    uint64_t opening_min = is_first ? FRAME_OPENING_BYTES : 0;

    return header->format == FRAME_FORMAT && header->suite == FRAME_SUITE &&
           (header->flags & ~(FRAME_FIRST | FRAME_BRIEF)) == 0 &&
           ((header->flags & FRAME_BRIEF) == 0 || header->status > 1) &&
           !id_is_none(&header->exec_id) && header->status >= 1 &&
           header->status < FRAME_STATUSES_MAX && header->first_event >= 1 &&
           header->first_event <= INT64_MAX && header->first_record >= 1 &&
           header->first_record <= INT64_MAX && header->records >= 1 &&
           header->events <= header->records && header->time_ms >= 0 && header->wake_ms >= 0 &&
           (is_first || header->opening_len == 0) && header->opening_len >= opening_min &&
           (uint64_t)FRAME_HEADER_BYTES + header->opening_len + header->sealed_len == len;
}

uint64_t frame_claimed_len(struct bytes start)
{
    if (start.len < FRAME_HEADER_BYTES) {
        return 0;
    }
    return (uint64_t)FRAME_HEADER_BYTES + get_u32le(start.data + 84) + get_u32le(start.data + 88);
}

static void get_opening(struct bytes in, struct frame_opening *opening)
{
    memcpy(opening->function_id.bytes, in.data, sizeof opening->function_id.bytes);
    memcpy(opening->name_hash.bytes, in.data + 16, sizeof opening->name_hash.bytes);
    opening->start_ms = (int64_t)get_u64le(in.data + 32);
    opening->kind = in.data[40];
    opening->title = bytes_of(in.data + FRAME_OPENING_BYTES, in.len - FRAME_OPENING_BYTES);
}

bool frame_parse(struct bytes frame, struct frame_header *ret_header,
                 struct frame_opening *ret_opening, struct bytes *ret_sealed)
{
    struct frame_header header;
    struct frame_opening opening = {0};
    struct bytes rest;

    if (frame.len < FRAME_HEADER_BYTES) {
        return false;
    }
    get_header(frame.data, &header);
    if (!is_sound(&header, frame.len)) {
        return false;
    }
    rest = bytes_of(frame.data + FRAME_HEADER_BYTES, frame.len - FRAME_HEADER_BYTES);
    if ((header.flags & FRAME_FIRST) != 0) {
        get_opening(bytes_of(rest.data, header.opening_len), &opening);
        if (opening.start_ms < 0) {
            return false;
        }
    }
    *ret_header = header;
    *ret_opening = opening;
    *ret_sealed = bytes_of(rest.data + header.opening_len, header.sealed_len);
    return true;
}
