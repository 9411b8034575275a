#include "invoke/function_answer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/json.h"
#include "engine/base/percent.h"
#include "engine/driver/concurrency.h"
#include "invoke/base64.h"
#include "invoke/function_layers.h"
#include "invoke/json_tree.h"
#include "invoke/moment.h"
#include "invoke/tags.h"

#define CODE_HASH_BYTES 32

static void put_text(struct buf *json, const char *key, const char *text)
{
    json_key(json, key);
    json_text(json, text);
}

static void put_number(struct buf *json, const char *key, uint64_t number)
{
    json_key(json, key);
    json_int(json, (int64_t)number);
}

void function_answer_put_arn(struct buf *json, const char *key, const struct function *function,
                             struct bytes qualifier)
{
    struct buf arn = {0};

    buf_append_text(&arn, function->arn);
    if (qualifier.len > 0) {
        buf_append(&arn, ":", 1);
        buf_append(&arn, qualifier.data, qualifier.len);
    }
    json_key(json, key);
    json_quoted(json, buf_bytes(&arn));
    json->failed = json->failed || arn.failed;
    buf_fini(&arn);
}

/* The code's name is its hash in hex; Lambda shows it in base64. */
void function_answer_put_hash(struct buf *text, const char *code)
{
    uint8_t hash[CODE_HASH_BYTES];

    for (size_t i = 0; i < sizeof hash; i++) {
        hash[i] = (uint8_t)(percent_hex((uint8_t)code[2 * i]) << 4 |
                            percent_hex((uint8_t)code[2 * i + 1]));
    }
    base64_append(text, bytes_of(hash, sizeof hash));
}

static void put_code(struct buf *json, const struct function_revision *revision)
{
    struct buf text = {0};

    function_answer_put_hash(&text, revision->code);
    put_number(json, "CodeSize", revision->code_bytes);
    json_key(json, "CodeSha256");
    json_quoted(json, buf_bytes(&text));
    json->failed = json->failed || text.failed;
    buf_fini(&text);
}

static void put_state(struct buf *json, const struct function_revision *revision)
{
    char moment[MOMENT_TEXT_MAX];
    char id[ID_TEXT_LEN + 1];

    id_format(&revision->revision_id, id);
    put_text(json, "LastModified", moment_format(moment, revision->modified_ms));
    put_text(json, "Version", revision->qualifier);
    put_text(json, "RevisionId", id);
    put_text(json, "State", "Active");
    put_text(json, "LastUpdateStatus", "Successful");
    put_text(json, "PackageType", "Zip");
}

static void put_environment(struct buf *json, const struct function_config *config)
{
    if (config->env_count == 0) {
        return;
    }
    json_key(json, "Environment");
    json_open(json, '{');
    json_key(json, "Variables");
    json_open(json, '{');
    for (size_t i = 0; i < config->env_count; i++) {
        const char *entry = config->env[i];
        size_t len = strcspn(entry, "=");
        char name[4096 + 1];

        memcpy(name, entry, (len < sizeof name) ? len : 0);
        name[(len < sizeof name) ? len : 0] = '\0';
        json_key(json, name);
        json_text(json, entry + len + 1);
    }
    json_close(json, '}');
    json_close(json, '}');
}

static void put_settings(struct buf *json, const struct function_config *config)
{
    put_text(json, "Runtime", config->runtime);
    put_text(json, "Role", config->role);
    put_text(json, "Handler", config->handler);
    put_text(json, "Description", config->description);
    put_number(json, "Timeout", config->timeout_s);
    put_number(json, "MemorySize", config->memory_mb);
    put_environment(json, config);
    json_key(json, "EphemeralStorage");
    json_open(json, '{');
    put_number(json, "Size", config->tmp_mb);
    json_close(json, '}');
    if (config->is_durable) {
        json_key(json, "DurableConfig");
        json_open(json, '{');
        put_number(json, "ExecutionTimeout", config->execution_timeout_s);
        put_number(json, "RetentionPeriodInDays", config->retention_days);
        json_close(json, '}');
    }
    if (config->is_per_tenant) {
        json_key(json, "TenancyConfig");
        json_open(json, '{');
        put_text(json, "TenantIsolationMode", "PER_TENANT");
        json_close(json, '}');
    }
}

/* --- what was only kept -------------------------------------------------------------------- */

static int append_piece(const char *piece, size_t size, void *data)
{
    struct buf *json = data;

    buf_append(json, piece, size);
    return 0;
}

