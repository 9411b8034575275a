/* Every command of the program, in the order of the help; ends with a NULL name. */
#ifndef SDK_CLI_COMMANDS_H
#define SDK_CLI_COMMANDS_H

#include "sdk/cli/arguments.h"

extern const struct cli_command cli_commands[];

/* Each is in the file of its first word: callback.c, keys.c, layer.c, runtime.c have several. */
int cli_run_deploy(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_invoke(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_functions(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_publish(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_versions(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_alias(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_delete(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_executions(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_history(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_show(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_stop(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_redrive(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_callback_succeed(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_callback_fail(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_callback_heartbeat(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_logs(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_runtime_add(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_runtime_list(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_runtime_remove(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_layer_publish(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_layer_list(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_layer_delete(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_keys_create(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_keys_list(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_keys_enable(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_keys_disable(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_keys_delete(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_status(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_verify(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_backup(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_doctor(struct cli_session *session, const struct cli_arguments *arguments);
int cli_run_completion(struct cli_session *session, const struct cli_arguments *arguments);

#endif /* SDK_CLI_COMMANDS_H */
