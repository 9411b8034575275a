/* The functions' logs on a real directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/driver/logs.h"

#define T0 1795426162123 /* 2026-11-23T09:29:22.123Z */

struct fixture {
    uv_loop_t loop;
    char dir[64];
    struct logs *logs;
    char *text;
    size_t len;
    int lines;
    int lines_max; /* 0: all */
    int wakes;
};

static void open_logs(struct fixture *f, uint64_t bytes_max)
{
    assert_int_equal(logs_open(&f->logs, &f->loop, f->dir, bytes_max), 0);
}

static void close_logs(struct fixture *f)
{
    logs_close(f->logs);
    f->logs = NULL;
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    (void)alarm(60);
    f->text = calloc(1, 8 << 20);
    assert_non_null(f->text);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/pawl-logs-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    open_logs(f, 1 << 20);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->logs != NULL) {
        close_logs(f);
    }
    assert_int_equal(uv_loop_close(&f->loop), 0);
    (void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f->text);
    free(f);
    (void)alarm(0);
    return 0;
}

static void append(struct fixture *f, const char *function, int64_t time_ms, const char *execution,
                   const char *message)
{
    struct log_entry entry = {.time_ms = time_ms,
                              .function = bytes_of_text(function),
                              .request_id = bytes_of_text("r-1"),
                              .execution = bytes_of_text(execution),
                              .level = bytes_of_text("INFO"),
                              .message = bytes_of_text(message)};

    logs_append(f->logs, &entry);
}

static int keep_line(void *arg, struct bytes line)
{
    struct fixture *f = arg;

    memcpy(f->text + f->len, line.data, line.len);
    f->len += line.len;
    f->text[f->len] = '\0';
    f->lines++;
    return f->lines == f->lines_max;
}

static int read_once(struct fixture *f, const char *function, const char *execution,
                     int64_t since_ms, uint64_t *position)
{
    f->len = 0;
    f->lines = 0;
    f->text[0] = '\0';
    return logs_read(f->logs, bytes_of_text(function), bytes_of_text(execution), since_ms, position,
                     keep_line, f);
}

static int count_all(struct fixture *f, const char *function)
{
    uint64_t position = 0;
    int count = 0;
    int r;

    do {
        r = read_once(f, function, "", 0, &position);
        assert_true(r >= 0);
        count += f->lines;
    } while (r == 1);
    return count;
}

static void test_a_line_is_json_with_all_its_members(void **state)
{
    struct fixture *f = *state;
    struct log_entry entry = {.time_ms = T0,
                              .function = bytes_of_text("alpha"),
                              .request_id = bytes_of_text("r-1"),
                              .execution = bytes_of_text("arn:x"),
                              .level = bytes_of_text("INFO"),
                              .operation_id = bytes_of_text("1-2"),
                              .message = bytes_of_text("a \"b\"\t\xff")};
    uint64_t position = 0;

    logs_append(f->logs, &entry);
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_string_equal(f->text, "{\"time\":\"2026-11-23T09:29:22.123Z\",\"requestId\":\"r-1\","
                                 "\"execution\":\"arn:x\",\"level\":\"INFO\",\"operationId\":"
                                 "\"1-2\",\"message\":\"a \\\"b\\\"\\t\xEF\xBF\xBD\"}\n");
    assert_int_equal(position, f->len);
}

static void test_times_follow_the_clock(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 0;

    append(f, "alpha", T0, "", "1");
    append(f, "alpha", T0 + 1, "", "2");
    append(f, "alpha", T0 + 900, "", "3");
    append(f, "alpha", T0 + 86400000, "", "4");
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_non_null(strstr(f->text, "\"2026-11-23T09:29:22.124Z\""));
    assert_non_null(strstr(f->text, "\"2026-11-23T09:29:23.023Z\""));
    assert_non_null(strstr(f->text, "\"2026-11-24T09:29:22.123Z\""));
}

static void test_reading_goes_on_where_it_stopped(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 0;

    append(f, "alpha", T0, "", "one");
    append(f, "alpha", T0, "", "two");
    f->lines_max = 1;
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 1);
    assert_non_null(strstr(f->text, "one"));
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_non_null(strstr(f->text, "two"));
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_int_equal(f->lines, 0);
    append(f, "alpha", T0, "", "three");
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_non_null(strstr(f->text, "three"));
}

