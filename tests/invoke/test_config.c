/* The configuration file: what is read, and how errors name their line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/err.h"
#include "invoke/config_keys.h"
#include "invoke/options.h"

static char error_text[1024];
static char file_path[] = "/tmp/test_config.XXXXXX";

static void keep_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)snprintf(error_text, sizeof error_text, "%s", text);
}

static int set_up(void **state)
{
    int fd;

    (void)state;
    (void)snprintf(file_path, sizeof file_path, "/tmp/test_config.XXXXXX");
    fd = mkstemp(file_path);
    assert_true(fd >= 0);
    (void)close(fd);
    err_set_sink(keep_error);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    err_set_sink(NULL);
    return unlink(file_path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static int read_text(struct config *config, const char *text)
{
    write_file(text);
    config_init(config);
    return config_read(config, file_path, false);
}

static void expect_error(const char *text, int line, const char *words)
{
    struct config config;
    char place[128];

    error_text[0] = '\0';
    assert_int_equal(read_text(&config, text), ERR_INVALID);
    config_fini(&config);
    (void)snprintf(place, sizeof place, "%s:%d: ", file_path, line);
    if (strncmp(error_text, place, strlen(place)) != 0 || strstr(error_text, words) == NULL) {
        fail_msg("'%s' has neither %s nor '%s'", error_text, place, words);
    }
}

static void test_every_kind_of_key_is_read(void **state)
{
    struct config config;
    const struct grant *grants = NULL;

    (void)state;
    assert_int_equal(read_text(&config, "# comment\n"
                                        "[daemon]\n"
                                        "data = /d\n"
                                        "listen=127.0.0.1:9100\n"
                                        "log_level = warn ; quiet\n"
                                        "log_json = yes\n"
                                        "drain_s = 0\n"
                                        "\n"
                                        "[limits]\n"
                                        "environments_max = 7\n"
                                        "buffered_mb_max = 8\n"
                                        "unread_mb_max = 9\n"
                                        "environments_held_mb_max = 10\n"
                                        "idle_ms = 1000\n"
                                        "[journal]\n"
                                        "log_map_mb = 16\n"
                                        "[sandbox]\n"
                                        "isolation = none\n"
                                        "[function orders]\n"
                                        "grants = /usr/share, /etc/ssl ,/opt/a b\n"
                                        "  /opt/c\n"
                                        "[function other]\n"
                                        "grants = /x\n"),
                     0);
    assert_string_equal(config.data, "/d");
    assert_string_equal(config.listen, "127.0.0.1:9100");
    assert_int_equal(config.log_level, LOG_WARN);
    assert_true(config.is_log_json);
    assert_int_equal(config.drain_s, 0);
    assert_int_equal(config.pool.environments_max, 7);
    assert_int_equal(config.http.buffered_bytes_max, 8 << 20);
    assert_int_equal(config.http.unread_bytes_max, 9 << 20);
    assert_int_equal(config.guest_bytes_max, 10 << 20);
    assert_int_equal(config.http.idle_ms, 1000);
    assert_int_equal(config.http.header_ms, http_limits_default.header_ms);
    assert_int_equal(config.log_map_bytes, 16 << 20);
    assert_int_equal(config.isolation, ISOLATION_NONE);
    assert_int_equal(config_grants(&config, "orders", &grants), 4);
    assert_string_equal(grants[0].path, "/usr/share");
    assert_string_equal(grants[1].path, "/etc/ssl");
    assert_string_equal(grants[2].path, "/opt/a b");
    assert_string_equal(grants[3].path, "/opt/c");
    assert_int_equal(config_grants(&config, "other", &grants), 1);
    assert_int_equal(config_grants(&config, "third", &grants), 0);
    config_fini(&config);
}

static void test_names_of_64_characters_are_whole(void **state)
{
    char name[65];
    char text[256];
    struct config config;
    const struct grant *grants = NULL;

    (void)state;
    memset(name, 'n', 64);
    name[64] = '\0';
    (void)snprintf(text, sizeof text, "[function %s]\ngrants = /x\n", name);
    assert_int_equal(read_text(&config, text), 0);
    assert_int_equal(config_grants(&config, name, &grants), 1);
    config_fini(&config);
}

static void test_errors_name_file_and_line(void **state)
{
    char text[512];
    char path[256];

    (void)state;
    expect_error("[daemon]\n\ncolour = red\n", 3, "[daemon]: it has no such key");
    expect_error("[deamon]\ndata = /d\n", 2, "[deamon]: it has no such key");
    expect_error("data = /d\n", 1, "no such key");
    expect_error("[daemon]\ndata = /d\ndata = /e\n", 3, "it was given before");
    expect_error("[daemon]\nlog_level = loud\n", 2, "one of: debug info warn error");
    expect_error("[daemon]\nlog_json = maybe\n", 2, "yes or no");
    expect_error("[daemon]\ndrain_s = -1\n", 2, "a number from 0 to 3600");
    expect_error("[daemon]\ndrain_s = 3601\n", 2, "a number from 0 to 3600");
    expect_error("[daemon]\ndrain_s = 1x\n", 2, "a number");
    expect_error("[limits]\nevents_max =\n", 2, "a number");
    expect_error("[daemon]\ndata =\n", 2, "must not be empty");
    expect_error("[daemon]\nnonsense\n", 2, "neither a section");
    expect_error("[daemon\ndata = /d\n", 1, "']' is missing");
    expect_error("[function a b]\ngrants = /x\n", 2, "not a function's name");
    expect_error("[function ]\ngrants = /x\n", 2, "not a function's name");
    expect_error("[function f]\ngrant = /x\n", 2, "only the key 'grants'");
    expect_error("[function f]\ngrants = usr\n", 2, "absolute path");
    expect_error("[function f]\ngrants = /a/../b\n", 2, "absolute path");
    expect_error("[function f]\ngrants = /a/\n", 2, "absolute path");
    expect_error("[function f]\ngrants = /\n", 2, "absolute path");
    expect_error("[function f]\ngrants = /a,/b,/c,/d,/e,/f,/g,/h,/i,/j,/k,/l,/m,/n,/o,/p,/q\n", 2,
                 "at most 16");
    memset(path, 'p', 200);
    path[200] = '\0';
    (void)snprintf(text, sizeof text, "[daemon]\ndata = /%s\n", path);
    expect_error(text, 2, "too long");
}

static void test_a_missing_file_is_an_error_when_it_was_named(void **state)
{
    struct config config;

    (void)state;
    config_init(&config);
    assert_int_equal(config_read(&config, "/nowhere/pawl.ini", true), 0);
    assert_int_equal(config_read(&config, "/nowhere/pawl.ini", false), ERR_INVALID);
    config_fini(&config);
}

static void test_reloading_takes_what_may_change(void **state)
{
    struct config config;
    struct config fresh;
    const struct grant *grants = NULL;

    (void)state;
    assert_int_equal(read_text(&config, "[daemon]\nregion = a\n[function f]\ngrants = /x\n"), 0);
    assert_int_equal(read_text(&fresh, "[daemon]\nregion = b\nlog_level = error\n[limits]\n"
                                       "events_max = 77\n[function g]\ngrants = /y\n"),
                     0);
    config_reload(&config, &fresh);
    config_fini(&fresh);
    assert_int_equal(config.log_level, LOG_ERROR);
    assert_string_equal(config.region, "a");
    assert_int_not_equal(config.core.events_max, 77);
    assert_int_equal(config_grants(&config, "f", &grants), 0);
    assert_int_equal(config_grants(&config, "g", &grants), 1);
    assert_string_equal(grants[0].path, "/y");
    config_fini(&config);
}

static void test_the_data_directory_is_never_granted(void **state)
{
    char data[] = "/tmp/test_config_data.XXXXXX";
    char inner[64];
    char text[128];
    static const char *const forms[] = {"/tmp", NULL, "in"};
    struct config config;

    (void)state;
    assert_non_null(mkdtemp(data));
    (void)snprintf(inner, sizeof inner, "%s/in", data);
    assert_int_equal(mkdir(inner, 0700), 0);
    for (size_t i = 0; i < 3; i++) {
        const char *path = (i == 0) ? forms[0] : (i == 1) ? data : inner;

        (void)snprintf(text, sizeof text, "[function f]\ngrants = %s\n", path);
        assert_int_equal(read_text(&config, text), 0);
        assert_int_equal(config_check_grants(&config, data), ERR_INVALID);
        config_fini(&config);
    }
    (void)snprintf(text, sizeof text, "[function f]\ngrants = %sx, /usr\n", data);
    assert_int_equal(read_text(&config, text), 0);
    assert_int_equal(config_check_grants(&config, data), 0);
    config_fini(&config);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(data), 0);
}

static void test_every_key_is_documented(void **state)
{
    static char page[65536];
    const char *path = getenv("PAWL_CONFIG_PAGE");
    FILE *file;
    size_t len;

    (void)state;
    assert_non_null(path);
    file = fopen(path, "r");
    assert_non_null(file);
    len = fread(page, 1, sizeof page - 1, file);
    (void)fclose(file);
    page[len] = '\0';
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        char row[96];

        (void)snprintf(row, sizeof row, "| `%s` |", key->name);
        if (strstr(page, row) == NULL) {
            fail_msg("%s is not in %s", row, path);
        }
    }
}

/* --- command lines --------------------------------------------------------------------------- */

