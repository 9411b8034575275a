/* Another reader of JSON (jansson) says what was written. Apart, because both
 * headers have a json_quoted(). */
#ifndef TESTS_BASE_JUDGE_H
#define TESTS_BASE_JUDGE_H

#include "engine/base/bytes.h"

/* True when `json` is one well-formed string value; its content, at most `max`
 * bytes, goes to `ret_text`. */
bool judge_reads_string(struct bytes json, uint8_t *ret_text, size_t max, size_t *ret_len);

#endif /* TESTS_BASE_JUDGE_H */
