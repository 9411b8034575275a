/* Just enough reading of JSON for what libpawl itself has written. */
#ifndef SDK_LIB_JSON_READ_H
#define SDK_LIB_JSON_READ_H

#include <stdbool.h>

#include "engine/base/bytes.h"

struct json_read {
    const char *at;
    const char *end;
};

/* Passes one value of any kind (RFC 8259, at most 64 deep), with the white space around
 * it, and gives its bytes. False when there is none. */
bool json_pass(struct json_read *read, struct bytes *ret_value);

/* Passes this character and the white space around it, if it is next. */
bool json_passes(struct json_read *read, char c);

bool json_is_valid(struct bytes text);

#endif /* SDK_LIB_JSON_READ_H */