static void test_options_win_over_the_file(void **state)
{
    char a0[] = "serve", a1[] = "--config", a3[] = "--data=/other", a4[] = "--drain", a5[] = "5";
    char *argv[] = {a0, a1, file_path, a3, a4, a5, NULL};
    struct options options;
    struct config config;

    (void)state;
    write_file("[daemon]\ndata = /d\nsocket = /s\ndrain_s = 9\n");
    assert_true(options_parse(&options, 6, argv));
    assert_int_equal(options_configure(&options, &config), 0);
    assert_string_equal(config.data, "/other");
    assert_string_equal(config.socket, "/s");
    assert_int_equal(config.drain_s, 5);
    assert_string_equal(config.region, "us-east-1");
    config_fini(&config);
}

static void test_wrong_values_of_options_are_named(void **state)
{
    char a0[] = "serve", a1[] = "--drain", a2[] = "soon";
    char *argv[] = {a0, a1, a2, NULL};
    struct options options;
    struct config config;

    (void)state;
    assert_true(options_parse(&options, 3, argv));
    assert_int_equal(options_configure(&options, &config), ERR_INVALID);
    assert_non_null(strstr(error_text, "--drain soon: it must be a number from 0 to 3600"));
    config_fini(&config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_every_kind_of_key_is_read),
        TEST(test_names_of_64_characters_are_whole),
        TEST(test_errors_name_file_and_line),
        TEST(test_a_missing_file_is_an_error_when_it_was_named),
        TEST(test_reloading_takes_what_may_change),
        TEST(test_the_data_directory_is_never_granted),
        TEST(test_every_key_is_documented),
        TEST(test_options_win_over_the_file),
        TEST(test_wrong_values_of_options_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
