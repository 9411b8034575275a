#include "sdk/cli/when.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SPAN_S_MAX (100LL * 366 * 86400) /* no one looks back further than a century */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cli_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t cli_elapsed_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void cli_sleep_ms(int64_t time_ms)
{
    struct timespec left = {.tv_sec = time_ms / 1000, .tv_nsec = (time_ms % 1000) * 1000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
        /* the rest of the time is in `left` */
    }
}

/* Digits at `*at`, between `min` and `max` of them; -1 when there are not. */
static int64_t take_digits(const char **at, int min, int max)
{
    int64_t value = 0;
    int count = 0;

    while (count < max && (*at)[count] >= '0' && (*at)[count] <= '9') {
        value = value * 10 + ((*at)[count] - '0');
        count++;
    }
    *at += count;
    return (count >= min) ? value : -1;
}

static bool take(const char **at, char wanted)
{
    if (**at != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

static int64_t unit_s(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

static bool parse_span(const char *at, int64_t *ret_s)
{
    int64_t sum = 0;

    if (*at == '\0') {
        return false;
    }
    while (*at != '\0') {
        int64_t count = take_digits(&at, 1, 10);
        int64_t unit = unit_s(*at);

        if (count < 0 || unit == 0 || count > SPAN_S_MAX / unit || sum > SPAN_S_MAX) {
            return false;
        }
        sum += count * unit;
        at++;
    }
    *ret_s = sum;
    return true;
}

/* Days of the month are checked by whether timegm() keeps them. */
static bool parse_date(const char **at, struct tm *tm)
{
    struct tm kept;

    tm->tm_year = (int)take_digits(at, 4, 4) - 1900;
    if (!take(at, '-')) {
        return false;
    }
    tm->tm_mon = (int)take_digits(at, 2, 2) - 1;
    if (!take(at, '-')) {
        return false;
    }
    tm->tm_mday = (int)take_digits(at, 2, 2);
    kept = *tm;
    (void)timegm(&kept);
    return tm->tm_year >= 70 && tm->tm_mon >= 0 && tm->tm_mday >= 1 && kept.tm_mon == tm->tm_mon &&
           kept.tm_mday == tm->tm_mday;
}

static bool parse_fraction(const char **at, int64_t *ret_ms)
{
    int64_t scale = 100;

    if (!take(at, '.')) {
        return true;
    }
    if (**at < '0' || **at > '9') {
        return false;
    }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        *ret_ms += (**at - '0') * scale;
        scale /= 10;
    }
    return true;
}

static bool parse_clock(const char **at, struct tm *tm, int64_t *ret_ms)
{
    if (!take(at, 'T') && !take(at, ' ')) {
        return **at == '\0';
    }
    tm->tm_hour = (int)take_digits(at, 2, 2);
    if (!take(at, ':')) {
        return false;
    }
    tm->tm_min = (int)take_digits(at, 2, 2);
    if (take(at, ':')) {
        tm->tm_sec = (int)take_digits(at, 2, 2);
        if (!parse_fraction(at, ret_ms)) {
            return false;
        }
    }
    return tm->tm_hour >= 0 && tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 &&
           tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

/* Z or +hh:mm; nothing means local time. */
static bool parse_zone(const char *at, struct tm *tm, int64_t *ret_s)
{
    int64_t sign = (*at == '-') ? -1 : 1;
    int64_t hours;
    int64_t minutes;

    if (*at == '\0') {
        tm->tm_isdst = -1;
        *ret_s = mktime(tm);
        return true;
    }
    *ret_s = timegm(tm);
    if (*at == 'Z' || *at == 'z') {
        return at[1] == '\0';
    }
    if (!take(&at, '+') && !take(&at, '-')) {
        return false;
    }
    hours = take_digits(&at, 2, 2);
    (void)take(&at, ':');
    minutes = take_digits(&at, 2, 2);
    *ret_s -= sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && *at == '\0';
}

bool cli_when_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    struct tm tm = {0};
    const char *at = text;
    int64_t ms = 0;
    int64_t s;

    if (parse_span(text, &s)) {
        *ret_ms = now_ms - s * 1000;
        return true;
    }
    if (!parse_date(&at, &tm) || !parse_clock(&at, &tm, &ms) || !parse_zone(at, &tm, &s)) {
        return false;
    }
    *ret_ms = s * 1000 + ms;
    return true;
}

const char *cli_when_format(char text[CLI_WHEN_TEXT_MAX], int64_t time_ms, bool is_terminal)
{
    time_t time_s = (time_t)(time_ms / 1000);
    struct tm tm;
    size_t len;

    if (time_ms < 0) {
        (void)snprintf(text, CLI_WHEN_TEXT_MAX, "-");
        return text;
    }
    if (is_terminal) {
        (void)localtime_r(&time_s, &tm);
        (void)strftime(text, CLI_WHEN_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
        return text;
    }
    (void)gmtime_r(&time_s, &tm);
    len = strftime(text, CLI_WHEN_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + len, CLI_WHEN_TEXT_MAX - len, ".%03dZ", (int)(time_ms % 1000));
    return text;
}

const char *cli_duration_format(char text[CLI_WHEN_TEXT_MAX], int64_t duration_ms)
{
    int64_t s = duration_ms / 1000;
    size_t max = CLI_WHEN_TEXT_MAX;

    if (duration_ms < 0) {
        (void)snprintf(text, max, "-");
    } else if (duration_ms < 1000) {
        (void)snprintf(text, max, "%d ms", (int)duration_ms);
    } else if (s < 10) {
        (void)snprintf(text, max, "%d.%02d s", (int)s, (int)(duration_ms % 1000 / 10));
    } else if (s < 60) {
        (void)snprintf(text, max, "%d.%d s", (int)s, (int)(duration_ms % 1000 / 100));
    } else if (s < 3600) {
        (void)snprintf(text, max, "%dm%02ds", (int)(s / 60), (int)(s % 60));
    } else if (s < 86400) {
        (void)snprintf(text, max, "%dh%02dm", (int)(s / 3600), (int)(s % 3600 / 60));
    } else {
        (void)snprintf(text, max, "%lldd%02dh", (long long)(s / 86400), (int)(s % 86400 / 3600));
    }
    return text;
}
