/* Times and durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "sdk/cli/when.h"

#define NOW_MS 1795426162500 /* 2026-11-23T09:29:22.500Z */

static int set_zone(void **state)
{
    (void)state;
    (void)setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

static void test_every_form_of_a_time_is_understood(void **state)
{
    static const struct {
        const char *text;
        int64_t time_ms;
    } cases[] = {
        {"0s", NOW_MS},
        {"90s", NOW_MS - 90000},
        {"30m", NOW_MS - 1800000},
        {"1h30m", NOW_MS - 5400000},
        {"2d", NOW_MS - 172800000},
        {"1w", NOW_MS - 604800000},
        {"2026-11-23T09:29:22.5Z", NOW_MS},
        {"2026-11-23T09:29:22.500999z", NOW_MS},
        {"2026-11-23 09:29:22.5Z", NOW_MS},
        {"2026-11-23T11:29:22.5+02:00", NOW_MS},
        {"2026-11-23T04:59:22.5-0430", NOW_MS},
        {"2026-11-23T10:29:22.5", NOW_MS},   /* Berlin in winter */
        {"2026-07-01T02:00", 1782864000000}, /* Berlin in summer */
        {"2026-11-23", NOW_MS - 34162500 - 3600000},
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T00:00Z", 1709164800000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t time_ms = -1;

        if (!cli_when_parse(cases[i].text, NOW_MS, &time_ms) || time_ms != cases[i].time_ms) {
            fail_msg("%s gave %lld", cases[i].text, (long long)time_ms);
        }
    }
}

static void test_everything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "h",
        "1x",
        "-1h",
        "1h 30m",
        "1.5h",
        "99999999999d",
        "9999999999w",
        "soon",
        "2026",
        "2026-11",
        "2026-13-01",
        "2026-02-29",
        "2026-11-00",
        "26-11-23",
        "1969-01-01",
        "2026-11-23T",
        "2026-11-23T09",
        "2026-11-23T24:00",
        "2026-11-23T09:60",
        "2026-11-23T09:29:61",
        "2026-11-23T09:29:22.",
        "2026-11-23T09:29:22Zx",
        "2026-11-23T09:29:22+",
        "2026-11-23T09:29:22+25:00",
        "2026-11-23x",
        "2026-11-23T09:29:",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t time_ms = -1;

        if (cli_when_parse(texts[i], NOW_MS, &time_ms)) {
            fail_msg("%s gave %lld", texts[i], (long long)time_ms);
        }
        assert_int_equal(time_ms, -1); /* written only on success */
    }
}

static void test_times_are_local_on_a_terminal_and_utc_elsewhere(void **state)
{
    char text[CLI_WHEN_TEXT_MAX];

    (void)state;
    assert_string_equal(cli_when_format(text, NOW_MS, true), "2026-11-23 10:29:22");
    assert_string_equal(cli_when_format(text, NOW_MS, false), "2026-11-23T09:29:22.500Z");
    assert_string_equal(cli_when_format(text, 5, false), "1970-01-01T00:00:00.005Z");
    assert_string_equal(cli_when_format(text, -1, false), "-");
}

static void test_durations_have_three_digits_or_two_units(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {-1, "-"},
        {0, "0 ms"},
        {999, "999 ms"},
        {1000, "1.00 s"},
        {9999, "9.99 s"},
        {10000, "10.0 s"},
        {59999, "59.9 s"},
        {60000, "1m00s"},
        {125000, "2m05s"},
        {3600000, "1h00m"},
        {11045000, "3h04m"},
        {86400000, "1d00h"},
        {183600000, "2d03h"},
        {31536000000, "365d00h"},
    };
    char text[CLI_WHEN_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(cli_duration_format(text, cases[i].ms), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_a_time_is_understood),
        cmocka_unit_test(test_everything_else_is_refused),
        cmocka_unit_test(test_times_are_local_on_a_terminal_and_utc_elsewhere),
        cmocka_unit_test(test_durations_have_three_digits_or_two_units),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
