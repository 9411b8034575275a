/* Every path that the daemon knows. Lambda's operations without a handler are here so
 * that who asks for one is told its name. */
#include "invoke/routes.h"

#include "invoke/router.h"

enum {
    KB = 1024,
    MB = 1024 * KB,
    NO_BODY = 64 * KB,    /* forgiven, and not looked at */
    SETTINGS = 256 * KB,  /* a function's configuration; an error object */
    ARCHIVE = 71 * MB,    /* 50 MiB of zip in base64, and settings */
    CHECKPOINT = 13 * MB, /* a 6 MiB payload with every character escaped */
    PAYLOAD = 6 * MB,     /* of an invoke; 1 MiB when it is an event: router.c */
    CALLBACK = 256 * KB,  /* its result */
};

#define F "/2015-03-31/functions"
#define D "/2025-12-01/durable-executions/{}"
#define C "/2025-12-01/durable-execution-callbacks/{}"
#define E "/2015-03-31/event-source-mappings"
#define P "/2019-09-30/functions/{}/provisioned-concurrency"

/* clang-format off */
const struct route routes[] = {
    {"CreateFunction", "POST", F, ARCHIVE, false, route_create_function},
    {"ListFunctions", "GET", F, NO_BODY, false, route_list_functions},
    {"GetFunction", "GET", F "/{}", NO_BODY, false, route_get_function},
    {"DeleteFunction", "DELETE", F "/{}", NO_BODY, false, route_delete_function},
    {"GetFunctionConfiguration", "GET", F "/{}/configuration", NO_BODY, false,
     route_get_function_configuration},
    {"UpdateFunctionConfiguration", "PUT", F "/{}/configuration", SETTINGS, false,
     route_update_function_configuration},
    {"UpdateFunctionCode", "PUT", F "/{}/code", ARCHIVE, false, route_update_function_code},
    {"Invoke", "POST", F "/{}/invocations", PAYLOAD, false, route_invoke},

    {"CheckpointDurableExecution", "POST", D "/checkpoint", CHECKPOINT, false, route_checkpoint},
    {"GetDurableExecutionState", "GET", D "/state", NO_BODY, false, route_get_state},
    {"GetDurableExecution", "GET", D, NO_BODY, false, route_get_execution},
    {"GetDurableExecutionHistory", "GET", D "/history", NO_BODY, false, route_get_history},
    {"StopDurableExecution", "POST", D "/stop", SETTINGS, false, route_stop},
    {"ListDurableExecutionsByFunction", "GET", "/2025-12-01/functions/{}/durable-executions",
     NO_BODY, false, route_list_by_function},
    {"SendDurableExecutionCallbackSuccess", "POST", C "/succeed", CALLBACK, false,
     route_callback_succeed},
    {"SendDurableExecutionCallbackFailure", "POST", C "/fail", SETTINGS, false,
     route_callback_fail},
    {"SendDurableExecutionCallbackHeartbeat", "POST", C "/heartbeat", NO_BODY, false,
     route_callback_heartbeat},

    {"Status", "GET", "/pawl/v1/status", NO_BODY, false, route_status},
    {"ListExecutions", "GET", "/pawl/v1/executions", NO_BODY, false, route_list_executions},
    {"Redrive", "POST", "/pawl/v1/executions/{}/redrive", NO_BODY, false, route_redrive},
    {"Logs", "GET", "/pawl/v1/logs/{}", NO_BODY, false, route_logs},
    {"Backup", "POST", "/pawl/v1/backup", NO_BODY, true, route_backup},
    {"Verify", "POST", "/pawl/v1/verify", NO_BODY, true, route_verify},

    {"InvokeWithResponseStream", "POST",
     "/2021-11-15/functions/{}/response-streaming-invocations", 0, false, NULL},
    {"InvokeAsync", "POST", "/2014-11-13/functions/{}/invoke-async", 0, false, NULL},
    {"PublishVersion", "POST", F "/{}/versions", 0, false, NULL},
    {"ListVersionsByFunction", "GET", F "/{}/versions", 0, false, NULL},
    {"CreateAlias", "POST", F "/{}/aliases", 0, false, NULL},
    {"ListAliases", "GET", F "/{}/aliases", 0, false, NULL},
    {"GetAlias", "GET", F "/{}/aliases/{}", 0, false, NULL},
    {"UpdateAlias", "PUT", F "/{}/aliases/{}", 0, false, NULL},
    {"DeleteAlias", "DELETE", F "/{}/aliases/{}", 0, false, NULL},
    {"AddPermission", "POST", F "/{}/policy", 0, false, NULL},
    {"GetPolicy", "GET", F "/{}/policy", 0, false, NULL},
    {"RemovePermission", "DELETE", F "/{}/policy/{}", 0, false, NULL},
    {"PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{}/concurrency", 0, false, NULL},
    {"DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{}/concurrency", 0, false,
     NULL},
    {"GetFunctionConcurrency", "GET", "/2019-09-30/functions/{}/concurrency", 0, false, NULL},
    {"PutProvisionedConcurrencyConfig", "PUT", P, 0, false, NULL},
    {"GetProvisionedConcurrencyConfig", "GET", P, 0, false, NULL},
    {"DeleteProvisionedConcurrencyConfig", "DELETE", P, 0, false, NULL},
    {"PutFunctionEventInvokeConfig", "PUT", "/2019-09-25/functions/{}/event-invoke-config", 0,
     false, NULL},
    {"UpdateFunctionEventInvokeConfig", "POST", "/2019-09-25/functions/{}/event-invoke-config",
     0, false, NULL},
    {"GetFunctionEventInvokeConfig", "GET", "/2019-09-25/functions/{}/event-invoke-config", 0,
     false, NULL},
    {"DeleteFunctionEventInvokeConfig", "DELETE",
     "/2019-09-25/functions/{}/event-invoke-config", 0, false, NULL},
    {"ListFunctionEventInvokeConfigs", "GET",
     "/2019-09-25/functions/{}/event-invoke-config/list", 0, false, NULL},
    {"CreateEventSourceMapping", "POST", E, 0, false, NULL},
    {"ListEventSourceMappings", "GET", E, 0, false, NULL},
    {"GetEventSourceMapping", "GET", E "/{}", 0, false, NULL},
    {"UpdateEventSourceMapping", "PUT", E "/{}", 0, false, NULL},
    {"DeleteEventSourceMapping", "DELETE", E "/{}", 0, false, NULL},
    {"GetAccountSettings", "GET", "/2016-08-19/account-settings", 0, false, NULL},
    {"TagResource", "POST", "/2017-03-31/tags/{}", 0, false, NULL},
    {"UntagResource", "DELETE", "/2017-03-31/tags/{}", 0, false, NULL},
    {"ListTags", "GET", "/2017-03-31/tags/{}", 0, false, NULL},
    {"GetFunctionRecursionConfig", "GET", "/2024-08-31/functions/{}/recursion-config", 0, false,
     NULL},
    {"PutFunctionRecursionConfig", "PUT", "/2024-08-31/functions/{}/recursion-config", 0, false,
     NULL},
    {"ListLayers", "GET", "/2018-10-31/layers", 0, false, NULL},
    {"ListLayerVersions", "GET", "/2018-10-31/layers/{}/versions", 0, false, NULL},
    {"PublishLayerVersion", "POST", "/2018-10-31/layers/{}/versions", 0, false, NULL},
    {0},
};
/* clang-format on */
