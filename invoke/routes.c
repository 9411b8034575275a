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
    CHECKPOINT = 15 * MB, /* a 7 MiB payload with every character escaped */
    PAYLOAD = 6 * MB,     /* of an invoke; when it is an event, router.c has it at EVENT */
    EVENT = 1 * MB,
    CALLBACK = 256 * KB, /* its result */
};

#define F "/2015-03-31/functions"
#define D "/2025-12-01/durable-executions/{}"
#define C "/2025-12-01/durable-execution-callbacks/{}"
#define E "/2015-03-31/event-source-mappings"
#define A "/2019-09-25/functions/{}/event-invoke-config"
#define L "/2018-10-31/layers"
#define M "/2021-07-20/functions/{}/runtime-management-config"
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
    {"InvokeWithResponseStream", "POST",
     "/2021-11-15/functions/{}/response-streaming-invocations", PAYLOAD, false,
     route_invoke_stream},
    {"InvokeAsync", "POST", "/2014-11-13/functions/{}/invoke-async", EVENT, false,
     route_invoke_async},

    {"PutFunctionEventInvokeConfig", "PUT", A, SETTINGS, false, route_put_event_config},
    {"UpdateFunctionEventInvokeConfig", "POST", A, SETTINGS, false, route_update_event_config},
    {"GetFunctionEventInvokeConfig", "GET", A, NO_BODY, false, route_get_event_config},
    {"DeleteFunctionEventInvokeConfig", "DELETE", A, NO_BODY, false, route_delete_event_config},
    {"ListFunctionEventInvokeConfigs", "GET", A "/list", NO_BODY, false,
     route_list_event_configs},

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
    {"ListRuntimes", "GET", "/pawl/v1/runtimes", NO_BODY, true, route_list_runtimes},
    {"PutRuntime", "PUT", "/pawl/v1/runtimes/{}", SETTINGS, true, route_put_runtime},
    {"DeleteRuntime", "DELETE", "/pawl/v1/runtimes/{}", NO_BODY, true, route_delete_runtime},
    {"CreateKey", "POST", "/pawl/v1/keys", NO_BODY, true, route_create_key},
    {"ListKeys", "GET", "/pawl/v1/keys", NO_BODY, true, route_list_keys},
    {"EnableKey", "POST", "/pawl/v1/keys/{}/enable", NO_BODY, true, route_enable_key},
    {"DisableKey", "POST", "/pawl/v1/keys/{}/disable", NO_BODY, true, route_disable_key},
    {"DeleteKey", "DELETE", "/pawl/v1/keys/{}", NO_BODY, true, route_delete_key},

    {"PublishVersion", "POST", F "/{}/versions", SETTINGS, false, route_publish_version},
    {"ListVersionsByFunction", "GET", F "/{}/versions", NO_BODY, false, route_list_versions},
    {"CreateAlias", "POST", F "/{}/aliases", SETTINGS, false, route_create_alias},
    {"ListAliases", "GET", F "/{}/aliases", NO_BODY, false, route_list_aliases},
    {"GetAlias", "GET", F "/{}/aliases/{}", NO_BODY, false, route_get_alias},
    {"UpdateAlias", "PUT", F "/{}/aliases/{}", SETTINGS, false, route_update_alias},
    {"DeleteAlias", "DELETE", F "/{}/aliases/{}", NO_BODY, false, route_delete_alias},
    {"AddPermission", "POST", F "/{}/policy", SETTINGS, false, route_add_permission},
    {"GetPolicy", "GET", F "/{}/policy", NO_BODY, false, route_get_policy},
    {"RemovePermission", "DELETE", F "/{}/policy/{}", NO_BODY, false, route_remove_permission},
    {"PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{}/concurrency", SETTINGS, false,
     route_put_concurrency},
    {"DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{}/concurrency", NO_BODY,
     false, route_delete_concurrency},
    {"GetFunctionConcurrency", "GET", "/2019-09-30/functions/{}/concurrency", NO_BODY, false,
     route_get_concurrency},
    {"PutProvisionedConcurrencyConfig", "PUT", P, SETTINGS, false, route_put_provisioned},
    {"GetProvisionedConcurrencyConfig", "GET", P, NO_BODY, false, route_get_provisioned},
    {"DeleteProvisionedConcurrencyConfig", "DELETE", P, NO_BODY, false, route_delete_provisioned},
    {"CreateEventSourceMapping", "POST", E, 0, false, NULL},
    {"ListEventSourceMappings", "GET", E, 0, false, NULL},
    {"GetEventSourceMapping", "GET", E "/{}", 0, false, NULL},
    {"UpdateEventSourceMapping", "PUT", E "/{}", 0, false, NULL},
    {"DeleteEventSourceMapping", "DELETE", E "/{}", 0, false, NULL},
    {"GetAccountSettings", "GET", "/2016-08-19/account-settings", NO_BODY, false,
     route_get_account_settings},
    {"TagResource", "POST", "/2017-03-31/tags/{}", SETTINGS, false, route_tag_resource},
    {"UntagResource", "DELETE", "/2017-03-31/tags/{}", NO_BODY, false, route_untag_resource},
    {"ListTags", "GET", "/2017-03-31/tags/{}", NO_BODY, false, route_list_tags},
    {"GetFunctionRecursionConfig", "GET", "/2024-08-31/functions/{}/recursion-config", NO_BODY,
     false, route_get_recursion},
    {"PutFunctionRecursionConfig", "PUT", "/2024-08-31/functions/{}/recursion-config", SETTINGS,
     false, route_put_recursion},
    {"GetRuntimeManagementConfig", "GET", M, NO_BODY, false, route_get_management},
    {"PutRuntimeManagementConfig", "PUT", M, SETTINGS, false, route_put_management},
    {"GetFunctionCodeSigningConfig", "GET", "/2020-06-30/functions/{}/code-signing-config",
     NO_BODY, false, route_get_signing},
    {"GetFunctionUrlConfig", "GET", "/2021-10-31/functions/{}/url", NO_BODY, false, route_get_url},
    {"ListFunctionUrlConfigs", "GET", "/2021-10-31/functions/{}/urls", NO_BODY, false,
     route_list_urls},
    {"ListLayers", "GET", L, NO_BODY, false, route_list_layers},
    {"ListLayerVersions", "GET", L "/{}/versions", NO_BODY, false, route_list_layer_versions},
    {"PublishLayerVersion", "POST", L "/{}/versions", ARCHIVE, false, route_publish_layer},
    {"GetLayerVersion", "GET", L "/{}/versions/{}", NO_BODY, false, route_get_layer},
    {"DeleteLayerVersion", "DELETE", L "/{}/versions/{}", NO_BODY, false, route_delete_layer},
    {"AddLayerVersionPermission", "POST", L "/{}/versions/{}/policy", SETTINGS, false,
     route_add_layer_permission},
    {"GetLayerVersionPolicy", "GET", L "/{}/versions/{}/policy", NO_BODY, false,
     route_get_layer_policy},
    {"RemoveLayerVersionPermission", "DELETE", L "/{}/versions/{}/policy/{}", NO_BODY, false,
     route_remove_layer_permission},
    {0},
};
/* clang-format on */
