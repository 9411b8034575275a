#include "tests/base/judge.h"

#include <jansson.h>

bool judge_reads_string(struct bytes json, uint8_t *ret_text, size_t max, size_t *ret_len)
{
    json_t *read =
        json_loadb((const char *)json.data, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool is_string = json_is_string(read) && json_string_length(read) <= max;

    if (is_string) {
        *ret_len = json_string_length(read);
        memcpy(ret_text, json_string_value(read), *ret_len);
    }
    json_decref(read);
    return is_string;
}
