/* Moments as texts: ISO 8601 in query strings, and the form of LastModified. */
#ifndef INVOKE_MOMENT_H
#define INVOKE_MOMENT_H

#include "engine/base/bytes.h"

int64_t moment_now_ms(void);

/* "2025-12-03T22:57:08Z", with a fraction of up to 9 digits, with Z or +hh:mm; or
 * epoch seconds with a fraction. False for anything else, and before 1970 or after
 * 9999. */
bool moment_parse(struct bytes text, int64_t *ret_ms);

/* "2026-11-23T08:33:41.977+0000". */
#define MOMENT_TEXT_MAX 40
const char *moment_format(char text[MOMENT_TEXT_MAX], int64_t time_ms);

#endif /* INVOKE_MOMENT_H */
