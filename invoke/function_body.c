#include "invoke/function_body.h"

#include "invoke/base64.h"
#include "invoke/function_env.h"
#include "invoke/member.h"
#include "invoke/tags.h"

#define ROLE_MAX 10000
#define HANDLER_MAX 128
#define DESCRIPTION_MAX 256
#define RUNTIME_MAX 64
#define RAW_BYTES_MAX 65536U
#define TIMEOUT_S_MAX 900
#define MEMORY_MB_MIN 128
#define MEMORY_MB_MAX 10240
#define TMP_MB_MIN 512
#define TMP_MB_MAX 10240
#define CONCURRENCY_MAX 1024
#define EXECUTION_TIMEOUT_S_MAX 31622400
#define RETENTION_DAYS_MAX 90

void function_body_default(struct function_config *ret_config)
{
    static char *no_variables[] = {NULL};

    *ret_config = (struct function_config){.runtime = "",
                                           .handler = "",
                                           .role = "",
                                           .description = "",
                                           .timeout_s = 3,
                                           .memory_mb = MEMORY_MB_MIN,
                                           .tmp_mb = TMP_MB_MIN,
                                           .concurrency = 1,
                                           .env = no_variables};
}

/* --- members with a meaning ------------------------------------------------------------ */

static bool read_texts(const json_t *body, struct function_config *config, struct problem *problem)
{
    return member_text(body, "Runtime", RUNTIME_MAX, &config->runtime, problem) &&
           member_text(body, "Handler", HANDLER_MAX, &config->handler, problem) &&
           member_text(body, "Role", ROLE_MAX, &config->role, problem) &&
           member_text(body, "Description", DESCRIPTION_MAX, &config->description, problem);
}

static bool is_runtime(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((*c < 'a' || *c > 'z') && (*c < '0' || *c > '9') && *c != '.') {
            return false;
        }
    }
    return text[0] != '\0';
}

/* What the texts must be, given or kept. */
static bool check_texts(const struct function_config *config, struct problem *problem)
{
    if (config->role[0] == '\0') {
        return problem_invalid(problem, "1 validation error detected: Value null at 'role' failed "
                                        "to satisfy constraint: Member must not be null");
    }
    if (config->runtime[0] == '\0' || config->handler[0] == '\0') {
        return problem_invalid(problem,
                               "Runtime and Handler are mandatory parameters for functions "
                               "created with deployment packages.");
    }
    if (!is_runtime(config->runtime)) {
        return problem_invalid(problem,
                               "Value %s at 'runtime' failed to satisfy constraint: it is not a "
                               "runtime's name such as provided.al2023",
                               config->runtime);
    }
    return strpbrk(config->handler, " \t\r\n\v\f") == NULL ||
           problem_invalid(problem,
                           "1 validation error detected: Value '%s' at 'handler' failed "
                           "to satisfy constraint: Member must satisfy regular expression "
                           "pattern: [^\\s]+",
                           config->handler);
}

static bool read_numbers(const json_t *body, struct function_config *config,
                         struct problem *problem)
{
    json_t *storage = NULL;

    return member_number(body, "Timeout", 1, TIMEOUT_S_MAX, &config->timeout_s, problem) &&
           member_number(body, "MemorySize", MEMORY_MB_MIN, MEMORY_MB_MAX, &config->memory_mb,
                         problem) &&
           member_object(body, "EphemeralStorage", &storage, problem) &&
           member_number(storage, "Size", TMP_MB_MIN, TMP_MB_MAX, &config->tmp_mb, problem);
}

static bool read_durable(const json_t *body, bool is_new, struct function_config *config,
                         struct problem *problem)
{
    json_t *durable = NULL;

    if (!member_object(body, "DurableConfig", &durable, problem)) {
        return false;
    }
    if (durable == NULL) {
        return true;
    }
    if (!is_new && !config->is_durable) {
        return problem_invalid(problem, "DurableConfig can only be set when a function is created: "
                                        "you cannot enable it on existing functions.");
    }
    if (!config->is_durable) {
        config->is_durable = true;
        config->execution_timeout_s = 86400;
        config->retention_days = 14;
    }
    return member_number(durable, "ExecutionTimeout", 1, EXECUTION_TIMEOUT_S_MAX,
                         &config->execution_timeout_s, problem) &&
           member_number(durable, "RetentionPeriodInDays", 1, RETENTION_DAYS_MAX,
                         &config->retention_days, problem);
}

