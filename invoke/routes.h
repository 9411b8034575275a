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

/* route_invoke.c */
void route_invoke(struct call *call, const struct principal *principal);

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

/* route_list.c */
void route_list_by_function(struct call *call, const struct principal *principal);
void route_list_executions(struct call *call, const struct principal *principal);

/* route_operator.c */
void route_status(struct call *call, const struct principal *principal);
void route_backup(struct call *call, const struct principal *principal);
void route_verify(struct call *call, const struct principal *principal);

/* log_stream.c */
void route_logs(struct call *call, const struct principal *principal);

#endif /* INVOKE_ROUTES_H */
