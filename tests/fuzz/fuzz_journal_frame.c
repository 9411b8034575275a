/* The clear header of frames. The lengths in it are made to fit the input when the first
 * byte is odd, so that more than refusals is seen. What is accepted lies inside the input,
 * and its header is written back as it was. */
#include <stdlib.h>
#include <string.h>

#include "journal/frame.h"
#include "tests/fuzz/target.h"

#define FRAME_MAX 65536U

static void put_u32(uint8_t *out, size_t number)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> (8 * i));
    }
}

/* Layout: journal/frame.h. */
static void make_fit(uint8_t *frame, size_t len)
{
    size_t opening = 0;

    if (len < FRAME_HEADER_BYTES) {
        return;
    }
    frame[0] = FRAME_FORMAT;
    frame[1] = FRAME_SUITE;
    frame[2] &= FRAME_FIRST;
    if ((frame[2] & FRAME_FIRST) != 0) {
        opening = (len - FRAME_HEADER_BYTES) / 2;
    }
    put_u32(frame + 84, opening);
    put_u32(frame + 88, len - FRAME_HEADER_BYTES - opening);
}

static void check_inside(struct bytes frame, struct bytes part)
{
    assert(part.len == 0 ||
           (part.data >= frame.data && part.data + part.len <= frame.data + frame.len));
}

static void check(struct bytes frame)
{
    struct frame_header header;
    struct frame_opening opening = {0};
    struct bytes sealed = {0};
    uint8_t again[FRAME_HEADER_BYTES];

    if (!frame_parse(frame, &header, &opening, &sealed)) {
        return;
    }
    assert(FRAME_HEADER_BYTES + (size_t)header.opening_len + header.sealed_len == frame.len);
    assert(sealed.len == header.sealed_len);
    check_inside(frame, sealed);
    if ((header.flags & FRAME_FIRST) != 0) {
        check_inside(frame, opening.title);
    }
    frame_header_put(&header, again);
    assert(memcmp(again, frame.data, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frame;
    size_t len = size - 1;

    if (size == 0 || size > FRAME_MAX) {
        return 0;
    }
    frame = malloc((len > 0) ? len : 1);
    if (frame == NULL) {
        abort();
    }
    memcpy(frame, data + 1, len);
    if ((data[0] & 1) != 0) {
        make_fit(frame, len);
    }
    check(bytes_of(frame, len));
    free(frame);
    return 0;
}