static bool read_tenancy(const json_t *body, bool is_new, struct function_config *config,
                         struct problem *problem)
{
    json_t *tenancy = NULL;
    const char *mode = "";

    if (!member_object(body, "TenancyConfig", &tenancy, problem) ||
        !member_text(tenancy, "TenantIsolationMode", 64, &mode, problem)) {
        return false;
    }
    if (tenancy == NULL) {
        return true;
    }
    if (!is_new) {
        return problem_invalid(problem,
                               "TenancyConfig can only be set when a function is created.");
    }
    if (strcmp(mode, "PER_TENANT") != 0) {
        return problem_invalid(problem,
                               "1 validation error detected: Value '%s' at "
                               "'tenancyConfig.tenantIsolationMode' failed to satisfy constraint: "
                               "Member must satisfy enum value set: [PER_TENANT]",
                               mode);
    }
    config->is_per_tenant = true;
    return true;
}

static bool read_concurrency(const json_t *body, struct function_config *config,
                             struct problem *problem)
{
    json_t *provider = NULL;
    json_t *instances = NULL;

    return member_object(body, "CapacityProviderConfig", &provider, problem) &&
           member_object(provider, "LambdaManagedInstancesCapacityProviderConfig", &instances,
                         problem) &&
           member_number(instances, "PerExecutionEnvironmentMaxConcurrency", 1, CONCURRENCY_MAX,
                         &config->concurrency, problem);
}

static bool read_environment(const json_t *body, struct arena *arena,
                             struct function_config *config, struct problem *problem)
{
    json_t *environment = NULL;

    if (!member_object(body, "Environment", &environment, problem)) {
        return false;
    }
    return environment == NULL || function_env_read(environment, arena, config, problem);
}

/* --- members that would be missed -------------------------------------------------------- */

static bool refuse_list(const json_t *body, const char *key, struct problem *problem)
{
    json_t *list = NULL;

    if (!member_array(body, key, 100, &list, problem)) {
        return false;
    }
    return json_array_size(list) == 0 ||
           problem_invalid(problem,
                           "%s are not offered by this version of Pawl: put what they "
                           "hold into the function's archive.",
                           key);
}

static bool refuse_absent(const json_t *body, struct problem *problem)
{
    const char *package = "Zip";

    if (!member_text(body, "PackageType", 16, &package, problem) ||
        !refuse_list(body, "FileSystemConfigs", problem)) {
        return false;
    }
    if (strcmp(package, "Zip") != 0 || member_get(body, "ImageConfig") != NULL) {
        return problem_invalid(problem, "Container images are not offered by this version of Pawl: "
                                        "deploy a zip archive (PackageType Zip).");
    }
    return function_body_refuse_publish_to(body, problem);
}

bool function_body_refuse_publish_to(const json_t *body, struct problem *problem)
{
    return member_get(body, "PublishTo") == NULL ||
           problem_invalid(problem,
                           "PublishTo: $LATEST.PUBLISHED is not offered by this version of "
                           "Pawl: publish a version and name it by an alias.");
}

bool function_body_check_architecture(const json_t *body, struct problem *problem)
{
#if defined(__aarch64__)
    static const char own[] = "arm64";
#else
    static const char own[] = "x86_64";
#endif
    json_t *list = NULL;
    const char *given;

    if (!member_array(body, "Architectures", 1, &list, problem)) {
        return false;
    }
    given = json_string_value(json_array_get(list, 0));
    return list == NULL || (given != NULL && strcmp(given, own) == 0) ||
           problem_invalid(problem, "Architectures must be [\"%s\"], as this machine is.", own);
}

/* --- members that are kept ------------------------------------------------------------------ */

