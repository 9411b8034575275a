/* The framing of the native protocol. The first byte says how: even, the rest is what
 * the other side sent, in portions; odd, the rest is cut into messages that are written
 * and must be read as they were. */
#include <stdlib.h>

#include "engine/base/err.h"
#include "sdk/wire/frame.h"
#include "tests/fuzz/target.h"

/* Gives the reader the next portion; false when nothing is left. */
static bool push(struct frame_reader *reader, struct bytes *rest, size_t portion)
{
    uint8_t *room;
    size_t len = frame_reader_room(reader, &room);

    assert(len > 0);
    len = (len < portion) ? len : portion;
    len = (len < rest->len) ? len : rest->len;
    if (len == 0) {
        return false;
    }
    memcpy(room, rest->data, len);
    frame_reader_pushed(reader, len);
    rest->data += len;
    rest->len -= len;
    return true;
}

static uint8_t sum_of(struct bytes bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        sum = (uint8_t)(sum + bytes.data[i]);
    }
    return sum;
}

static void read_anything(struct frame_reader *reader, struct bytes rest, size_t portion)
{
    volatile uint8_t sum = 0;
    struct frame frame;
    int r = 0;

    while (r == 0 && push(reader, &rest, portion)) {
        while ((r = frame_reader_next(reader, &frame)) == 1) {
            sum = (uint8_t)(sum + sum_of(frame.body));
        }
        assert(r == 0 || r == ERR_PROTOCOL || r == ERR_NOMEM);
    }
}

/* Message i has 16 bytes of the input times its first byte, so that some come in pieces. */
#define MESSAGES_MAX 8U

static struct bytes message_of(struct bytes rest, size_t i, struct buf *scratch)
{
    uint8_t times = rest.data[i * 16];

    scratch->len = 0;
    for (unsigned n = 0; n < times * 64U; n++) {
        buf_append(scratch, rest.data + i * 16, 16);
    }
    return buf_bytes(scratch);
}

static void write_all(struct buf *stream, struct bytes rest, size_t count, struct buf *scratch)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes body = message_of(rest, i, scratch);

        if (i % 2 == 0) {
            frame_append(stream, WIRE_CHECKPOINT, i, body);
        } else {
            size_t begun = frame_begin(stream, WIRE_INVOKE, i);

            buf_append(stream, body.data, body.len);
            frame_end(stream, begun);
        }
    }
    assert(!stream->failed);
}

static void read_written(struct frame_reader *reader, struct bytes rest, size_t portion)
{
    size_t count = (rest.len / 16 < MESSAGES_MAX) ? rest.len / 16 : MESSAGES_MAX;
    struct buf stream = {0};
    struct buf scratch = {0};
    struct bytes left;
    struct frame frame;
    size_t seen = 0;
    int r;

    write_all(&stream, rest, count, &scratch);
    left = buf_bytes(&stream);
    while (push(reader, &left, portion * 256)) {
        while ((r = frame_reader_next(reader, &frame)) == 1) {
            assert(frame.invocation == seen &&
                   frame.type == (seen % 2 == 0 ? WIRE_CHECKPOINT : WIRE_INVOKE));
            assert(bytes_equal(frame.body, message_of(rest, seen, &scratch)));
            seen++;
        }
        assert(r == 0);
    }
    assert(seen == count);
    buf_fini(&stream);
    buf_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_reader *reader;

    if (size < 2) {
        return 0;
    }
    if (frame_reader_create(&reader) != 0) {
        abort();
    }
    if (data[0] % 2 == 0) {
        read_anything(reader, bytes_of(data + 2, size - 2), (size_t)data[1] + 1);
    } else {
        read_written(reader, bytes_of(data + 2, size - 2), (size_t)data[1] + 1);
    }
    frame_reader_destroy(reader);
    return 0;
}
