#include "engine/driver/event_settings.h"

#include <jansson.h>

#include "engine/base/json.h"

const struct event_settings event_settings_default = {.retries_max = EVENT_RETRIES_MAX,
                                                      .age_s = EVENT_AGE_MAX_S};

static bool get_text(const json_t *json, const char *key, struct arena *arena, struct bytes *ret)
{
    const json_t *value = json_object_get(json, key);

    if (value == NULL) {
        return true;
    }
    *ret = arena_copy(arena, bytes_of(json_string_value(value), json_string_length(value)));
    return json_is_string(value) && ret->data != NULL;
}

static bool get_number(const json_t *json, const char *key, uint32_t *ret, bool *ret_is_there)
{
    const json_t *value = json_object_get(json, key);

    *ret_is_there = value != NULL;
    if (value != NULL) {
        *ret = (uint32_t)json_integer_value(value);
    }
    return value == NULL || (json_is_integer(value) && json_integer_value(value) >= 0 &&
                             json_integer_value(value) <= EVENT_AGE_MAX_S);
}

bool event_settings_parse(struct bytes text, struct arena *arena,
                          struct event_settings *ret_settings)
{
    json_t *json = json_loadb((const char *)text.data, text.len, 0, NULL);
    struct event_settings settings = event_settings_default;
    bool is_good = json_is_object(json) &&
                   get_number(json, "Retries", &settings.retries_max, &settings.has_retries) &&
                   get_number(json, "AgeSeconds", &settings.age_s, &settings.has_age) &&
                   get_text(json, "OnSuccess", arena, &settings.on_success) &&
                   get_text(json, "OnFailure", arena, &settings.on_failure);

    settings.modified_ms = json_integer_value(json_object_get(json, "ModifiedMs"));
    json_decref(json);
    if (is_good) {
        *ret_settings = settings;
    }
    return is_good;
}

static void put_text(struct buf *json, const char *key, struct bytes text)
{
    if (text.len > 0) {
        json_key(json, key);
        json_quoted(json, text);
    }
}

static void put_number(struct buf *json, const char *key, bool is_there, int64_t number)
{
    if (is_there) {
        json_key(json, key);
        json_int(json, number);
    }
}

void event_settings_put(struct buf *json, const struct event_settings *settings)
{
    json_open(json, '{');
    put_number(json, "Retries", settings->has_retries, settings->retries_max);
    put_number(json, "AgeSeconds", settings->has_age, settings->age_s);
    put_text(json, "OnSuccess", settings->on_success);
    put_text(json, "OnFailure", settings->on_failure);
    put_number(json, "ModifiedMs", true, settings->modified_ms);
    json_close(json, '}');
}

bool event_settings_find(const struct function *function, struct bytes qualifier,
                         struct arena *arena, struct event_settings *ret_settings)
{
    struct bytes name = (qualifier.len > 0) ? qualifier : bytes_of_text("$LATEST");
    struct bytes json = setting_find(function, SETTING_EVENT_INVOKE, name);

    *ret_settings = event_settings_default;
    return json.data != NULL && event_settings_parse(json, arena, ret_settings);
}
