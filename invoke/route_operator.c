/* Pawl's own routes for who operates it. */
#include "engine/base/log.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"

#define DIRECTORY_MAX 4096U

void route_status(struct call *call, const struct principal *principal)
{
    struct buf *json = &call->out;

    (void)principal;
    json_open(json, '{');
    json_key(json, "Version");
    json_text(json, PAWL_VERSION);
    json_key(json, "Started");
    json_seconds(json, call->service->started_ms);
    json_key(json, "UptimeSeconds");
    json_int(json, (moment_now_ms() - call->service->started_ms) / 1000);
    json_key(json, "Sandbox");
    json_text(json, call->service->sandbox);
    driver_put_status(call->service->driver, json);
    json_close(json, '}');
    call_answer(call, 200);
}

/* --- backup --------------------------------------------------------------------------- */

static void on_backup(void *arg, int status)
{
    struct call *call = arg;

    call->service->is_backing_up = false;
    if (status != 0) {
        call_fail(call, 500, "ServiceException",
                  "The backup failed: the daemon's log says why. What is in the directory is not "
                  "complete.");
        return;
    }
    json_open(&call->out, '{');
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* NULL: answered. */
static const char *read_directory(struct call *call)
{
    struct problem problem = {0};
    const char *directory = NULL;

    if (!call_read_json(call)) {
        return NULL;
    }
    if (!member_text(call->json, "Directory", DIRECTORY_MAX, &directory, &problem)) {
        call_fail_problem(call, &problem);
        return NULL;
    }
    if (directory == NULL || directory[0] != '/') {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Directory must be an absolute path on the daemon's machine.");
        return NULL;
    }
    return directory;
}

void route_backup(struct call *call, const struct principal *principal)
{
    const char *directory = read_directory(call);

    (void)principal;
    if (directory == NULL) {
        return;
    }
    if (call->service->is_backing_up) {
        call_fail(call, 409, "ResourceConflictException", "Another backup is being made.");
        return;
    }
    call->service->is_backing_up = true;
    if (journal_backup(call->service->journal, directory, call, on_backup) != 0) {
        call->service->is_backing_up = false;
        call_fail(call, 400, "InvalidParameterValueException",
                  "The backup cannot be made in %s: the daemon's log says why.", directory);
    }
}

/* --- verify ---------------------------------------------------------------------------- */

static void on_scrubbed(void *arg, struct bytes json)
{
    struct call *call = arg;

    call->service->is_verifying = false;
    call_respond(call, 200, "application/json", json);
}

void route_verify(struct call *call, const struct principal *principal)
{
    (void)principal;
    if (call->service->is_verifying) {
        call_fail(call, 409, "ResourceConflictException", "A verification is under way.");
        return;
    }
    call->service->is_verifying = true;
    driver_scrub(call->service->driver, call, on_scrubbed);
}
