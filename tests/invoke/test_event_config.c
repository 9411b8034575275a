/* Event invoke configs: what is taken, what is refused, what is shown. */
#include "tests/invoke/door.h"
#include "tests/invoke/fake_setting.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, with_functions, door_tear_down)
#define A "/2019-09-25/functions/f/event-invoke-config"
#define ARN(name) "arn:aws:lambda:us-east-1:123456789012:function:" name

static int with_functions(void **state)
{
    int r = door_set_up(state);

    fake_settings_reset();
    fake_add_function("f", false);
    fake_add_function("other", false);
    fake_add_function("workflow", true);
    fake_add_function("isolated", false)->latest->config.is_per_tenant = true;
    return r;
}

static void test_what_is_put_is_shown(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET " A, "", NULL, 404, "ResourceNotFoundException",
           "The function " ARN("f:$LATEST") " doesn't have an EventInvokeConfig");
    EXPECT(door, "PUT " A, "",
           "{\"MaximumRetryAttempts\":0,\"MaximumEventAgeInSeconds\":60,\"DestinationConfig\":"
           "{\"OnSuccess\":{\"Destination\":\"" ARN("other") "\"},\"OnFailure\":{}}}",
           200, "\"FunctionArn\":\"" ARN("f:$LATEST") "\"", "\"MaximumRetryAttempts\":0",
           "\"MaximumEventAgeInSeconds\":60", "\"LastModified\":1",
           "\"DestinationConfig\":{\"OnSuccess\":{\"Destination\":\"" ARN(
               "other") "\"},"
                        "\"OnFailure\":{}}");
    EXPECT(door, "GET " A "?Qualifier=%24LATEST", "", NULL, 200, "\"MaximumRetryAttempts\":0",
           "\"Destination\":\"" ARN("other") "\"");
}

static void test_put_overwrites_and_update_merges(void **state)
{
    struct door *door = *state;
    struct reply reply;

    EXPECT(door, "POST " A, "", "{\"MaximumRetryAttempts\":1}", 404, "EventInvokeConfig");
    EXPECT(
        door, "PUT " A, "",
        "{\"MaximumRetryAttempts\":1,\"DestinationConfig\":{\"OnFailure\":{\"Destination\":\"" ARN(
            "workflow:$LATEST") "\"}}}",
        200);
    EXPECT(door, "POST " A, "", "{\"MaximumEventAgeInSeconds\":21600}", 200,
           "\"MaximumRetryAttempts\":1", "\"MaximumEventAgeInSeconds\":21600",
           ARN("workflow:$LATEST"));
    EXPECT(door, "POST " A, "",
           "{\"DestinationConfig\":{\"OnSuccess\":{\"Destination\":\"" ARN("other:$LATEST") "\"}}}",
           200, ARN("workflow:$LATEST"), ARN("other:$LATEST"));
    EXPECT(door, "POST " A, "", "{\"DestinationConfig\":{\"OnFailure\":{}}}", 200,
           "\"OnFailure\":{}", ARN("other:$LATEST"));
    EXPECT(door, "PUT " A, "", "{\"MaximumEventAgeInSeconds\":100}", 200);
    door_ask(door, "GET " A, "", NULL, &reply);
    assert_null(strstr((const char *)reply.body.data, "MaximumRetryAttempts"));
    assert_null(strstr((const char *)reply.body.data, "other"));
}

static void test_what_is_deleted_is_gone(void **state)
{
    struct door *door = *state;

    EXPECT(door, "DELETE " A, "", NULL, 404, "EventInvokeConfig");
    EXPECT(door, "PUT " A, "", "{\"MaximumRetryAttempts\":1}", 200);
    EXPECT(door, "DELETE " A, "", NULL, 204);
    EXPECT(door, "GET " A, "", NULL, 404);
}

struct refused {
    const char *body;
    const char *words;
};

#define TO(arn) "{\"DestinationConfig\":{\"OnFailure\":{\"Destination\":\"" arn "\"}}}"

