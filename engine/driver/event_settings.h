/* How the asynchronous invokes of a function are treated: Lambda's event invoke config, one
 * for each qualifier, kept as a setting of the function. An execution keeps what held when
 * it was started: what is changed here is for later ones. */
#ifndef ENGINE_DRIVER_EVENT_SETTINGS_H
#define ENGINE_DRIVER_EVENT_SETTINGS_H

#include "engine/base/arena.h"
#include "engine/driver/setting.h"

#define EVENT_RETRIES_MAX 2U
#define EVENT_AGE_MIN_S 60U
#define EVENT_AGE_MAX_S 21600U /* 6 hours */
#define EVENT_DESTINATION_MAX 350U

struct event_settings {
    bool has_retries; /* given, also when it is what holds anyway */
    bool has_age;
    uint32_t retries_max;
    uint32_t age_s;
    struct bytes on_success; /* a function's ARN, perhaps qualified; empty: none */
    struct bytes on_failure;
    int64_t modified_ms;
};

/* What holds where nothing was said: 2 retries, 6 hours, no destinations. */
extern const struct event_settings event_settings_default;

/* Those of a function and qualifier ("" is $LATEST), or the default ones. True when they
 * were set. Texts live in `arena`. */
bool event_settings_find(const struct function *function, struct bytes qualifier,
                         struct arena *arena, struct event_settings *ret_settings);

/* The document of a setting. False: it is none. */
bool event_settings_parse(struct bytes json, struct arena *arena,
                          struct event_settings *ret_settings);
void event_settings_put(struct buf *json, const struct event_settings *settings);

#endif /* ENGINE_DRIVER_EVENT_SETTINGS_H */
