/* The handlers, each in the file of its noun; see the table in routes.c. */
#ifndef INVOKE_ROUTES_H
#define INVOKE_ROUTES_H

#include "invoke/call.h"

/* route_function.c */
void route_create_function(struct call *call, const struct principal *principal);
void route_get_function(struct call *call, const struct principal *principal);
void route_get_function_configuration(struct call *call, const struct principal *principal);
void route_delete_function(struct call *call, const struct principal *principal);
void route_list_functions(struct call *call, const struct principal *principal);
void route_update_function_code(struct call *call, const struct principal *principal);
void route_update_function_configuration(struct call *call, const struct principal *principal);

/* route_version.c */
void route_publish_version(struct call *call, const struct principal *principal);
void route_list_versions(struct call *call, const struct principal *principal);
/* DeleteFunction with a qualifier. */
void route_delete_version(struct call *call, struct function *function, struct bytes qualifier);

/* route_alias.c */
void route_create_alias(struct call *call, const struct principal *principal);
void route_list_aliases(struct call *call, const struct principal *principal);
void route_get_alias(struct call *call, const struct principal *principal);
void route_update_alias(struct call *call, const struct principal *principal);
void route_delete_alias(struct call *call, const struct principal *principal);

/* route_invoke.c */
void route_invoke(struct call *call, const struct principal *principal);
void route_invoke_async(struct call *call, const struct principal *principal);

/* route_stream.c */
void route_invoke_stream(struct call *call, const struct principal *principal);

/* route_event_config.c */
void route_put_event_config(struct call *call, const struct principal *principal);
void route_update_event_config(struct call *call, const struct principal *principal);
void route_get_event_config(struct call *call, const struct principal *principal);
void route_delete_event_config(struct call *call, const struct principal *principal);
void route_list_event_configs(struct call *call, const struct principal *principal);

/* route_layer.c; the list also finds one by its ARN */
void route_publish_layer(struct call *call, const struct principal *principal);
void route_get_layer(struct call *call, const struct principal *principal);
void route_list_layers(struct call *call, const struct principal *principal);
void route_list_layer_versions(struct call *call, const struct principal *principal);
void route_delete_layer(struct call *call, const struct principal *principal);

/* route_layer_policy.c */
void route_add_layer_permission(struct call *call, const struct principal *principal);
void route_get_layer_policy(struct call *call, const struct principal *principal);
void route_remove_layer_permission(struct call *call, const struct principal *principal);

/* route_execution.c */
void route_checkpoint(struct call *call, const struct principal *principal);
void route_get_state(struct call *call, const struct principal *principal);
void route_get_execution(struct call *call, const struct principal *principal);
void route_get_history(struct call *call, const struct principal *principal);
void route_stop(struct call *call, const struct principal *principal);
void route_redrive(struct call *call, const struct principal *principal);
void route_callback_succeed(struct call *call, const struct principal *principal);
void route_callback_fail(struct call *call, const struct principal *principal);
void route_callback_heartbeat(struct call *call, const struct principal *principal);

/* route_concurrency.c */
void route_put_concurrency(struct call *call, const struct principal *principal);
void route_get_concurrency(struct call *call, const struct principal *principal);
void route_delete_concurrency(struct call *call, const struct principal *principal);

/* route_tags.c */
void route_tag_resource(struct call *call, const struct principal *principal);
void route_untag_resource(struct call *call, const struct principal *principal);
void route_list_tags(struct call *call, const struct principal *principal);

/* route_policy.c */
void route_add_permission(struct call *call, const struct principal *principal);
void route_get_policy(struct call *call, const struct principal *principal);
void route_remove_permission(struct call *call, const struct principal *principal);

/* route_account.c */
void route_get_account_settings(struct call *call, const struct principal *principal);

/* route_provisioned.c; the get also lists */
void route_put_provisioned(struct call *call, const struct principal *principal);
void route_get_provisioned(struct call *call, const struct principal *principal);
void route_delete_provisioned(struct call *call, const struct principal *principal);

/* route_recursion.c */
void route_put_recursion(struct call *call, const struct principal *principal);
void route_get_recursion(struct call *call, const struct principal *principal);

/* route_management.c */
void route_put_management(struct call *call, const struct principal *principal);
void route_get_management(struct call *call, const struct principal *principal);

/* route_none.c */
void route_get_signing(struct call *call, const struct principal *principal);
void route_list_urls(struct call *call, const struct principal *principal);
void route_get_url(struct call *call, const struct principal *principal);

/* route_list.c */
void route_list_by_function(struct call *call, const struct principal *principal);
void route_list_executions(struct call *call, const struct principal *principal);

/* route_operator.c */
void route_status(struct call *call, const struct principal *principal);
void route_backup(struct call *call, const struct principal *principal);
void route_verify(struct call *call, const struct principal *principal);

/* route_runtime.c */
void route_list_runtimes(struct call *call, const struct principal *principal);
void route_put_runtime(struct call *call, const struct principal *principal);
void route_delete_runtime(struct call *call, const struct principal *principal);
/* May a function have the Runtime `name`? If not, the problem says which there are. */
bool runtime_check_named(struct call *call, const char *name, struct problem *problem);

/* route_key.c */
void route_create_key(struct call *call, const struct principal *principal);
void route_list_keys(struct call *call, const struct principal *principal);
void route_enable_key(struct call *call, const struct principal *principal);
void route_disable_key(struct call *call, const struct principal *principal);
void route_delete_key(struct call *call, const struct principal *principal);

/* log_stream.c */
void route_logs(struct call *call, const struct principal *principal);

#endif /* INVOKE_ROUTES_H */
