#include "engine/base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "tests/base/fixture.h"

static char line[8192];
static int own_stderr;
static int fds[2];

static void catch_stderr(void)
{
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    assert_true(own_stderr >= 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
}

/* What was written meanwhile, into `line`. */
static void release_stderr(void)
{
    ssize_t len;

    assert_int_equal(dup2(own_stderr, STDERR_FILENO), STDERR_FILENO);
    len = read(fds[0], line, sizeof line - 1);
    line[(len > 0) ? len : 0] = '\0';
    (void)close(own_stderr);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static size_t lines(void)
{
    size_t count = 0;

    for (const char *at = line; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    return count;
}

static void test_a_line_has_time_level_and_text(void **state)
{
    (void)state;
    catch_stderr();
    log_info("ready port=%d", 9001);
    release_stderr();
    assert_int_equal(strlen(line), strlen("2026-11-23T09:29:22.123Z info  ready port=9001\n"));
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_string_equal(line + 23, "Z info  ready port=9001\n");
}

static void test_a_json_line_is_one_object(void **state)
{
    json_t *object;

    (void)state;
    log_set_json(true);
    catch_stderr();
    log_warn("a \"quoted\"\nword");
    release_stderr();
    assert_int_equal(lines(), 1);
    object = json_loads(line, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(object, "message")),
                        "a \"quoted\"\nword");
    assert_int_equal(json_object_size(object), 3);
    json_decref(object);
}

static void test_one_event_is_one_line_whatever_its_text(void **state)
{
    (void)state;
    catch_stderr();
    log_error("first\nsecond\r\x1B[31mthird");
    release_stderr();
    assert_int_equal(lines(), 1);
    assert_null(strchr(line, '\r'));
    assert_null(strchr(line, '\x1B'));
    assert_non_null(strstr(line, "third\n"));
}

static void test_what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    catch_stderr();
    log_debug("quiet");
    log_set_level(LOG_ERROR);
    log_warn("quiet");
    log_error("loud");
    log_set_level(LOG_DEBUG);
    log_debug("louder");
    release_stderr();
    assert_null(strstr(line, "quiet"));
    assert_non_null(strstr(line, "error loud\n"));
    assert_non_null(strstr(line, "debug louder\n"));
}

static void test_a_long_text_is_cut_and_still_ends_its_line(void **state)
{
    static char text[5000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    catch_stderr();
    log_info("%s", text);
    release_stderr();
    assert_int_equal(lines(), 1);
    assert_in_range(strlen(line), 2000, 2100);
}

static void test_without_a_sink_errors_are_logged_with_their_place(void **state)
{
    (void)state;
    catch_stderr();
    (void)ERR(ERR_LIMIT, "queue of %s", "tenant");
    release_stderr();
    assert_non_null(strstr(line, "error queue of tenant: a configured limit was reached ("));
    assert_non_null(strstr(line, "test_log.c:"));
}

static int restore(void **state)
{
    log_set_json(false);
    log_set_level(LOG_INFO);
    return fixture_restore(state);
}

#define TEST(name) cmocka_unit_test_teardown(name, restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_line_has_time_level_and_text),
        TEST(test_a_json_line_is_one_object),
        TEST(test_one_event_is_one_line_whatever_its_text),
        TEST(test_what_is_below_the_level_is_not_written),
        TEST(test_a_long_text_is_cut_and_still_ends_its_line),
        TEST(test_without_a_sink_errors_are_logged_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
