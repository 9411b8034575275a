#include "engine/driver/log_line.h"

#include <time.h>

#include "engine/base/json.h"

#define MESSAGE_BYTES_MAX ((size_t)128 * 1024) /* escaped six-fold it is still read at once */

static void put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void format_time(int64_t time_ms, char text[LOG_TIME_LEN + 1])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
        tm = (struct tm){.tm_mday = 1, .tm_year = 8099};
    }
    memcpy(text, "0000-00-00T00:00:00.000Z", LOG_TIME_LEN + 1);
    put_digits(text, tm.tm_year + 1900, 4);
    put_digits(text + 5, tm.tm_mon + 1, 2);
    put_digits(text + 8, tm.tm_mday, 2);
    put_digits(text + 11, tm.tm_hour, 2);
    put_digits(text + 14, tm.tm_min, 2);
    put_digits(text + 17, tm.tm_sec, 2);
    put_digits(text + 20, (int)(time_ms % 1000), 3);
}

static const char *time_text(struct log_clock *clock, int64_t time_ms)
{
    if (time_ms < 0) {
        time_ms = 0;
    }
    if (time_ms / 1000 != clock->second) {
        clock->second = time_ms / 1000;
        format_time(time_ms, clock->text);
    }
    put_digits(clock->text + 20, (int)(time_ms % 1000), 3);
    return clock->text;
}

static void put_member(struct buf *buf, struct bytes key, struct bytes value)
{
    if (value.len > 0) {
        buf_append(buf, key.data, key.len);
        json_quoted(buf, value);
    }
}

#define KEY(text) bytes_of((text), sizeof(text) - 1)

void log_line_put(struct log_clock *clock, struct buf *buf, const struct log_entry *entry)
{
    struct bytes message = entry->message;

    if (message.len > MESSAGE_BYTES_MAX) {
        message.len = MESSAGE_BYTES_MAX;
    }
    buf_append(buf, "{\"time\":\"", 9);
    buf_append(buf, time_text(clock, entry->time_ms), LOG_TIME_LEN);
    buf_append(buf, "\"", 1);
    put_member(buf, KEY(",\"requestId\":"), entry->request_id);
    put_member(buf, KEY(",\"execution\":"), entry->execution);
    put_member(buf, KEY(",\"level\":"), entry->level);
    put_member(buf, KEY(",\"operationId\":"), entry->operation_id);
    buf_append(buf, ",\"message\":", 11);
    json_quoted(buf, message);
    buf_append(buf, "}\n", 2);
}

void log_line_time(int64_t time_ms, char text[LOG_TIME_LEN + 1])
{
    format_time((time_ms > 0) ? time_ms : 0, text);
}

void log_line_put_execution(struct buf *buf, struct bytes execution)
{
    put_member(buf, KEY("\"execution\":"), execution);
}
