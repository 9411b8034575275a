/* A line of a log, as JSON. Readers rely on the order of its members: the time stands first,
 * and nothing is spaced. */
#ifndef ENGINE_DRIVER_LOG_LINE_H
#define ENGINE_DRIVER_LOG_LINE_H

#include "engine/driver/logs.h"

#define LOG_TIME_LEN 24 /* 2026-11-23T09:29:22.123Z */
#define LOG_TIME_AT 9   /* in a line, behind {"time":" */

/* Remembers the text of the last second. Starts with `second` -1. */
struct log_clock {
    int64_t second;
    char text[LOG_TIME_LEN + 1];
};

void log_line_put(struct log_clock *clock, struct buf *buf, const struct log_entry *entry);

/* One time; 0 where it is negative. */
void log_line_time(int64_t time_ms, char text[LOG_TIME_LEN + 1]);

/* The member as it stands in a line: nothing where `execution` is empty. */
void log_line_put_execution(struct buf *buf, struct bytes execution);

#endif /* ENGINE_DRIVER_LOG_LINE_H */
