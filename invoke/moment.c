#include "invoke/moment.h"

#include <stdio.h>
#include <time.h>

#define SECONDS_MAX 253402300799 /* 9999-12-31T23:59:59Z */

int64_t moment_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Exactly `count` digits off the front. */
static bool take_number(struct bytes *rest, size_t count, int *ret_number)
{
    int number = 0;

    if (rest->len < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (rest->data[i] < '0' || rest->data[i] > '9') {
            return false;
        }
        number = number * 10 + (rest->data[i] - '0');
    }
    *rest = bytes_of(rest->data + count, rest->len - count);
    *ret_number = number;
    return true;
}

static bool take_char(struct bytes *rest, char c)
{
    if (rest->len == 0 || rest->data[0] != (uint8_t)c) {
        return false;
    }
    *rest = bytes_of(rest->data + 1, rest->len - 1);
    return true;
}

/* ".830000": milliseconds, what is finer is cut off. */
static bool take_fraction(struct bytes *rest, int *ret_ms)
{
    int digit;
    int scale = 100;
    int count = 0;

    *ret_ms = 0;
    if (!take_char(rest, '.')) {
        return true;
    }
    while (count < 9 && take_number(rest, 1, &digit)) {
        *ret_ms += digit * scale;
        scale /= 10;
        count++;
    }
    return count > 0;
}

static bool take_zone(struct bytes *rest, int *ret_minutes)
{
    int sign = take_char(rest, '-') ? -1 : 1;
    int hours = 0;
    int minutes = 0;

    *ret_minutes = 0;
    if (sign == 1 && take_char(rest, 'Z')) {
        return true;
    }
    if (sign == 1 && !take_char(rest, '+')) {
        return false;
    }
    if (!take_number(rest, 2, &hours) || !take_char(rest, ':') || !take_number(rest, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool take_date(struct bytes *rest, struct tm *parts)
{
    if (!take_number(rest, 4, &parts->tm_year) || !take_char(rest, '-') ||
        !take_number(rest, 2, &parts->tm_mon) || !take_char(rest, '-') ||
        !take_number(rest, 2, &parts->tm_mday)) {
        return false;
    }
    parts->tm_year -= 1900;
    parts->tm_mon -= 1;
    return parts->tm_year >= 70 && parts->tm_mon >= 0 && parts->tm_mon < 12 &&
           parts->tm_mday >= 1 && parts->tm_mday <= 31;
}

static bool take_time(struct bytes *rest, struct tm *parts)
{
    return take_number(rest, 2, &parts->tm_hour) && take_char(rest, ':') &&
           take_number(rest, 2, &parts->tm_min) && take_char(rest, ':') &&
           take_number(rest, 2, &parts->tm_sec) && parts->tm_hour < 24 && parts->tm_min < 60 &&
           parts->tm_sec < 61;
}

static bool parse_iso(struct bytes text, int64_t *ret_ms)
{
    struct tm parts = {0};
    int day;
    int ms = 0;
    int zone = 0;
    int64_t seconds;

    if (!take_date(&text, &parts) || !take_char(&text, 'T') || !take_time(&text, &parts) ||
        !take_fraction(&text, &ms) || !take_zone(&text, &zone) || text.len != 0) {
        return false;
    }
    day = parts.tm_mday;
    seconds = (int64_t)timegm(&parts) - (int64_t)zone * 60;
    if (parts.tm_mday != day || seconds < 0 || seconds > SECONDS_MAX) {
        return false; /* the 31st of a short month, or out of range by its zone */
    }
    *ret_ms = seconds * 1000 + ms;
    return true;
}

static bool parse_epoch(struct bytes text, int64_t *ret_ms)
{
    int64_t seconds = 0;
    int digit;
    int ms;
    size_t count = 0;

    while (count < 12 && take_number(&text, 1, &digit)) {
        seconds = seconds * 10 + digit;
        count++;
    }
    if (count == 0 || !take_fraction(&text, &ms) || text.len != 0 || seconds > SECONDS_MAX) {
        return false;
    }
    *ret_ms = seconds * 1000 + ms;
    return true;
}

bool moment_parse(struct bytes text, int64_t *ret_ms)
{
    return parse_iso(text, ret_ms) || parse_epoch(text, ret_ms);
}

const char *moment_format(char text[MOMENT_TEXT_MAX], int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    size_t len;

    (void)gmtime_r(&seconds, &parts);
    len = strftime(text, MOMENT_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + len, MOMENT_TEXT_MAX - len, ".%03d+0000", (int)(time_ms % 1000));
    return text;
}
