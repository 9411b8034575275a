#include "engine/driver/variables.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define OURS_MAX 28U
#define OWN_LIBRARIES "/var/task:/var/task/lib:/opt/lib"
#define NODE_MODULES "/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"

struct variables {
    struct arena *arena;
    const struct function_config *config;
    const char **texts;
    size_t count;
    bool failed;
};

static void add(struct variables *variables, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct variables *variables, const char *format, ...)
{
    char *text;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = arena_alloc(variables->arena, (size_t)len + 1);
    if (text == NULL) {
        variables->failed = true;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    variables->texts[variables->count++] = text;
}

/* A default that the function may have changed. */
static void add_default(struct variables *variables, const char *name, const char *value)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < variables->config->env_count; i++) {
        const char *own = variables->config->env[i];

        if (strncmp(own, name, len) == 0 && own[len] == '=') {
            return;
        }
    }
    add(variables, "%s=%s", name, value);
}

/* YYYY/MM/DD/[VERSION]hex */
static void add_stream(struct variables *variables, const struct function_revision *revision,
                       const struct variables_setting *setting)
{
    time_t now = (time_t)(setting->now_ms / 1000);
    struct tm day;
    char date[16];

    if (gmtime_r(&now, &day) == NULL || strftime(date, sizeof date, "%Y/%m/%d", &day) == 0) {
        variables->failed = true;
        return;
    }
    add(variables, "AWS_LAMBDA_LOG_STREAM_NAME=%s/[%s]%016" PRIx64 "%016" PRIx64, date,
        revision->qualifier, (uint64_t)setting->now_ms, setting->environment);
}

static const char *initialization_of(const struct function_config *config,
                                     const struct variables_setting *setting)
{
    if (config->concurrency > 1) {
        return "lambda-managed-instances";
    }
    return setting->is_provisioned ? "provisioned-concurrency" : "on-demand";
}

/* A layer may have modules for one version of Node.js alone: of nodejs22.x in node22. */
static void add_node_path(struct variables *variables, const char *runtime)
{
    char path[sizeof "/opt/nodejs/node123/node_modules:" NODE_MODULES];
    size_t digits = 0;

    if (strncmp(runtime, "nodejs", strlen("nodejs")) == 0) {
        digits = strspn(runtime + strlen("nodejs"), "0123456789");
    }
    if (digits == 0 || digits > 3) {
        add_default(variables, "NODE_PATH", NODE_MODULES);
        return;
    }
    (void)snprintf(path, sizeof path, "/opt/nodejs/node%.*s/node_modules:%s", (int)digits,
                   runtime + strlen("nodejs"), NODE_MODULES);
    add_default(variables, "NODE_PATH", path);
}

static void add_lambda(struct variables *variables, const struct function_revision *revision,
                       const struct variables_setting *setting)
{
    const struct function_config *config = &revision->config;
    const char *name = revision->function->name;

    add(variables, "_HANDLER=%s", (config->handler != NULL) ? config->handler : "");
    add(variables, "AWS_REGION=%s", setting->region);
    add(variables, "AWS_DEFAULT_REGION=%s", setting->region);
    add(variables, "AWS_LAMBDA_FUNCTION_NAME=%s", name);
    add(variables, "AWS_LAMBDA_FUNCTION_VERSION=%s", revision->qualifier);
    add(variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%u", config->memory_mb);
    add(variables, "AWS_LAMBDA_INITIALIZATION_TYPE=%s", initialization_of(config, setting));
    add(variables, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/%s", name);
    add(variables, "LAMBDA_TASK_ROOT=/var/task");
    add_stream(variables, revision, setting);
    add_default(variables, "AWS_ACCESS_KEY_ID", "environment");
    add_default(variables, "AWS_SECRET_ACCESS_KEY", "environment");
    if (config->concurrency > 1) {
        add(variables, "AWS_LAMBDA_MAX_CONCURRENCY=%u", config->concurrency);
    }
    if (setting->has_runtime) {
        add(variables, "AWS_EXECUTION_ENV=AWS_Lambda_%s", config->runtime);
        add(variables, "LAMBDA_RUNTIME_DIR=/var/runtime");
        add_node_path(variables, config->runtime);
        add_default(variables, "LD_LIBRARY_PATH", "/var/runtime:/var/runtime/lib:" OWN_LIBRARIES);
    } else if (revision->layers != NULL) {
        add_default(variables, "LD_LIBRARY_PATH", OWN_LIBRARIES);
    }
    add_default(variables, "TZ", ":UTC");
    add_default(variables, "LANG", "en_US.UTF-8");
    add_default(variables, "PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin");
}

const char *const *variables_make(struct arena *arena, const struct function_revision *revision,
                                  const struct variables_setting *setting)
{
    const struct function_config *config = &revision->config;
    struct variables variables = {.arena = arena, .config = config};

    variables.texts = arena_alloc(arena, (OURS_MAX + config->env_count + 1) * sizeof(char *));
    if (variables.texts == NULL) {
        return NULL;
    }
    add_lambda(&variables, revision, setting);
    for (size_t i = 0; i < config->env_count; i++) {
        variables.texts[variables.count++] = config->env[i];
    }
    return variables.failed ? NULL : variables.texts;
}