static void put_value(struct buf *json, const char *key, const json_t *value)
{
    json_key(json, key);
    if (json_dump_callback(value, append_piece, json, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        json->failed = true;
    }
}

static json_t *load_kept(const struct function_config *config)
{
    json_t *kept = json_loadb((const char *)config->raw.data, config->raw.len, 0, NULL);

    return (kept != NULL) ? kept : json_object();
}

static void put_default(struct buf *json, const json_t *kept, const char *key, const char *text)
{
    if (json_object_get(kept, key) == NULL) {
        json_key(json, key);
        buf_append_text(json, text);
    }
}

static void put_snap_start(struct buf *json, const json_t *kept)
{
    const char *apply =
        json_string_value(json_object_get(json_object_get(kept, "SnapStart"), "ApplyOn"));

    json_key(json, "SnapStart");
    json_open(json, '{');
    put_text(json, "ApplyOn", (apply != NULL) ? apply : "None");
    put_text(json, "OptimizationStatus", "Off");
    json_close(json, '}');
}

static void put_logging(struct buf *json, const struct function *function, const json_t *logging)
{
    const char *format = json_string_value(json_object_get(logging, "LogFormat"));
    const char *group = json_string_value(json_object_get(logging, "LogGroup"));
    const char *of_function = json_string_value(json_object_get(logging, "ApplicationLogLevel"));
    const char *of_system = json_string_value(json_object_get(logging, "SystemLogLevel"));
    bool is_json = format != NULL && strcmp(format, "JSON") == 0;

    json_key(json, "LoggingConfig");
    json_open(json, '{');
    put_text(json, "LogFormat", is_json ? "JSON" : "Text");
    if (is_json) { /* Text has no levels */
        put_text(json, "ApplicationLogLevel", (of_function != NULL) ? of_function : "INFO");
        put_text(json, "SystemLogLevel", (of_system != NULL) ? of_system : "INFO");
    }
    json_key(json, "LogGroup");
    if (group != NULL) {
        json_text(json, group);
    } else {
        buf_printf(json, "\"/aws/lambda/%s\"", function->name);
    }
    json_close(json, '}');
}

/* With what it lacks; by another operation; or not at all. */
static bool is_shown_otherwise(const char *key)
{
    static const char *const keys[] = {"CodeSigningConfigArn", "LoggingConfig", "SnapStart",
                                       "Tags"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void put_kept(struct buf *json, const struct function_revision *revision)
{
    json_t *kept = load_kept(&revision->config);
    const char *key;
    json_t *value;

    json_object_foreach(kept, key, value)
    {
        if (!is_shown_otherwise(key)) {
            put_value(json, key, value);
        }
    }
    put_snap_start(json, kept);
    put_default(json, kept, "TracingConfig", "{\"Mode\":\"PassThrough\"}");
#if defined(__aarch64__)
    put_default(json, kept, "Architectures", "[\"arm64\"]");
#else
    put_default(json, kept, "Architectures", "[\"x86_64\"]");
#endif
    put_logging(json, revision->function, json_object_get(kept, "LoggingConfig"));
    json_decref(kept);
}

void function_answer_put(struct buf *json, const struct function_revision *revision,
                         struct bytes qualifier)
{
    json_open(json, '{');
    put_text(json, "FunctionName", revision->function->name);
    function_answer_put_arn(json, "FunctionArn", revision->function, qualifier);
    put_settings(json, &revision->config);
    put_code(json, revision);
    function_layers_put(json, &revision->config);
    put_state(json, revision);
    put_kept(json, revision);
    json_close(json, '}');
}

void function_answer_put_tags(struct buf *json, const struct function *function)
{
    json_t *tags = tags_of(function);

    if (json_object_size(tags) > 0) {
        json_key(json, "Tags");
        json_tree_put(json, tags);
    }
    json_decref(tags);
}

void function_answer_put_concurrency(struct buf *json, const struct function *function)
{
    uint32_t reserved = 0;

    if (concurrency_reserved(function, &reserved)) {
        json_key(json, "Concurrency");
        json_open(json, '{');
        put_number(json, "ReservedConcurrentExecutions", reserved);
        json_close(json, '}');
    }
}

/* --- aliases ------------------------------------------------------------------------------- */

/* The shortest text that is read as the same number: 0.1, not 0.10000000000000001. */
static void put_weight(struct buf *json, double weight)
{
    char text[32];
    int digits = 1;

    do {
        (void)snprintf(text, sizeof text, "%.*g", digits++, weight);
    } while (digits <= 17 && strtod(text, NULL) != weight);
    buf_append_text(json, text);
}

static void put_routing(struct buf *json, const struct alias *alias)
{
    char version[12];

    (void)snprintf(version, sizeof version, "%" PRIu32, alias->other);
    json_key(json, "RoutingConfig");
    json_open(json, '{');
    json_key(json, "AdditionalVersionWeights");
    json_open(json, '{');
    json_key(json, version);
    put_weight(json, alias->weight);
    json_close(json, '}');
    json_close(json, '}');
}

void alias_answer_put(struct buf *json, const struct function *function, const struct alias *alias)
{
    char version[12] = "$LATEST";
    char id[ID_TEXT_LEN + 1];

    if (alias->version != 0) {
        (void)snprintf(version, sizeof version, "%" PRIu32, alias->version);
    }
    id_format(&alias->revision_id, id);
    json_open(json, '{');
    function_answer_put_arn(json, "AliasArn", function, alias->name);
    json_key(json, "Name");
    json_quoted(json, alias->name);
    put_text(json, "FunctionVersion", version);
    json_key(json, "Description");
    json_quoted(json, alias->description);
    if (alias->other != 0) {
        put_routing(json, alias);
    }
    put_text(json, "RevisionId", id);
    json_close(json, '}');
}
