/* Percent-encoding (RFC 3986 section 2.1) of path segments and query values. A '+' is a '+':
 * AWS's clients write a space as %20, and a callback id has plus signs. */
#ifndef ENGINE_BASE_PERCENT_H
#define ENGINE_BASE_PERCENT_H

#include "engine/base/arena.h"
#include "engine/base/bytes.h"

/* The value of a hexadecimal digit of either case, or -1. */
static inline int percent_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20U;
    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/* Takes one character, encoded or not, off `rest`, which is not empty; -1 when the encoding
 * is malformed. */
int percent_take(struct bytes *rest);

/* Whether every '%' begins an encoded character. */
bool percent_is_well_formed(struct bytes text);

/* The text decoded, with a zero byte behind it that does not count, into the arena; data NULL
 * when it is malformed or there is no room. It may hold zero bytes. */
struct bytes percent_decode(struct bytes text, struct arena *arena);

#endif /* ENGINE_BASE_PERCENT_H */
