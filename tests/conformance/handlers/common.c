#include "tests/conformance/handlers/handlers.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

const struct pawl_step_options no_retry = {.retry = &pawl_retry_none};

static const struct pawl_retry each_s = {
    .max_attempts = 3, .initial_delay_s = 1, .max_delay_s = 1, .jitter = PAWL_JITTER_NONE};
const struct pawl_step_options retry_each_s = {.retry = &each_s};

int step_return(struct pawl_context *ctx, void *arg, struct pawl_value *ret)
{
    (void)ctx;
    *ret = *(struct pawl_value *)arg;
    return 0;
}

int step_fail(struct pawl_context *ctx, void *arg, struct pawl_value *ret)
{
    (void)arg;
    (void)ret;
    return pawl_fail(ctx, "StepError", "this step always fails");
}

int step_fail_first(struct pawl_context *ctx, void *arg, struct pawl_value *ret)
{
    if (pawl_attempt(ctx) == 1) {
        return pawl_fail(ctx, "StepError", "the first attempt fails");
    }
    return step_return(ctx, arg, ret);
}

_Noreturn void crash(void)
{
    _exit(1);
}

/* Copies the text of `json`, which stays the caller's. */
static struct pawl_value json_text(struct pawl_context *ctx, const json_t *json)
{
    struct pawl_value value = PAWL_ABSENT;
    char *text;

    if (json == NULL) {
        return value;
    }
    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text != NULL) {
        value = pawl_format(ctx, "%s", text);
        free(text);
    }
    return value;
}

struct pawl_value json_member_text(struct pawl_context *ctx, struct pawl_value value,
                                   const char *name)
{
    json_t *json = json_loadb(value.data, value.len, JSON_DECODE_ANY, NULL);
    struct pawl_value text = json_text(ctx, json_object_get(json, name));

    json_decref(json);
    return text;
}

struct pawl_value json_item_text(struct pawl_context *ctx, struct pawl_value value, size_t index)
{
    json_t *json = json_loadb(value.data, value.len, JSON_DECODE_ANY, NULL);
    struct pawl_value text = json_text(ctx, json_array_get(json, index));

    json_decref(json);
    return text;
}

struct pawl_value upper_serialize(struct pawl_context *ctx, struct pawl_value value)
{
    char *text = pawl_json_unquote(ctx, value);

    if (text == NULL) {
        text = pawl_printf(ctx, "%s", value.data == NULL ? "" : value.data);
    }
    for (char *c = text; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return pawl_value(text);
}
