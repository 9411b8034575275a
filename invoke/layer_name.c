#include "invoke/layer_name.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/driver/function_name.h"

#define ARN_WORDS 6U /* "arn", partition, "lambda", region, account, "layer"; then the name */
#define ARN_MAX 140U
#define SHOWN_MAX 256

/* Up to the next colon, which goes with it. */
static struct bytes take_word(struct bytes *text)
{
    const uint8_t *colon = (text->len > 0) ? memchr(text->data, ':', text->len) : NULL;
    struct bytes word =
        bytes_of(text->data, (colon != NULL) ? (size_t)(colon - text->data) : text->len);
    size_t taken = word.len + (colon != NULL ? 1 : 0);

    *text = bytes_of(text->data + taken, text->len - taken);
    return word;
}

struct layer_arn {
    struct bytes region;
    struct bytes account;
    struct bytes name;
    struct bytes version; /* empty: none */
};

static bool is_digits(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

static bool parse_arn(struct bytes text, struct layer_arn *ret_arn)
{
    struct bytes words[ARN_WORDS];
    struct bytes rest = text;

    if (text.len > ARN_MAX) {
        return false;
    }
    for (size_t i = 0; i < ARN_WORDS; i++) {
        words[i] = take_word(&rest);
    }
    *ret_arn = (struct layer_arn){.region = words[3], .account = words[4]};
    ret_arn->name = take_word(&rest);
    ret_arn->version = rest;
    return bytes_equal(words[0], bytes_of_text("arn")) && words[1].len > 0 &&
           bytes_equal(words[2], bytes_of_text("lambda")) && ret_arn->region.len > 0 &&
           is_digits(ret_arn->account) && ret_arn->account.len == 12 &&
           bytes_equal(words[5], bytes_of_text("layer")) && function_name_is_plain(ret_arn->name) &&
           (rest.len == 0 ? text.data[text.len - 1] != ':' : is_digits(rest));
}

static bool is_ours(const struct call *call, const struct layer_arn *arn)
{
    char account[16];

    (void)snprintf(account, sizeof account, "%012" PRIu64, call->principal.tenant);
    return bytes_equal(arn->account, bytes_of_text(account)) &&
           bytes_equal(arn->region, bytes_of_text(call->service->region));
}

bool layer_name_parse(const struct call *call, struct bytes text, struct bytes *ret_name,
                      bool *ret_is_ours)
{
    struct layer_arn arn;

    if (function_name_is_plain(text)) {
        *ret_name = text;
        *ret_is_ours = true;
        return true;
    }
    if (!parse_arn(text, &arn) || arn.version.len > 0) {
        return false;
    }
    *ret_name = arn.name;
    *ret_is_ours = is_ours(call, &arn);
    return true;
}

static struct layer_version *find_version(const struct call *call, struct bytes name,
                                          uint32_t version)
{
    const struct layer *layer = layer_find(driver_functions(call->service->driver), name);

    return (layer != NULL) ? layer_version_find(layer, version) : NULL;
}

bool layer_version_parse(const struct call *call, struct bytes text,
                         struct layer_version **ret_version)
{
    struct layer_arn arn;

    if (!parse_arn(text, &arn) || arn.version.len == 0) {
        return false;
    }
    *ret_version =
        is_ours(call, &arn) ? find_version(call, arn.name, version_parse(arn.version)) : NULL;
    return true;
}

/* --- the path ----------------------------------------------------------------------------- */

struct bytes layer_name_of_path(struct call *call, bool *ret_is_ours)
{
    struct bytes text = call->labels[0];
    struct bytes name = {0};

    if (layer_name_parse(call, text, &name, ret_is_ours)) {
        return name;
    }
    call_fail(call, 400, "InvalidParameterValueException",
              "1 validation error detected: Value '%.*s' at 'layerName' failed to satisfy "
              "constraint: it must be a name of at most %u letters, digits, '-' and '_', or the "
              "ARN of a layer",
              (text.len < SHOWN_MAX) ? (int)text.len : SHOWN_MAX, (const char *)text.data,
              LAYER_NAME_MAX);
    return (struct bytes){0};
}

struct layer_version *layer_version_of_path(struct call *call)
{
    struct layer_version *version;
    struct bytes number = call->labels[1];
    bool is_known = false;
    struct bytes name = layer_name_of_path(call, &is_known);

    if (name.data == NULL) {
        return NULL;
    }
    if (!is_digits(number)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value '%.*s' at 'versionNumber' failed to satisfy "
                  "constraint: it must be a number",
                  (number.len < SHOWN_MAX) ? (int)number.len : SHOWN_MAX,
                  (const char *)number.data);
        return NULL;
    }
    version = is_known ? find_version(call, name, version_parse(number)) : NULL;
    if (version == NULL) {
        call_fail(call, 404, "ResourceNotFoundException", "Layer version %.*s:%.*s does not exist.",
                  (int)name.len, (const char *)name.data,
                  (number.len < SHOWN_MAX) ? (int)number.len : SHOWN_MAX,
                  (const char *)number.data);
    }
    return version;
}
