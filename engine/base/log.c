#include "engine/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/json.h"

#define LINE_MAX_BYTES 2048

static enum log_level level_min = LOG_INFO;
static bool is_json_output;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    level_min = level;
}

void log_set_json(bool is_json)
{
    is_json_output = is_json;
}

static size_t format_time(char *text, size_t max)
{
    struct timespec now;
    struct tm parts;
    size_t len;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    len = strftime(text, max, "%Y-%m-%dT%H:%M:%S", &parts);
    return len + (size_t)snprintf(text + len, max - len, ".%03ldZ", now.tv_nsec / 1000000);
}

/* Control characters would end the line early, or speak to the terminal. */
static void keep_on_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F) {
            *text = ' ';
        }
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    char time_text[40];
    struct buf line = {0};
    va_list args;

    if (level < level_min) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)format_time(time_text, sizeof time_text);
    if (is_json_output) {
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time_text,
                   level_names[level]);
        json_quoted(&line, bytes_of_text(text));
        buf_append_text(&line, "}\n");
    } else {
        keep_on_one_line(text);
        buf_printf(&line, "%s %-5s %s\n", time_text, level_names[level], text);
    }
    if (!line.failed && write(STDERR_FILENO, line.data, line.len) < 0) {
        /* nowhere left to report it */
    }
    buf_fini(&line);
}
