/* Is this JSON (RFC 8259)? One pass, no tree, no recursion, no allocation: what a
 * payload must pass at the door, and every other body before a parser builds a tree
 * of it. UTF-8 must be well-formed; an escaped half of a surrogate pair is text like
 * any other. */
#ifndef ENGINE_BASE_JSON_SCAN_H
#define ENGINE_BASE_JSON_SCAN_H

#include "engine/base/bytes.h"

#define JSON_DEPTH_MAX 64U /* arrays and objects inside each other */

/* Beyond the depth, for what we parse ourselves; 0 = no limit. */
struct json_limits {
    uint32_t tokens_max; /* values and names */
    uint32_t number_chars_max;
};
extern const struct json_limits json_limits_payload; /* none */
extern const struct json_limits json_limits_request; /* 100,000 tokens, 40 characters */

struct json_problem {
    const char *text; /* "a value is missing"; completes "at byte N: ..." */
    size_t offset;
};

/* Whether `text` is one JSON value with nothing but blanks around it. If not,
 * `ret_problem` (may be NULL) says where it stops being one. */
bool json_scan(struct bytes text, const struct json_limits *limits,
               struct json_problem *ret_problem);

#endif /* ENGINE_BASE_JSON_SCAN_H */
