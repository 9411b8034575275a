/* The elements of an array in an answer, as the very bytes the daemon sent: what
 * `--output json` prints is not written anew, so no number loses a digit. */
#ifndef SDK_CLI_ELEMENTS_H
#define SDK_CLI_ELEMENTS_H

#include <stdbool.h>

#include "engine/base/bytes.h"

struct cli_elements {
    struct bytes body;
    size_t at;
};

/* `body` is an object that a JSON parser has already accepted. False when it has no
 * such member, or that is not an array. */
bool cli_elements_find(struct cli_elements *elements, struct bytes body, const char *member);

/* The next element, without the space around it; false after the last. */
bool cli_elements_next(struct cli_elements *elements, struct bytes *ret_element);

#endif /* SDK_CLI_ELEMENTS_H */
