#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"

static char *env[] = {"A=1", "B=", NULL};
static struct function_layer layers[] = {
    {"arn:1", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 7},
    {"arn:2", "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", 8}};

static void quiet(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void make_record(struct buf *buf, size_t layer_count)
{
    struct function_revision revision = {.number = 7,
                                         .config = {.runtime = "provided.al2023",
                                                    .handler = "h",
                                                    .timeout_s = 3,
                                                    .env = env,
                                                    .env_count = 2,
                                                    .layers = layers,
                                                    .layer_count = layer_count,
                                                    .raw = bytes_of_text("{}")},
                                         .code_bytes = 99};

    memset(revision.code, 'a', 64);
    revision_record_put(buf, &revision);
    assert_false(buf->failed);
}

/* In memory of exactly this size, so that a sanitizer sees each byte too many. */
static int read_copy(const uint8_t *data, size_t len)
{
    uint8_t *copy = mem_calloc(1, (len > 0) ? len : 1);
    struct function_revision revision = {.number = 0};
    int r;

    assert_non_null(copy);
    memcpy(copy, data, len);
    r = revision_record_get(bytes_of(copy, len), &revision);
    mem_free(revision.config.env);
    mem_free(revision.config.layers);
    mem_free(copy);
    return r;
}

static void test_a_record_cut_short_or_too_long_is_refused(void **state)
{
    struct buf buf = {0};

    (void)state;
    err_set_sink(quiet);
    for (size_t count = 0; count <= 2; count++) {
        buf.len = 0;
        make_record(&buf, count);
        assert_int_equal(buf.data[0], (count > 0) ? 3 : 2); /* as it was without any */
        assert_int_equal(read_copy(buf.data, buf.len), 0);
        for (size_t len = 0; len < buf.len; len++) {
            assert_int_equal(read_copy(buf.data, len), ERR_CORRUPT);
        }
        buf_append(&buf, "", 1);
        assert_int_equal(read_copy(buf.data, buf.len), ERR_CORRUPT);
    }
    buf_fini(&buf);
}

/* Numbers may be anything; that nothing outside is read, the sanitizers say. */
static void test_a_changed_byte_harms_nobody(void **state)
{
    struct buf buf = {0};
    int refused = 0;

    (void)state;
    err_set_sink(quiet);
    make_record(&buf, 2);
    for (size_t at = 0; at < buf.len; at++) {
        uint8_t was = buf.data[at];

        for (int value = 0; value < 256; value++) {
            int r;

            buf.data[at] = (uint8_t)value;
            r = read_copy(buf.data, buf.len);
            assert_true(r == 0 || r == ERR_CORRUPT);
            refused += r != 0;
        }
        buf.data[at] = was;
    }
    assert_true(refused > 1000);
    buf_fini(&buf);
}

static void test_an_archive_has_as_many_chunks_as_its_size_says(void **state)
{
    uint8_t bytes[ARCHIVE_RECORD_BYTES];
    struct archive_record record = {.bytes = 16385, .chunks = 2, .unpacked_bytes = 70000};
    struct archive_record found;

    (void)state;
    err_set_sink(quiet);
    archive_record_put(bytes, &record);
    assert_int_equal(archive_record_get(bytes_of(bytes, sizeof bytes), &found), 0);
    assert_int_equal(found.bytes, 16385);
    assert_int_equal(found.chunks, 2);
    assert_int_equal(found.unpacked_bytes, 70000);
    bytes[0] = 1; /* which did not say that */
    assert_int_equal(archive_record_get(bytes_of(bytes, 13), &found), 0);
    assert_int_equal(found.unpacked_bytes, 0);
    record.chunks = 3;
    archive_record_put(bytes, &record);
    assert_int_equal(archive_record_get(bytes_of(bytes, sizeof bytes), &found), ERR_CORRUPT);
    record = (struct archive_record){.bytes = FUNCTION_ARCHIVE_BYTES_MAX + 1, .chunks = 3201};
    archive_record_put(bytes, &record);
    assert_int_equal(archive_record_get(bytes_of(bytes, sizeof bytes), &found), ERR_CORRUPT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_cut_short_or_too_long_is_refused),
        cmocka_unit_test(test_a_changed_byte_harms_nobody),
        cmocka_unit_test(test_an_archive_has_as_many_chunks_as_its_size_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
