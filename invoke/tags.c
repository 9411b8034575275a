#include "invoke/tags.h"

#include "engine/driver/setting.h"
#include "invoke/json_tree.h"

#define RESERVED_PREFIX "aws:"

json_t *tags_of(const struct function *function)
{
    struct bytes stored = setting_find(function, SETTING_TAGS, bytes_of("", 0));
    json_t *tags = NULL;
    json_t *config;

    if (stored.data != NULL) {
        tags = json_tree_read(stored);
    } else {
        config = json_tree_read(function->latest->config.raw);
        tags = json_incref(json_object_get(config, "Tags"));
        json_decref(config);
    }
    return json_is_object(tags) ? tags : json_object();
}

/* Letters, digits and spaces of any script, and _.:/=+-@ */
static bool is_tag_char(uint8_t c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || (c != '\0' && strchr(" _.:/=+-@", c) != NULL);
}

static size_t count_chars(struct bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += ((text.data[i] & 0xC0U) != 0x80U) ? 1 : 0;
    }
    return count;
}

static bool check_text(struct bytes text, const char *what, size_t max, struct problem *problem)
{
    if (count_chars(text) > max) {
        return problem_invalid(problem, "A tag's %s has at most %zu characters.", what, max);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_tag_char(text.data[i])) {
            return problem_invalid(
                problem, "A tag's %s has letters, digits, spaces and _.:/=+-@ only.", what);
        }
    }
    return true;
}

bool tags_check_key(struct bytes key, struct problem *problem)
{
    size_t prefix = strlen(RESERVED_PREFIX);

    if (key.len == 0) {
        return problem_invalid(problem, "A tag's key must not be empty.");
    }
    if (key.len >= prefix && memcmp(key.data, RESERVED_PREFIX, prefix) == 0) {
        return problem_invalid(problem, "Tag keys that begin with aws: are reserved.");
    }
    return check_text(key, "key", TAG_KEY_CHARS_MAX, problem);
}

bool tags_check(const json_t *tags, struct problem *problem)
{
    const char *key;
    json_t *value;

    if (json_object_size(tags) > TAGS_MAX) {
        return problem_invalid(problem, "There are more than %u tags.", TAGS_MAX);
    }
    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        if (!json_is_string(value)) {
            return problem_invalid(problem, "The value of the tag %.128s must be a string.", key);
        }
        if (!tags_check_key(bytes_of_text(key), problem) ||
            !check_text(bytes_of(json_string_value(value), json_string_length(value)), "value",
                        TAG_VALUE_CHARS_MAX, problem)) {
            return false;
        }
    }
    return true;
}
