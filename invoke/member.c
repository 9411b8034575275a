#include "invoke/member.h"

#include <ctype.h>
#include <inttypes.h>

json_t *member_get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

/* Lambda names members in its messages as its model does. */
static bool refuse_range(const char *key, json_int_t number, const char *relation, uint32_t limit,
                         struct problem *problem)
{
    return problem_invalid(problem,
                           "1 validation error detected: Value '%" JSON_INTEGER_FORMAT
                           "' at '%c%s' failed to satisfy constraint: Member must have value "
                           "%s than or equal to %" PRIu32,
                           number, tolower((unsigned char)key[0]), key + 1, relation, limit);
}

bool member_number(const json_t *object, const char *key, uint32_t min, uint32_t max,
                   uint32_t *number, struct problem *problem)
{
    json_t *value = member_get(object, key);
    json_int_t given;

    if (value == NULL) {
        return true;
    }
    if (!json_is_integer(value)) {
        return problem_invalid(problem, "%s must be a whole number.", key);
    }
    given = json_integer_value(value);
    if (given < (json_int_t)min) {
        return refuse_range(key, given, "greater", min, problem);
    }
    if (given > (json_int_t)max) {
        return refuse_range(key, given, "less", max, problem);
    }
    *number = (uint32_t)given;
    return true;
}

bool member_flag(const json_t *object, const char *key, bool *flag, struct problem *problem)
{
    json_t *value = member_get(object, key);

    if (value == NULL) {
        return true;
    }
    if (!json_is_boolean(value)) {
        return problem_invalid(problem, "%s must be true or false.", key);
    }
    *flag = json_is_true(value);
    return true;
}

bool member_bytes(const json_t *object, const char *key, size_t max, struct bytes *bytes,
                  struct problem *problem)
{
    json_t *value = member_get(object, key);

    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        return problem_invalid(problem, "%s must be a string.", key);
    }
    if (json_string_length(value) > max) {
        return problem_invalid(problem,
                               "1 validation error detected: Value at '%c%s' failed to satisfy "
                               "constraint: Member must have length less than or equal to %zu",
                               tolower((unsigned char)key[0]), key + 1, max);
    }
    *bytes = bytes_of(json_string_value(value), json_string_length(value));
    return true;
}

bool member_text(const json_t *object, const char *key, size_t max, const char **text,
                 struct problem *problem)
{
    struct bytes bytes = {0};

    if (!member_bytes(object, key, max, &bytes, problem)) {
        return false;
    }
    if (bytes.data == NULL) {
        return true;
    }
    if (memchr(bytes.data, '\0', bytes.len + 1) != bytes.data + bytes.len) {
        return problem_invalid(problem, "%s has a zero byte.", key);
    }
    *text = (const char *)bytes.data;
    return true;
}

bool member_object(const json_t *object, const char *key, json_t **ret_object,
                   struct problem *problem)
{
    json_t *value = member_get(object, key);

    if (value != NULL && !json_is_object(value)) {
        return problem_invalid(problem, "%s must be an object.", key);
    }
    *ret_object = value;
    return true;
}

bool member_array(const json_t *object, const char *key, size_t max, json_t **ret_array,
                  struct problem *problem)
{
    json_t *value = member_get(object, key);

    if (value != NULL && !json_is_array(value)) {
        return problem_invalid(problem, "%s must be a list.", key);
    }
    if (json_array_size(value) > max) {
        return problem_invalid(problem, "%s has more than %zu elements.", key, max);
    }
    *ret_array = value;
    return true;
}
