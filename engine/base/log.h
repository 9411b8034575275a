/* The daemon's own log: one line per event on stderr.
 *
 *     2026-11-23T09:29:22.123Z info  ready socket=... listen=...
 *
 * or, with log_set_json(true), one JSON object per line. Thread-safe: a line is
 * one write(2). Never logs payloads or secrets. */
#ifndef ENGINE_BASE_LOG_H
#define ENGINE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level); /* default LOG_INFO */
void log_set_json(bool is_json);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif /* ENGINE_BASE_LOG_H */
