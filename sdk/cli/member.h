/* Members of the daemon's answers, read leniently: what is absent, null or of another
 * type reads as nothing, also when the object itself is NULL. */
#ifndef SDK_CLI_MEMBER_H
#define SDK_CLI_MEMBER_H

#include <jansson.h>
#include <stdint.h>

/* Never NULL: "" when there is no such text. Valid as long as the object is. */
const char *cli_member_text(const json_t *object, const char *key);

/* -1 when there is no such number. */
int64_t cli_member_number(const json_t *object, const char *key);

/* Lambda's fractional epoch seconds in milliseconds; -1 when there is none. */
int64_t cli_member_time_ms(const json_t *object, const char *key);

/* The member itself, or NULL. */
json_t *cli_member(const json_t *object, const char *key);

#endif /* SDK_CLI_MEMBER_H */