static const char *const kept[] = {
    "Architectures",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "KMSKeyArn",
    "LoggingConfig",
    "SnapStart",
    "Tags",
    "TracingConfig",
    "VpcConfig",
};

static bool check_kept(const json_t *body, bool is_new, struct problem *problem)
{
    static const char *const objects[] = {"DeadLetterConfig", "LoggingConfig", "SnapStart", "Tags",
                                          "TracingConfig",    "VpcConfig"};
    json_t *object = NULL;
    const char *text = NULL;

    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        if (!member_object(body, objects[i], &object, problem)) {
            return false;
        }
    }
    if (is_new && !tags_check(member_get(body, "Tags"), problem)) {
        return false;
    }
    return member_text(body, "KMSKeyArn", ROLE_MAX, &text, problem) &&
           member_text(body, "CodeSigningConfigArn", ROLE_MAX, &text, problem);
}

/* Tags are a function's from its creation on, and TagResource's after that. */
static json_t *merge_kept(const json_t *body, bool is_new, const struct function_config *config)
{
    json_t *merged = json_loadb((const char *)config->raw.data, config->raw.len, 0, NULL);

    merged = (merged != NULL) ? merged : json_object();
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        json_t *value = member_get(body, kept[i]);

        if (value != NULL && (is_new || strcmp(kept[i], "Tags") != 0)) {
            (void)json_object_set(merged, kept[i], value);
        }
    }
    return merged;
}

static bool keep_rest(const json_t *body, bool is_new, struct arena *arena,
                      struct function_config *config, struct problem *problem)
{
    json_t *merged = merge_kept(body, is_new, config);
    size_t len = json_dumpb(merged, NULL, 0, JSON_COMPACT);
    char *text = (len <= RAW_BYTES_MAX) ? arena_alloc(arena, len + 1) : NULL;

    if (text != NULL) {
        (void)json_dumpb(merged, text, len, JSON_COMPACT);
        config->raw = bytes_of(text, len);
    }
    json_decref(merged);
    if (len > RAW_BYTES_MAX) {
        return problem_invalid(problem, "The function's settings are longer than %u bytes.",
                               RAW_BYTES_MAX);
    }
    return text != NULL || problem_memory(problem);
}

bool function_body_read(const json_t *body, bool is_new, struct arena *arena,
                        struct function_config *config, struct problem *problem)
{
    return refuse_absent(body, problem) && function_body_check_architecture(body, problem) &&
           read_texts(body, config, problem) && check_texts(config, problem) &&
           read_numbers(body, config, problem) && read_durable(body, is_new, config, problem) &&
           read_tenancy(body, is_new, config, problem) && read_concurrency(body, config, problem) &&
           read_environment(body, arena, config, problem) && check_kept(body, is_new, problem) &&
           keep_rest(body, is_new, arena, config, problem);
}

/* --- the code -------------------------------------------------------------------------------- */

bool function_body_read_code(const json_t *code, struct buf *archive, struct problem *problem)
{
    static const char *const elsewhere[] = {"S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri"};
    struct bytes text = {0};

    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        if (member_get(code, elsewhere[i]) != NULL) {
            return problem_invalid(problem,
                                   "%s: archives from S3 and container images are not offered "
                                   "by this version of Pawl: send the archive as ZipFile, or "
                                   "use 'pawl deploy' or 'pawl layer publish'.",
                                   elsewhere[i]);
        }
    }
    if (!member_bytes(code, "ZipFile", SIZE_MAX, &text, problem)) {
        return false;
    }
    if (text.len == 0) {
        return problem_invalid(problem, "Please provide a source for the archive: ZipFile.");
    }
    if (!base64_decode(archive, text)) {
        return problem_invalid(problem, "Could not unzip uploaded file: ZipFile is not base64.");
    }
    if (archive->failed) {
        return problem_memory(problem);
    }
    return archive->len <= FUNCTION_ARCHIVE_BYTES_MAX ||
           problem_set(problem, 413, "RequestTooLargeException",
                       "The archive has %zu bytes; at most %u are allowed.", archive->len,
                       FUNCTION_ARCHIVE_BYTES_MAX);
}
