#include "invoke/function_env.h"

#include <stdio.h>

#include "invoke/function_body.h"
#include "invoke/member.h"

/* Lambda's, and the descriptor that a native program is given. */
static const char *const reserved[] = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "PAWL_FD",
    "TZ",
};

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(reserved[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_variable_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';

        if (!is_letter && (c == name || *c < '0' || *c > '9')) {
            return false;
        }
    }
    return name[0] != '\0';
}

static bool check_variable(const char *name, const json_t *value, struct problem *problem)
{
    if (!json_is_string(value) ||
        memchr(json_string_value(value), '\0', json_string_length(value)) != NULL) {
        return problem_invalid(problem,
                               "The environment variable %.64s must be a string without "
                               "zero bytes.",
                               name);
    }
    if (is_reserved(name)) {
        return problem_invalid(
            problem,
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            "for modification. Reserved keys used in this request: %s",
            name);
    }
    return is_variable_name(name) ||
           problem_invalid(problem,
                           "1 validation error detected: Value at 'environment.variables' failed "
                           "to satisfy constraint: Map keys must satisfy constraint: [Member must "
                           "satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*]: %.64s",
                           name);
}

static bool add_variable(struct function_config *config, struct arena *arena, const char *name,
                         const json_t *value, struct problem *problem)
{
    size_t len = strlen(name) + 1 + json_string_length(value);
    char *entry = arena_alloc(arena, len + 1);

    if (entry == NULL) {
        return problem_memory(problem);
    }
    (void)snprintf(entry, len + 1, "%s=%s", name, json_string_value(value));
    config->env[config->env_count++] = entry;
    return true;
}

/* The sum is checked before anything is copied: the number of variables is bounded
 * by it. */
static bool check_variables(json_t *variables, struct problem *problem)
{
    const char *name;
    json_t *value;
    size_t bytes = 0;

    json_object_foreach(variables, name, value)
    {
        if (!check_variable(name, value, problem)) {
            return false;
        }
        bytes += strlen(name) + json_string_length(value);
    }
    return bytes <= FUNCTION_ENV_BYTES_MAX ||
           problem_invalid(problem,
                           "Lambda was unable to configure your environment variables because the "
                           "environment variables you have provided exceeded the 4KB limit. "
                           "String measured: %zu bytes",
                           bytes);
}

bool function_env_read(const json_t *environment, struct arena *arena,
                       struct function_config *config, struct problem *problem)
{
    json_t *variables = NULL;
    const char *name;
    json_t *value;

    if (!member_object(environment, "Variables", &variables, problem) ||
        !check_variables(variables, problem)) {
        return false;
    }
    config->env_count = 0;
    config->env = arena_alloc(arena, (json_object_size(variables) + 1) * sizeof *config->env);
    if (config->env == NULL) {
        return problem_memory(problem);
    }
    json_object_foreach(variables, name, value)
    {
        if (!add_variable(config, arena, name, value, problem)) {
            return false;
        }
    }
    return true;
}
