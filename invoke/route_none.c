/* What tools ask about every function, though no function here has it: a code signing
 * config, function URLs. They are told so in Lambda's words. */
#include "invoke/json_tree.h"
#include "invoke/member.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

/* Code is not signed; the ARN that a function was created with is shown, without effect. */
void route_get_signing(struct call *call, const struct principal *principal)
{
    const struct function *function = setting_call_function(call);
    const char *arn;
    json_t *kept;

    (void)principal;
    if (function == NULL) {
        return;
    }
    kept = json_tree_read(function->latest->config.raw);
    arn = json_string_value(json_object_get(kept, "CodeSigningConfigArn"));
    json_open(&call->out, '{');
    if (arn != NULL && arn[0] != '\0') {
        json_key(&call->out, "CodeSigningConfigArn");
        json_text(&call->out, arn);
    }
    json_key(&call->out, "FunctionName");
    json_text(&call->out, function->name);
    json_close(&call->out, '}');
    json_decref(kept);
    call_answer(call, 200);
}

void route_list_urls(struct call *call, const struct principal *principal)
{
    uint32_t items_max;

    (void)principal;
    if (setting_call_function(call) == NULL || !call_page(call, &items_max)) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "FunctionUrlConfigs");
    json_open(&call->out, '[');
    json_close(&call->out, ']');
    json_close(&call->out, '}');
    call_answer(call, 200);
}

void route_get_url(struct call *call, const struct principal *principal)
{
    (void)principal;
    if (setting_call_function(call) != NULL) {
        call_fail(call, 404, "ResourceNotFoundException",
                  "The resource you requested does not exist: there are no function URLs.");
    }
}