static void test_a_position_beyond_the_end_is_the_end(void **state)
{
    struct fixture *f = *state;
    uint64_t position = UINT64_MAX;

    append(f, "alpha", T0, "", "old");
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_int_equal(f->lines, 0);
    append(f, "alpha", T0, "", "new");
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_non_null(strstr(f->text, "new"));
    assert_null(strstr(f->text, "old"));
}

static void test_executions_and_times_are_filtered(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 0;

    append(f, "alpha", T0, "arn:1", "a");
    append(f, "alpha", T0, "arn:12", "b");
    append(f, "alpha", T0, "", "\"execution\":\"arn:1\""); /* only says so */
    append(f, "alpha", T0 + 1000, "arn:1", "c");
    assert_int_equal(read_once(f, "alpha", "arn:1", 0, &position), 0);
    assert_int_equal(f->lines, 2);
    assert_non_null(strstr(f->text, "\"message\":\"a\""));
    assert_non_null(strstr(f->text, "\"message\":\"c\""));
    position = 0;
    assert_int_equal(read_once(f, "alpha", "", T0 + 1, &position), 0);
    assert_int_equal(f->lines, 1);
    position = 0;
    assert_int_equal(read_once(f, "alpha", "", T0 + 1000, &position), 0);
    assert_int_equal(f->lines, 1); /* that moment itself counts */
}

static void test_functions_are_kept_apart(void **state)
{
    struct fixture *f = *state;

    append(f, "alpha", T0, "", "a");
    append(f, "beta", T0, "", "b");
    append(f, "alpha", T0, "", "a");
    assert_int_equal(count_all(f, "alpha"), 2);
    assert_int_equal(count_all(f, "beta"), 1);
    assert_int_equal(count_all(f, "gamma"), 0);
}

static void test_a_name_cannot_lead_elsewhere(void **state)
{
    static const char *const names[] = {"../outside", "", ".", "a/b", "a.b", "a b"};
    struct fixture *f = *state;
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        append(f, names[i], T0, "", "x");
        assert_int_equal(count_all(f, names[i]), 0);
    }
    (void)snprintf(path, sizeof path, "%s/outside.jsonl", f->dir);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_lines_reach_the_disk_by_themselves(void **state)
{
    struct fixture *f = *state;
    struct stat st = {0};
    char path[128];

    (void)snprintf(path, sizeof path, "%s/logs/alpha.jsonl", f->dir);
    append(f, "alpha", T0, "", "x");
    while (stat(path, &st) != 0 || st.st_size == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0); /* and then nothing keeps it awake */
}

static void test_closing_writes_what_is_left(void **state)
{
    struct fixture *f = *state;

    append(f, "alpha", T0, "", "x");
    close_logs(f);
    open_logs(f, 1 << 20);
    assert_int_equal(count_all(f, "alpha"), 1);
}

static void test_closing_while_the_writer_works_loses_nothing(void **state)
{
    struct fixture *f = *state;
    char message[1001];

    memset(message, 'x', 1000);
    message[1000] = '\0';
    for (int i = 0; i < 600; i++) { /* more than is written at once */
        append(f, "alpha", T0, "", message);
    }
    close_logs(f);
    open_logs(f, 1 << 20);
    assert_int_equal(count_all(f, "alpha"), 600);
}

static uint64_t file_size(const struct fixture *f, const char *name)
{
    struct stat st;
    char path[128];

    (void)snprintf(path, sizeof path, "%s/logs/%s", f->dir, name);
    return (stat(path, &st) == 0) ? (uint64_t)st.st_size : 0;
}

static void test_files_are_rotated_once(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 0;

    close_logs(f);
    open_logs(f, 1000);
    for (int i = 0; i < 100; i++) {
        append(f, "alpha", T0, "", "a line of some length, so that the file fills");
        (void)read_once(f, "alpha", "", 0, &position); /* each is written for itself */
    }
    assert_in_range(file_size(f, "alpha.jsonl"), 1, 1000);
    assert_in_range(file_size(f, "alpha.jsonl.1"), 800, 1000);
    assert_int_equal(file_size(f, "alpha.jsonl.2"), 0);
}

