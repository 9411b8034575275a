#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/base/prng.h"
#include "sdk/wire/frame.h"

/* Feeds all bytes in pushes of at most `step` and counts the messages, each of
 * which must be `body`. */
static int feed(struct frame_reader *reader, struct bytes bytes, size_t step, struct bytes body,
                unsigned *ret_count)
{
    struct frame frame;
    int r = 0;

    *ret_count = 0;
    while (bytes.len > 0) {
        uint8_t *room;
        size_t len = frame_reader_room(reader, &room);

        assert_true(len >= 64U * 1024U);
        len = (len < step) ? len : step;
        len = (len < bytes.len) ? len : bytes.len;
        memcpy(room, bytes.data, len);
        frame_reader_pushed(reader, len);
        bytes = bytes_of(bytes.data + len, bytes.len - len);
        while ((r = frame_reader_next(reader, &frame)) == 1) {
            assert_true(bytes_equal(frame.body, body));
            (*ret_count)++;
        }
        if (r < 0) {
            return r;
        }
    }
    return r;
}

static struct buf random_body(size_t len)
{
    struct prng prng = {len};
    struct buf buf = {0};
    uint8_t *at = buf_reserve(&buf, len + 1);

    assert_non_null(at);
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)prng_next(&prng);
    }
    buf.len = len;
    return buf;
}

static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 131073, 300000, 7340032};

static void test_messages_of_every_size_arrive_in_any_pushes(void **state)
{
    static const size_t steps[] = {1, 15, 17, 4096, 65552, 1U << 20};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buf body = random_body(sizes[i]);
        struct buf sent = {0};

        for (unsigned n = 0; n < 3; n++) {
            frame_append(&sent, WIRE_CHECKPOINT, n, buf_bytes(&body));
        }
        for (size_t s = (sizes[i] > 400000) ? 3 : 0; s < sizeof steps / sizeof steps[0]; s++) {
            struct frame_reader *reader;
            unsigned count;

            assert_int_equal(frame_reader_create(&reader), 0);
            assert_int_equal(feed(reader, buf_bytes(&sent), steps[s], buf_bytes(&body), &count), 0);
            assert_int_equal(count, 3);
            frame_reader_destroy(reader);
        }
        buf_fini(&sent);
        buf_fini(&body);
    }
}

static void test_frame_made_in_place_has_the_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buf body = random_body(sizes[i]);
        struct buf appended = {0};
        struct buf made = {0};
        size_t begun;

        frame_append(&appended, WIRE_LOG, 1, bytes_of("before", 6));
        frame_append(&made, WIRE_LOG, 1, bytes_of("before", 6));
        frame_append(&appended, WIRE_COMPLETE, 77, buf_bytes(&body));
        begun = frame_begin(&made, WIRE_COMPLETE, 77);
        buf_append(&made, body.data, body.len);
        frame_end(&made, begun);
        assert_true(bytes_equal(buf_bytes(&appended), buf_bytes(&made)));
        buf_fini(&appended);
        buf_fini(&made);
        buf_fini(&body);
    }
}

static void push(struct frame_reader *reader, const void *data, size_t len)
{
    uint8_t *room;

    assert_true(frame_reader_room(reader, &room) >= len);
    memcpy(room, data, len);
    frame_reader_pushed(reader, len);
}

static void test_pieces_of_two_messages_may_alternate(void **state)
{
    struct buf body = random_body(100000);
    struct buf one = {0};
    struct buf two = {0};
    struct frame_reader *reader;
    struct frame frame;
    size_t first = WIRE_HEADER_BYTES + WIRE_PIECE_BYTES;

    (void)state;
    frame_append(&one, WIRE_CHECKPOINT, 1, buf_bytes(&body));
    frame_append(&two, WIRE_CHECKPOINT, 2, buf_bytes(&body));
    assert_int_equal(frame_reader_create(&reader), 0);
    push(reader, one.data, first);
    assert_int_equal(frame_reader_next(reader, &frame), 0);
    push(reader, two.data, first);
    assert_int_equal(frame_reader_next(reader, &frame), 0);
    push(reader, one.data + first, one.len - first);
    assert_int_equal(frame_reader_next(reader, &frame), 1);
    assert_int_equal(frame.invocation, 1);
    assert_true(bytes_equal(frame.body, buf_bytes(&body)));
    push(reader, two.data + first, two.len - first);
    assert_int_equal(frame_reader_next(reader, &frame), 1);
    assert_int_equal(frame.invocation, 2);
    assert_true(bytes_equal(frame.body, buf_bytes(&body)));
    frame_reader_destroy(reader);
    buf_fini(&one);
    buf_fini(&two);
    buf_fini(&body);
}

static int read_one(const void *data, size_t len)
{
    struct frame_reader *reader;
    struct frame frame;
    int r;

    assert_int_equal(frame_reader_create(&reader), 0);
    push(reader, data, len);
    r = frame_reader_next(reader, &frame);
    frame_reader_destroy(reader);
    return r;
}

