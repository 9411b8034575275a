#include "sdk/cli/settings.h"

#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/put.h"

#define EXECUTION_TIMEOUT_S_DEFAULT 86400
#define RETENTION_DAYS_DEFAULT 14

static bool is_same_variable(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strncmp(a, b, len) == 0 && b[len] == '=';
}

int cli_settings_check(const struct cli_arguments *arguments)
{
    const char *pair;

    if (cli_argument_given(arguments, "layer") && cli_argument_given(arguments, "no-layers")) {
        return cli_complain(CLI_USAGE, "--layer and --no-layers do not go together");
    }

    for (size_t i = 0; (pair = cli_argument(arguments, "env", i)) != NULL; i++) {
        if (strchr(pair, '=') == NULL || pair[0] == '=') {
            return cli_complain(CLI_USAGE, "--env %s: give NAME=VALUE", pair);
        }
        for (size_t j = 0; j < i; j++) {
            if (is_same_variable(pair, cli_argument(arguments, "env", j))) {
                return cli_complain(CLI_USAGE, "--env %s: this variable was given before", pair);
            }
        }
    }
    return 0;
}

static void add_number(const struct cli_arguments *arguments, struct buf *json, const char *option,
                       const char *key)
{
    if (cli_argument_given(arguments, option)) {
        cli_put_number(json, key, cli_argument_number(arguments, option, 0));
    }
}

void cli_settings_append_text(struct buf *json, const struct cli_arguments *arguments,
                              const char *option, const char *key, const char *otherwise)
{
    const char *value = cli_argument(arguments, option, 0);

    value = (value != NULL) ? value : otherwise;
    if (value != NULL) {
        cli_put_text(json, key, value);
    }
}

static void add_environment(const struct cli_arguments *arguments, struct buf *json)
{
    const char *pair;

    if (!cli_argument_given(arguments, "env")) {
        return;
    }
    cli_put_object(json, "Environment");
    cli_put_object(json, "Variables");
    for (size_t i = 0; (pair = cli_argument(arguments, "env", i)) != NULL; i++) {
        const char *equals = strchr(pair, '=');

        cli_put_bytes(json, bytes_of(pair, (size_t)(equals - pair)), bytes_of_text(equals + 1));
    }
    cli_put_end(json);
    cli_put_end(json);
}

/* A new durable function gets every number; of an old one only what is given changes. */
void cli_settings_append_durable(struct buf *json, const struct cli_arguments *arguments,
                                 bool is_new)
{
    cli_put_object(json, "DurableConfig");
    if (is_new || cli_argument_given(arguments, "execution-timeout")) {
        cli_put_number(
            json, "ExecutionTimeout",
            cli_argument_number(arguments, "execution-timeout", EXECUTION_TIMEOUT_S_DEFAULT));
    }
    if (is_new || cli_argument_given(arguments, "retention")) {
        cli_put_number(json, "RetentionPeriodInDays",
                       cli_argument_number(arguments, "retention", RETENTION_DAYS_DEFAULT));
    }
    cli_put_end(json);
}

static void add_concurrency(const struct cli_arguments *arguments, struct buf *json)
{
    if (!cli_argument_given(arguments, "concurrency")) {
        return;
    }
    cli_put_object(json, "CapacityProviderConfig");
    cli_put_object(json, "LambdaManagedInstancesCapacityProviderConfig");
    add_number(arguments, json, "concurrency", "PerExecutionEnvironmentMaxConcurrency");
    cli_put_end(json);
    cli_put_end(json);
}

bool cli_settings_has_durable_numbers(const struct cli_arguments *arguments)
{
    return cli_argument_given(arguments, "execution-timeout") ||
           cli_argument_given(arguments, "retention");
}

void cli_settings_append_layers(struct buf *json, const struct cli_arguments *arguments,
                                const struct buf *layers)
{
    if (cli_argument_given(arguments, "layer") || cli_argument_given(arguments, "no-layers")) {
        cli_put_raw(json, "Layers", buf_bytes(layers));
    }
}

void cli_settings_append(struct buf *json, const struct cli_arguments *arguments)
{
    cli_settings_append_text(json, arguments, "description", "Description", NULL);
    add_number(arguments, json, "timeout", "Timeout");
    add_number(arguments, json, "memory", "MemorySize");
    add_environment(arguments, json);
    add_concurrency(arguments, json);
}