static void test_a_reader_misses_nothing_when_files_are_rotated(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 0;
    char message[64];

    close_logs(f);
    open_logs(f, 1000);
    for (int i = 0; i < 50; i++) {
        int count = 0;
        int r;

        (void)snprintf(message, sizeof message, "number %d, followed by some more text", i);
        append(f, "alpha", T0, "", message);
        do {
            r = read_once(f, "alpha", "", 0, &position);
            assert_true(r >= 0);
            count += f->lines;
        } while (r == 1);
        assert_int_equal(count, 1);
        (void)snprintf(message, sizeof message, "number %d,", i);
        assert_non_null(strstr(f->text, message));
    }
}

static void test_a_slow_reader_goes_on_with_the_oldest_there_is(void **state)
{
    struct fixture *f = *state;
    uint64_t slow = 0;
    uint64_t position = 0;

    close_logs(f);
    open_logs(f, 1000);
    for (int i = 0; i < 50; i++) {
        append(f, "alpha", T0, "", "a line of some length, so that the file fills");
        (void)read_once(f, "alpha", "", 0, &position);
    }
    assert_int_equal(read_once(f, "alpha", "", 0, &slow), 1);
    assert_in_range(f->lines, 5, 9); /* what the rotated file holds */
    assert_int_equal(read_once(f, "alpha", "", 0, &slow), 0);
    assert_int_equal(slow, position);
}

static void test_a_torn_line_does_not_swallow_the_next(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int fd;

    append(f, "alpha", T0, "", "whole");
    close_logs(f);
    (void)snprintf(path, sizeof path, "%s/logs/alpha.jsonl", f->dir);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{\"time\":\"2026-11-23T09:29", 25), 25);
    (void)close(fd);
    open_logs(f, 1 << 20);
    append(f, "alpha", T0, "", "next");
    assert_int_equal(count_all(f, "alpha"), 2);
    assert_non_null(strstr(f->text, "\n{\"time\":\"2026-11-23T09:29:22.123Z\",\"requestId\":"
                                    "\"r-1\",\"level\":\"INFO\",\"message\":\"next\"}\n"));
}

static void test_a_torn_end_of_the_rotated_file_is_passed(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int fd;

    close_logs(f);
    (void)snprintf(path, sizeof path, "%s/logs/alpha.jsonl.1", f->dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "{\"time\":\"2026-11-23T09:29", 25), 25);
    (void)close(fd);
    open_logs(f, 1 << 20);
    append(f, "alpha", T0, "", "next");
    assert_int_equal(count_all(f, "alpha"), 1);
}

static void test_a_read_is_bounded(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 0;
    char message[1001];

    close_logs(f);
    open_logs(f, 64 << 20);
    memset(message, 'x', 1000);
    message[1000] = '\0';
    for (int i = 0; i < 3000; i++) {
        append(f, "alpha", T0, "", message);
    }
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 1);
    assert_in_range(f->len, 1000 * 1000, 1024 * 1024);
    assert_int_equal(count_all(f, "alpha"), 3000);
}

static void test_an_escaped_giant_can_still_be_read(void **state)
{
    struct fixture *f = *state;
    char *message = calloc(1, (1 << 20) + 1);

    assert_non_null(message);
    memset(message, '\1', 1 << 20); /* six bytes each in JSON */
    append(f, "alpha", T0, "", message);
    append(f, "alpha", T0, "", "after");
    assert_int_equal(count_all(f, "alpha"), 2);
    free(message);
}

static void test_a_flood_is_cut_and_says_so(void **state)
{
    struct fixture *f = *state;
    char *message = calloc(1, 100001);

    assert_non_null(message);
    close_logs(f);
    open_logs(f, 256 << 20);
    memset(message, 'x', 100000);
    for (int i = 0; i < 1000; i++) { /* 100 MB in one turn */
        append(f, "alpha", T0, "", message);
    }
    assert_in_range(count_all(f, "alpha"), 300, 400);
    append(f, "alpha", T0, "", "after");
    while (count_all(f, "alpha") < 1 || strstr(f->text, "\"after\"") == NULL) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
        append(f, "alpha", T0, "", "after");
    }
    assert_non_null(strstr(f->text, " lines were lost: they came too fast\""));
    free(message);
}

struct follower {
    struct logs_follow follow;
    struct fixture *fixture;
    struct follower *other; /* to be unfollowed when woken */
    uint64_t position;
    int lines;
    int wakes;
};