static void test_headers_of_another_form_are_refused(void **state)
{
    uint8_t good[16] = {0, 0, 0, 0, WIRE_NOTICE};
    uint8_t bad[16];

    (void)state;
    assert_int_equal(read_one(good, sizeof good), 1);
    for (unsigned type = 0; type < 256; type++) {
        bool is_known = (type >= 1 && type <= 5) || (type >= 16 && type <= 19);

        memcpy(bad, good, sizeof bad);
        bad[4] = (uint8_t)type;
        assert_int_equal(read_one(bad, sizeof bad), is_known ? 1 : ERR_PROTOCOL);
    }
    for (int at = 5; at < 8; at++) {
        memcpy(bad, good, sizeof bad);
        bad[at] = 2;
        assert_int_equal(read_one(bad, sizeof bad), ERR_PROTOCOL);
    }
    memcpy(bad, good, sizeof bad);
    bad[0] = 1;
    bad[2] = 1; /* 65537 */
    assert_int_equal(read_one(bad, sizeof bad), ERR_PROTOCOL);
    bad[0] = 0; /* 65536, and nothing of it yet */
    assert_int_equal(read_one(bad, sizeof bad), 0);
}

/* One piece of `len` bytes, with more to come. */
static int push_piece(struct frame_reader *reader, uint64_t invocation, uint32_t len)
{
    static uint8_t piece[WIRE_HEADER_BYTES + WIRE_PIECE_BYTES];
    struct frame frame;

    memset(piece, 0, WIRE_HEADER_BYTES);
    memcpy(piece, &len, sizeof len);
    piece[4] = WIRE_CHECKPOINT;
    piece[5] = 1;
    memcpy(piece + 8, &invocation, sizeof invocation);
    push(reader, piece, WIRE_HEADER_BYTES + len);
    return frame_reader_next(reader, &frame);
}

static void test_pieces_without_end_are_refused(void **state)
{
    struct frame_reader *reader;
    unsigned n;

    (void)state;
    assert_int_equal(frame_reader_create(&reader), 0);
    for (n = 0; n < WIRE_MESSAGE_BYTES_MAX / WIRE_PIECE_BYTES; n++) {
        assert_int_equal(push_piece(reader, 1, WIRE_PIECE_BYTES), 0);
    }
    assert_int_equal(push_piece(reader, 1, 1), ERR_PROTOCOL);
    frame_reader_destroy(reader);

    assert_int_equal(frame_reader_create(&reader), 0);
    assert_int_equal(push_piece(reader, 1, 0), ERR_PROTOCOL);
    frame_reader_destroy(reader);

    assert_int_equal(frame_reader_create(&reader), 0);
    for (n = 0; n < WIRE_ASSEMBLIES_MAX; n++) {
        assert_int_equal(push_piece(reader, n, 1), 0);
    }
    assert_int_equal(push_piece(reader, n, 1), ERR_PROTOCOL);
    frame_reader_destroy(reader);
}

static void test_all_pieces_together_are_bounded(void **state)
{
    struct frame_reader *reader;
    size_t held = 0;
    uint64_t invocation = 0;
    int r;

    (void)state;
    assert_int_equal(frame_reader_create(&reader), 0);
    while ((r = push_piece(reader, invocation, WIRE_PIECE_BYTES)) == 0) {
        held += WIRE_PIECE_BYTES;
        invocation = held / WIRE_MESSAGE_BYTES_MAX;
    }
    assert_int_equal(r, ERR_PROTOCOL);
    assert_int_equal(held, WIRE_ASSEMBLED_BYTES(WIRE_MESSAGE_BYTES_MAX));
    frame_reader_destroy(reader);
}

static int fail_after;

static bool count_down(size_t size)
{
    (void)size;
    return fail_after-- > 0;
}

static void quiet(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void test_every_allocation_may_fail(void **state)
{
    struct buf body = random_body(200000);
    struct buf sent = {0};
    unsigned count;
    int r;
    int n = 0;

    (void)state;
    frame_append(&sent, WIRE_INVOKE, 3, buf_bytes(&body));
    err_set_sink(quiet);
    do {
        struct frame_reader *reader;

        fail_after = n++;
        mem_set_hook(count_down);
        r = frame_reader_create(&reader);
        if (r == 0) {
            r = feed(reader, buf_bytes(&sent), 65536, buf_bytes(&body), &count);
            frame_reader_destroy(reader);
        }
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 3);
    mem_set_hook(NULL);
    err_set_sink(NULL);
    buf_fini(&sent);
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_every_size_arrive_in_any_pushes),
        cmocka_unit_test(test_frame_made_in_place_has_the_same_bytes),
        cmocka_unit_test(test_pieces_of_two_messages_may_alternate),
        cmocka_unit_test(test_headers_of_another_form_are_refused),
        cmocka_unit_test(test_pieces_without_end_are_refused),
        cmocka_unit_test(test_all_pieces_together_are_bounded),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
