/* Access keys, for who operates the daemon: made, listed, switched and removed. The secret
 * is told once, in the answer that makes it. */
#include <inttypes.h>
#include <stdio.h>

#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"

static void put_key(struct buf *json, const struct access_key_info *info)
{
    char account[24];

    (void)snprintf(account, sizeof account, "%012" PRIu64, info->tenant);
    json_open(json, '{');
    json_key(json, "AccessKeyId");
    json_text(json, info->id);
    if (info->secret != NULL) {
        json_key(json, "SecretAccessKey");
        json_text(json, info->secret);
    }
    json_key(json, "Status");
    json_text(json, info->is_enabled ? "Active" : "Inactive");
    json_key(json, "Account");
    json_text(json, account);
    json_key(json, "CreateDate");
    json_seconds(json, info->created_ms);
    json_key(json, "Description");
    json_text(json, info->description);
    json_close(json, '}');
}

static void on_made(void *arg, const struct access_key_info *info)
{
    struct call *call = arg;

    put_key(&call->out, info);
    call_answer(call, 201);
}

static void on_changed(void *arg, const struct access_key_info *info)
{
    struct call *call = arg;

    put_key(&call->out, info);
    call_answer(call, 200);
}

static void on_removed(void *arg, const struct access_key_info *info)
{
    (void)info;
    call_respond(arg, 204, NULL, bytes_of(NULL, 0));
}

static void fail(struct call *call, int r)
{
    struct bytes id = call->labels[0];

    switch (r) {
    case ACCESS_KEY_NOT_FOUND:
        call_fail(call, 404, "ResourceNotFoundException", "There is no access key %.*s.",
                  (int)((id.len < 64) ? id.len : 64), (const char *)id.data);
        break;
    case ACCESS_KEY_BUSY:
        call_fail(call, 409, "ResourceConflictException",
                  "Another change of this access key is under way.");
        break;
    case ACCESS_KEY_TOO_MANY:
        call_fail(call, 402, "ServiceQuotaExceededException",
                  "There are %u access keys already: delete one.", ACCESS_KEYS_MAX);
        break;
    case ACCESS_KEY_FULL:
        call_fail(call, 429, "TooManyRequestsException",
                  "The journal is full: free disk space or raise [journal] sizes.");
        break;
    default:
        call_fail(call, 500, "ServiceException",
                  "The access key could not be changed: the daemon's log says why.");
        break;
    }
}

void route_create_key(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    const char *description = "";
    int r;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    if (!member_text(call->json, "Description", ACCESS_KEY_DESCRIPTION_MAX, &description,
                     &problem)) {
        call_fail_problem(call, &problem);
        return;
    }
    r = access_key_add(driver_access_keys(call->service->driver), bytes_of_text(description),
                       moment_now_ms(), call, on_made);
    if (r != 0) {
        fail(call, r);
    }
}

static void put_element(void *arg, const struct access_key_info *info)
{
    json_element(arg);
    put_key(arg, info);
}

void route_list_keys(struct call *call, const struct principal *principal)
{
    (void)principal;
    json_open(&call->out, '{');
    json_key(&call->out, "Keys");
    json_open(&call->out, '[');
    access_keys_walk(driver_access_keys(call->service->driver), put_element, &call->out);
    json_close(&call->out, ']');
    json_close(&call->out, '}');
    call_answer(call, 200);
}

static void change_state(struct call *call, bool is_enabled)
{
    int r = access_key_enable(driver_access_keys(call->service->driver), call->labels[0],
                              is_enabled, call, on_changed);

    if (r != 0) {
        fail(call, r);
    }
}

void route_enable_key(struct call *call, const struct principal *principal)
{
    (void)principal;
    change_state(call, true);
}

void route_disable_key(struct call *call, const struct principal *principal)
{
    (void)principal;
    change_state(call, false);
}

void route_delete_key(struct call *call, const struct principal *principal)
{
    int r = access_key_remove(driver_access_keys(call->service->driver), call->labels[0], call,
                              on_removed);

    (void)principal;
    if (r != 0) {
        fail(call, r);
    }
}