static void on_wake(struct logs_follow *follow)
{
    struct follower *follower = container_of(follow, struct follower, follow);
    struct fixture *f = follower->fixture;

    follower->wakes++;
    assert_int_equal(read_once(f, (const char *)follow->function.data, "", 0, &follower->position),
                     0);
    follower->lines += f->lines;
    if (follower->other != NULL) {
        logs_unfollow(f->logs, &follower->other->follow);
    }
}

static void follow(struct follower *follower, struct fixture *f, const char *function)
{
    *follower = (struct follower){.fixture = f};
    follower->follow.wake = on_wake;
    follower->follow.function = bytes_of_text(function);
    logs_follow(f->logs, &follower->follow);
}

static void test_followers_are_woken_by_their_function(void **state)
{
    struct fixture *f = *state;
    struct follower alpha;
    struct follower also;
    struct follower beta;

    follow(&alpha, f, "alpha");
    follow(&also, f, "alpha");
    follow(&beta, f, "beta");
    append(f, "alpha", T0, "", "x");
    append(f, "alpha", T0, "", "y");
    while (alpha.lines < 2 || also.lines < 2) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    append(f, "alpha", T0, "", "z");
    while (alpha.lines < 3 || also.lines < 3) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(beta.wakes, 0);
    logs_unfollow(f->logs, &alpha.follow);
    logs_unfollow(f->logs, &also.follow);
    logs_unfollow(f->logs, &beta.follow);
}

/* What one follower's reading writes is news for the other, too. */
static void test_a_reader_does_not_take_the_news_of_a_follower(void **state)
{
    struct fixture *f = *state;
    struct follower alpha;
    uint64_t position = 0;

    follow(&alpha, f, "alpha");
    append(f, "alpha", T0, "", "x");
    assert_int_equal(read_once(f, "alpha", "", 0, &position), 0);
    assert_int_equal(f->lines, 1);
    while (alpha.lines < 1) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    logs_unfollow(f->logs, &alpha.follow);
}

static void test_a_follower_may_unfollow_another_when_woken(void **state)
{
    struct fixture *f = *state;
    struct follower one;
    struct follower two;

    follow(&one, f, "alpha");
    follow(&two, f, "alpha");
    one.other = &two;
    append(f, "alpha", T0, "", "x");
    while (one.lines < 1) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(two.wakes, 0);
    logs_unfollow(f->logs, &one.follow);
}

static long allocations_left;

static bool allow(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

static void test_without_memory_lines_are_lost_whole(void **state)
{
    struct fixture *f = *state;

    for (long n = 0; n < 12; n++) {
        char message[600];

        memset(message, 'x', sizeof message - 1);
        message[sizeof message - 1] = '\0';
        allocations_left = n;
        mem_set_hook(allow);
        append(f, "alpha", T0, "", message);
        mem_set_hook(NULL);
    }
    append(f, "alpha", T0, "", "after");
    assert_in_range(count_all(f, "alpha"), 1, 14);
    assert_non_null(strstr(f->text, "\"after\"}\n"));
    for (const char *line = f->text; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, "{\"time\":\"", 9);
        assert_memory_equal(strchr(line, '\n') - 2, "\"}", 2);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_line_is_json_with_all_its_members),
        TEST(test_times_follow_the_clock),
        TEST(test_reading_goes_on_where_it_stopped),
        TEST(test_a_position_beyond_the_end_is_the_end),
        TEST(test_executions_and_times_are_filtered),
        TEST(test_functions_are_kept_apart),
        TEST(test_a_name_cannot_lead_elsewhere),
        TEST(test_lines_reach_the_disk_by_themselves),
        TEST(test_closing_writes_what_is_left),
        TEST(test_closing_while_the_writer_works_loses_nothing),
        TEST(test_files_are_rotated_once),
        TEST(test_a_reader_misses_nothing_when_files_are_rotated),
        TEST(test_a_slow_reader_goes_on_with_the_oldest_there_is),
        TEST(test_a_torn_line_does_not_swallow_the_next),
        TEST(test_a_torn_end_of_the_rotated_file_is_passed),
        TEST(test_a_read_is_bounded),
        TEST(test_an_escaped_giant_can_still_be_read),
        TEST(test_a_flood_is_cut_and_says_so),
        TEST(test_followers_are_woken_by_their_function),
        TEST(test_a_reader_does_not_take_the_news_of_a_follower),
        TEST(test_a_follower_may_unfollow_another_when_woken),
        TEST(test_without_memory_lines_are_lost_whole),
    };

    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