static void test_what_cannot_be_kept_is_refused(void **state)
{
    static const struct refused cases[] = {
        {"{}", "You must specify at least one of error handling or destination setting."},
        {"{\"MaximumRetryAttempts\":3}", "maximumRetryAttempts"},
        {"{\"MaximumRetryAttempts\":-1}", "maximumRetryAttempts"},
        {"{\"MaximumEventAgeInSeconds\":59}", "maximumEventAgeInSeconds"},
        {"{\"MaximumEventAgeInSeconds\":21601}", "maximumEventAgeInSeconds"},
        {"{\"DestinationConfig\":7}", "estinationConfig"},
        {TO("arn:aws:sqs:us-east-1:123456789012:q"), "Pawl tells functions, by their ARN"},
        {TO("arn:aws:sns:us-east-1:123456789012:t"), "Pawl tells functions, by their ARN"},
        {TO("other"), "Pawl tells functions, by their ARN"},
        {TO("arn:aws:lambda:us-east-1:000000000001:function:other"), "not a function of this"},
        {TO("arn:aws:lambda:eu-west-1:123456789012:function:other"), "not a function of this"},
        {TO(ARN("nobody")), "there is no such function"},
        {TO(ARN("other:7")), "this version or alias does not exist"},
        {TO(ARN("f")), "it is the function itself"},
        {TO(ARN("workflow")), "a durable function needs a version, an alias or $LATEST"},
        {TO(ARN("isolated")), "needs a tenant id"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT(door, "PUT " A, "", cases[i].body, 400, "InvalidParameterValueException",
               cases[i].words);
    }
    EXPECT(door, "GET " A, "", NULL, 404);
    EXPECT(door, "PUT /2019-09-25/functions/none/event-invoke-config", "",
           "{\"MaximumRetryAttempts\":1}", 404, "Function not found");
}

static void test_refusals_of_the_store_have_lambdas_names(void **state)
{
    struct door *door = *state;
    const char *body = "{\"MaximumRetryAttempts\":1}";

    fake_settings.refusal = FUNCTION_BUSY;
    EXPECT(door, "PUT " A, "", body, 409, "ResourceConflictException");
    fake_settings.refusal = FUNCTION_FULL;
    EXPECT(door, "PUT " A, "", body, 429, "TooManyRequestsException");
    fake_settings.refusal = FUNCTION_TOO_MANY;
    EXPECT(door, "PUT " A, "", body, 402, "ServiceQuotaExceededException");
    fake_settings.refusal = -1;
    EXPECT(door, "PUT " A, "", body, 500, "ServiceException");
}

static void drop_status(void *arg, int status)
{
    (void)arg;
    (void)status;
}

static void test_configs_are_listed_in_pages(void **state)
{
    struct door *door = *state;
    struct function *function = function_find(NULL, bytes_of_text("f"));
    static const char *const names[] = {"$LATEST", "1", "live"};

    EXPECT(door, "GET " A "/list", "", NULL, 200, "{\"FunctionEventInvokeConfigs\":[]}");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(setting_put(NULL, function, SETTING_EVENT_INVOKE, bytes_of_text(names[i]),
                                     bytes_of_text("{\"Retries\":1,\"ModifiedMs\":5}"), NULL,
                                     drop_status),
                         0);
    }
    EXPECT(door, "GET " A "/list?MaxItems=2", "", NULL, 200, ARN("f:$LATEST"), ARN("f:1"),
           "\"NextMarker\":\"1\"");
    EXPECT(door, "GET " A "/list?MaxItems=2&Marker=1", "", NULL, 200,
           "{\"FunctionEventInvokeConfigs\":[{\"LastModified\":0.005,\"FunctionArn\":\"" ARN(
               "f:live") "\",\"MaximumRetryAttempts\":1,");
    EXPECT(door, "GET " A "/list?MaxItems=51", "", NULL, 400, "MaxItems");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_what_is_put_is_shown),
        TEST(test_put_overwrites_and_update_merges),
        TEST(test_what_is_deleted_is_gone),
        TEST(test_what_cannot_be_kept_is_refused),
        TEST(test_refusals_of_the_store_have_lambdas_names),
        TEST(test_configs_are_listed_in_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
