/* What a durable function returns (lambda-api.md section 3.2). */
#include "engine/base/json_read.h"
#include "engine/base/json_scan.h"
#include "invoke/error_fit.h"
#include "invoke/guest_parts.h"
#include "invoke/member.h"
#include "invoke/update_body.h"

struct verdict {
    struct guest_end end;
    struct buf encoded;
};

static bool read_failure(struct verdict *verdict, const json_t *json, struct arena *arena)
{
    struct error_object error = {0};
    struct problem problem = {0};

    if (!error_body_take(member_get(json, "Error"), arena, &error, &problem) ||
        !error_fit(&error, arena)) {
        return false;
    }
    wire_put_error(&verdict->encoded, &error);
    verdict->end.complete.outcome = OUTCOME_FAILED;
    verdict->end.complete.error = buf_bytes(&verdict->encoded);
    return !verdict->encoded.failed;
}

static struct bytes status_of(const json_t *json)
{
    const json_t *value = json_object_get(json, "Status");

    return json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value))
                                 : (struct bytes){0};
}

static bool read_success(struct verdict *verdict, const json_t *json)
{
    const json_t *result = member_get(json, "Result");

    verdict->end.complete.outcome = OUTCOME_SUCCEEDED;
    if (result == NULL) {
        return true;
    }
    verdict->end.complete.has_payload = true;
    verdict->end.complete.payload = bytes_of(json_string_value(result), json_string_length(result));
    return json_is_string(result);
}

static bool is_too_large(const json_t *json)
{
    return json_string_length(json_object_get(json, "Result")) > EXEC_PAYLOAD_BYTES_MAX;
}

/* {"Status":"SUCCEEDED","Result":text?}, {"Status":"FAILED","Error":…}, {"Status":"PENDING"} */
static bool read_verdict(struct verdict *verdict, const json_t *json, struct arena *arena)
{
    struct bytes status = status_of(json);

    if (bytes_equal(status, bytes_of_text("SUCCEEDED"))) {
        return read_success(verdict, json);
    }
    if (bytes_equal(status, bytes_of_text("FAILED"))) {
        return read_failure(verdict, json, arena);
    }
    verdict->end.complete.outcome = OUTCOME_PENDING;
    return bytes_equal(status, bytes_of_text("PENDING"));
}

/* What SDKs answer most: a text, and nothing else. */
static bool read_plain(struct verdict *verdict, struct bytes body, struct arena *arena)
{
    enum { STATUS, RESULT, MEMBERS };
    static const struct json_member members[MEMBERS] = {
        [STATUS] = JSON_MEMBER("Status", sizeof "SUCCEEDED" - 1),
        [RESULT] = JSON_MEMBER("Result", EXEC_PAYLOAD_BYTES_MAX)};
    struct bytes texts[MEMBERS] = {{0}};
    struct json_reader reader;

    json_read_begin(&reader, body, arena);
    if (!json_read_members(&reader, members, MEMBERS, texts) ||
        !bytes_equal(texts[STATUS], bytes_of_text("SUCCEEDED"))) {
        return false;
    }
    verdict->end.complete.outcome = OUTCOME_SUCCEEDED;
    verdict->end.complete.has_payload = texts[RESULT].data != NULL;
    verdict->end.complete.payload = texts[RESULT];
    return true;
}

static void end_by_tree(struct guest *guest, struct guest_run *run, const json_t *json,
                        struct arena *arena)
{
    struct verdict verdict = {0};

    if (json_is_object(json) && is_too_large(json)) {
        guest_fail_run(guest, run, "Function.ResponseSizeTooLarge",
                       "A durable function's result has at most 6291456 bytes.");
    } else if (json_is_object(json) && read_verdict(&verdict, json, arena)) {
        guest_end_run(guest, run, &verdict.end);
    } else {
        guest_fail_run(
            guest, run, "Pawl.InvalidDurableResponse",
            "A durable function answers {\"Status\":\"SUCCEEDED\"|\"FAILED\"|\"PENDING\", "
            "…}: wrap its handler with the durable execution SDK.");
    }
    buf_fini(&verdict.encoded);
}

void guest_end_durable(struct guest *guest, struct guest_run *run, struct bytes body,
                       struct arena *arena)
{
    bool is_json = json_scan(body, &json_limits_payload, NULL);
    struct verdict verdict = {0};
    json_t *json;

    if (is_json && read_plain(&verdict, body, arena)) {
        guest_end_run(guest, run, &verdict.end);
        return;
    }
    json = is_json ? json_loadb((const char *)body.data, body.len, JSON_ALLOW_NUL, NULL) : NULL;
    end_by_tree(guest, run, json, arena);
    json_decref(json);
}
