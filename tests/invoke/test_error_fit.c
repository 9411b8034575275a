/* Errors of any size in what history keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/base/json.h"
#include "engine/base/prng.h"
#include "engine/core/operation.h"
#include "invoke/error_fit.h"

#define LARGE 100000U

static struct arena arena;
static uint8_t large[LARGE];

static struct error_object fit(struct error_object error)
{
    assert_true(error_fit(&error, &arena));
    return error;
}

static struct bytes text(const char *characters)
{
    return bytes_of_text(characters);
}

/* As the API shows it. */
static size_t size_of(const struct error_object *error)
{
    struct buf json = {0};
    size_t size;

    json_open(&json, '{');
    json_key(&json, "ErrorType");
    json_quoted(&json, error->type);
    json_key(&json, "ErrorMessage");
    json_quoted(&json, error->message);
    json_key(&json, "ErrorData");
    json_quoted(&json, error->data);
    json_key(&json, "StackTrace");
    json_open(&json, '[');
    for (size_t i = 0; i < error->stack_count; i++) {
        json_element(&json);
        json_quoted(&json, error->stack[i]);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    size = json.len;
    buf_fini(&json);
    return size;
}

static void test_what_fits_is_untouched(void **state)
{
    struct bytes line = text("at f");
    struct error_object error = {.type = text("E"),
                                 .message = bytes_of(large, OP_ERROR_BYTES_MAX - 200),
                                 .data = text("d"),
                                 .stack = &line,
                                 .stack_count = 1};
    struct error_object kept;

    (void)state;
    memset(large, 'm', sizeof large);
    kept = fit(error);
    assert_ptr_equal(kept.message.data, large);
    assert_int_equal(kept.message.len, error.message.len);
    assert_int_equal(kept.stack_count, 1);
    assert_int_equal(kept.data.len, 1);
}

static void test_the_last_lines_go_first(void **state)
{
    struct bytes lines[10];
    struct error_object kept;

    (void)state;
    memset(large, 'l', sizeof large);
    for (size_t i = 0; i < 10; i++) {
        lines[i] = bytes_of(large, 10000);
    }
    kept = fit((struct error_object){.type = text("E"),
                                     .message = text("m"),
                                     .data = text("d"),
                                     .stack = lines,
                                     .stack_count = 10});
    assert_int_equal(kept.stack_count, 3);
    assert_int_equal(kept.message.len, 1);
    assert_int_equal(kept.data.len, 1);
}

static void test_a_message_keeps_its_beginning(void **state)
{
    struct error_object kept;

    (void)state;
    memset(large, 'm', sizeof large);
    kept = fit((struct error_object){
        .type = text("E"), .message = bytes_of(large, LARGE), .data = text("d")});
    assert_int_equal(kept.data.len, 0);
    assert_true(size_of(&kept) <= OP_ERROR_BYTES_MAX);
    assert_true(size_of(&kept) > OP_ERROR_BYTES_MAX - 100);
    assert_memory_equal(kept.message.data + kept.message.len - 11, "(shortened)", 11);
}

/* Three bytes each: none is cut through. */
static void test_characters_stay_whole(void **state)
{
    struct error_object kept;

    (void)state;
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (uint8_t) "€"[i % 3];
    }
    for (size_t shift = 0; shift < 3; shift++) {
        memset(large, 'a', shift);
        memcpy(large + shift, "€€€€", 12);
        kept = fit((struct error_object){.type = text("E"), .message = bytes_of(large, LARGE)});
        json_decref(json_stringn((const char *)kept.message.data, kept.message.len));
        assert_true(size_of(&kept) <= OP_ERROR_BYTES_MAX);
    }
}

static void test_any_error_fits(void **state)
{
    struct prng prng = {.state = 77};

    (void)state;
    for (size_t round = 0; round < 300; round++) {
        struct bytes lines[20];
        struct error_object error = {.stack = lines, .stack_count = prng_below(&prng, 21)};
        struct error_object kept;

        for (size_t i = 0; i < LARGE; i++) {
            large[i] = (uint8_t)((round % 3 == 0)   ? prng_below(&prng, 0x20)
                                 : (round % 3 == 1) ? '"'
                                                    : 'a' + prng_below(&prng, 26));
        }
        for (size_t i = 0; i < 20; i++) {
            lines[i] = bytes_of(large, prng_below(&prng, 5000));
        }
        error.type = bytes_of(large, prng_below(&prng, 3) * prng_below(&prng, 40000));
        error.message = bytes_of(large, prng_below(&prng, LARGE));
        error.data = bytes_of(large, prng_below(&prng, 50000));
        kept = fit(error);
        assert_true(size_of(&kept) <= OP_ERROR_BYTES_MAX);
        arena_reset(&arena);
    }
}

static void test_without_memory_it_says_so(void **state)
{
    struct error_object error = {.message = bytes_of(large, LARGE)};
    struct arena small;

    (void)state;
    arena_init(&small, 16);
    assert_false(error_fit(&error, &small));
    arena_fini(&small);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_is_untouched),
        cmocka_unit_test(test_the_last_lines_go_first),
        cmocka_unit_test(test_a_message_keeps_its_beginning),
        cmocka_unit_test(test_characters_stay_whole),
        cmocka_unit_test(test_any_error_fits),
        cmocka_unit_test(test_without_memory_it_says_so),
    };
    int failed;

    arena_init(&arena, 0);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
