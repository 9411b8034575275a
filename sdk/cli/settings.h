/* The settings of a function, from the options of `pawl deploy` to members of
 * CreateFunction and UpdateFunctionConfiguration. Only what is given is written. */
#ifndef SDK_CLI_SETTINGS_H
#define SDK_CLI_SETTINGS_H

#include "engine/base/bytes.h"
#include "sdk/cli/arguments.h"

/* CLI_USAGE for a variable without a name or value, or given twice, and for layers together
 * with none. */
int cli_settings_check(const struct cli_arguments *arguments);

/* Description, Timeout, MemorySize, Environment, CapacityProviderConfig. */
void cli_settings_append(struct buf *json, const struct cli_arguments *arguments);

/* Layers, as cli_layers_resolve() has made them; those that are there stay without options. */
void cli_settings_append_layers(struct buf *json, const struct cli_arguments *arguments,
                                const struct buf *layers);

/* One text; `otherwise` when the option is not given, nothing for NULL. */
void cli_settings_append_text(struct buf *json, const struct cli_arguments *arguments,
                              const char *option, const char *key, const char *otherwise);

/* DurableConfig: a new durable function gets every number, of an old one only what is
 * given changes. */
void cli_settings_append_durable(struct buf *json, const struct cli_arguments *arguments,
                                 bool is_new);
bool cli_settings_has_durable_numbers(const struct cli_arguments *arguments);

#endif /* SDK_CLI_SETTINGS_H */
