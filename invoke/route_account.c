/* GetAccountSettings: what this daemon allows, and what of it is in use. */
#include "engine/driver/concurrency.h"
#include "invoke/routes.h"
#include "journal/journal.h"
#include "runtime/zipcheck.h"

static void put_number(struct buf *json, const char *key, uint64_t number)
{
    json_key(json, key);
    json_int(json, (int64_t)number);
}

/* All code is in the journal's views. */
static void put_limits(struct buf *json, struct service *service)
{
    struct journal_stats stats;

    journal_get_stats(service->journal, &stats);
    json_key(json, "AccountLimit");
    json_open(json, '{');
    put_number(json, "TotalCodeSize", stats.views_map_bytes);
    put_number(json, "CodeSizeUnzipped", ZIP_OUTPUT_BYTES_MAX);
    put_number(json, "CodeSizeZipped", FUNCTION_ARCHIVE_BYTES_MAX);
    put_number(json, "ConcurrentExecutions", concurrency_limit(service->driver));
    put_number(json, "UnreservedConcurrentExecutions", concurrency_unreserved(service->driver));
    json_close(json, '}');
}

static void put_usage(struct buf *json, const struct functions *functions)
{
    const struct function *function = function_next(functions, bytes_of("", 0));
    uint64_t count = 0;

    while (function != NULL) {
        count++;
        function = function_next(functions, bytes_of_text(function->name));
    }
    json_key(json, "AccountUsage");
    json_open(json, '{');
    put_number(json, "TotalCodeSize", functions_code_bytes(functions));
    put_number(json, "FunctionCount", count);
    json_close(json, '}');
}

void route_get_account_settings(struct call *call, const struct principal *principal)
{
    (void)principal;
    json_open(&call->out, '{');
    put_limits(&call->out, call->service);
    put_usage(&call->out, driver_functions(call->service->driver));
    json_close(&call->out, '}');
    call_answer(call, 200);
}
