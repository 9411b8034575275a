/* Times and durations as people write and read them. */
#ifndef SDK_CLI_WHEN_H
#define SDK_CLI_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_WHEN_TEXT_MAX 40

int64_t cli_now_ms(void);     /* since 1970 */
int64_t cli_elapsed_ms(void); /* monotonic, from any start: for limits on waiting */
void cli_sleep_ms(int64_t time_ms);

/* "90s", "30m", "1h30m", "2d", "1w": that long before `now_ms`; or ISO 8601:
 * "2026-11-23", "2026-11-23T09:29[:22[.5]]" with an optional Z or +02:00, without
 * one in local time. False when it is neither. */
bool cli_when_parse(const char *text, int64_t now_ms, int64_t *ret_ms);

/* On a terminal local time, "2026-11-23 09:29:22"; else "2026-11-23T09:29:22.123Z".
 * A negative time is "-". Returns `text`. */
const char *cli_when_format(char text[CLI_WHEN_TEXT_MAX], int64_t time_ms, bool is_terminal);

/* "0 ms", "123 ms", "1.23 s", "12.3 s", "2m05s", "3h04m", "2d03h"; negative is "-". */
const char *cli_duration_format(char text[CLI_WHEN_TEXT_MAX], int64_t duration_ms);

#endif /* SDK_CLI_WHEN_H */
