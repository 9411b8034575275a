#include "invoke/function_change.h"

#include "invoke/function_answer.h"
#include "invoke/member.h"
#include "runtime/launcher.h"

struct function_change *function_change_make(struct call *call, enum function_change_kind kind,
                                             struct bytes name)
{
    struct function_change *change = call_alloc(call, sizeof *change);

    if (change != NULL) {
        *change = (struct function_change){.call = call, .kind = kind, .name = name};
    }
    return change;
}

/* --- done ------------------------------------------------------------------------------- */

void function_change_answer_version(struct call *call, int status, const struct function *function,
                                    bool is_qualified)
{
    const struct function_revision *revision =
        function_version_find(function, function->last_version);

    function_answer_put(&call->out, revision,
                        is_qualified ? bytes_of_text(revision->qualifier) : bytes_of("", 0));
    call_answer(call, status);
}

static void answer(const struct function_change *change, const struct function *function)
{
    struct call *call = change->call;
    int status = (change->kind == CHANGE_UPDATE) ? 200 : 201;

    if (change->kind == CHANGE_DELETE) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else if (change->publishes) {
        function_change_answer_version(call, status, function, change->kind != CHANGE_CREATE);
    } else {
        function_answer_put(&call->out, function->latest, bytes_of("", 0));
        call_answer(call, status);
    }
}

static bool begins(const char *error, const char *words)
{
    return strncmp(error, words, strlen(words)) == 0;
}

void function_change_done(void *arg, struct function *function, const char *error)
{
    struct function_change *change = arg;
    struct call *call = change->call;

    buf_fini(&change->archive);
    if (error == NULL) {
        driver_function_changed(call->service->driver, function);
        answer(change, function);
    } else if (begins(error, FUNCTION_BLAMES_LAYERS)) {
        call_fail(call, 400, "InvalidParameterValueException", "%s", error);
    } else if (begins(error, LAUNCHER_BLAMES_ARCHIVE)) {
        call_fail(call, 400, "InvalidParameterValueException", "Could not unzip uploaded file: %s",
                  error);
    } else {
        call_fail(call, 500, "ServiceException", "The code cannot be taken in now: %s. Try again.",
                  error);
    }
}

/* --- not done --------------------------------------------------------------------------- */

void function_change_fail(struct function_change *change, const struct problem *problem)
{
    buf_fini(&change->archive);
    call_fail_problem(change->call, problem);
}

void function_change_refuse(struct function_change *change, int code)
{
    struct call *call = change->call;
    int len = (int)change->name.len;
    const char *name = (const char *)change->name.data;

    buf_fini(&change->archive);
    switch (code) {
    case FUNCTION_EXISTS:
        call_fail(call, 409, "ResourceConflictException", "Function already exist: %.*s", len,
                  name);
        break;
    case FUNCTION_NOT_FOUND:
        call_fail(call, 404, "ResourceNotFoundException", "Function not found: %.*s", len, name);
        break;
    case FUNCTION_TOO_LARGE:
        call_fail(call, 413, "RequestTooLargeException",
                  "The archive or the settings of the function are too large.");
        break;
    case FUNCTION_BUSY:
        call_fail(call, 409, "ResourceConflictException",
                  "The operation cannot be performed at this time. An update is in progress for "
                  "resource: %.*s",
                  len, name);
        break;
    case FUNCTION_TOO_MANY:
        call_fail(call, 400, "CodeStorageExceededException",
                  "The function has %u versions: delete some that nobody needs.",
                  FUNCTION_VERSIONS_MAX);
        break;
    case FUNCTION_LAYERS_TOO_LARGE:
        call_fail(call, 400, "InvalidParameterValueException",
                  FUNCTION_BLAMES_LAYERS " exceeds the maximum allowed size of %u bytes.",
                  FUNCTION_UNPACKED_BYTES_MAX);
        break;
    case FUNCTION_FULL:
        call_fail(call, 429, "TooManyRequestsException",
                  "There are too many functions, or the journal takes no new work: see 'pawl "
                  "status'.");
        break;
    default:
        call_fail(call, 500, "ServiceException",
                  "The change could not be made: the daemon's log says why.");
    }
}

bool function_change_check_id(struct call *call, const struct id *present)
{
    struct problem problem = {0};
    const char *wanted = NULL;
    char text[ID_TEXT_LEN + 1];

    if (!member_text(call->json, "RevisionId", 64, &wanted, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    id_format(present, text);
    if (wanted != NULL && strcmp(wanted, text) != 0) {
        call_fail(call, 412, "PreconditionFailedException",
                  "The Revision Id provided does not match the latest Revision Id. Call the "
                  "GetFunction/GetAlias API to retrieve the latest Revision Id");
        return false;
    }
    return true;
}
