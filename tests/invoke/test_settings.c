/* Concurrency, tags, policies and the like: what their routes take, refuse and show. */
#include "tests/invoke/door.h"
#include "tests/invoke/fake_setting.h"

#include "engine/driver/provisioned.h"

#include <stdlib.h>

#define F "/2015-03-31/functions"
#define RESERVED "/2017-10-31/functions/f/concurrency"
#define RESERVED_GET "GET /2019-09-30/functions/f/concurrency"
#define ARN "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af"
#define SHOWN "arn:aws:lambda:us-east-1:123456789012:function:f"
#define TAGS "/2017-03-31/tags/" ARN
#define POLICY F "/f/policy"
#define RECURSION "/2024-08-31/functions/f/recursion-config"
#define MANAGEMENT "/2021-07-20/functions/f/runtime-management-config"
#define SIGNING "/2020-06-30/functions/f/code-signing-config"
#define URLS "/2021-10-31/functions/f/url"

static int settings_set_up(void **state)
{
    int r = door_set_up(state);

    fake_settings_reset();
    (void)fake_add_function("f", false);
    return r;
}

static int settings_tear_down(void **state)
{
    fake_settings_reset();
    return door_tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, settings_set_up, settings_tear_down)

static void lacks(struct door *door, const char *line, const char *text)
{
    struct reply reply;

    door_ask(door, line, "", NULL, &reply);
    assert_int_equal(reply.status, 200);
    assert_null(memmem(reply.body.data, reply.body.len, text, strlen(text)));
}

/* --- concurrency -------------------------------------------------------------------------- */

static void test_concurrency_is_reserved_shown_and_released(void **state)
{
    struct door *door = *state;

    EXPECT(door, RESERVED_GET, "", NULL, 200, "{}");
    lacks(door, "GET " F "/f", "Concurrency");
    EXPECT(door, "PUT " RESERVED, "", "{\"ReservedConcurrentExecutions\":0}", 200,
           "{\"ReservedConcurrentExecutions\":0}");
    EXPECT(door, "PUT " RESERVED, "", "{\"ReservedConcurrentExecutions\":5}", 200,
           "{\"ReservedConcurrentExecutions\":5}");
    EXPECT(door, RESERVED_GET, "", NULL, 200, "{\"ReservedConcurrentExecutions\":5}");
    EXPECT(door, "GET " F "/f", "", NULL, 200,
           "\"Concurrency\":{\"ReservedConcurrentExecutions\":5}");
    EXPECT(door, "DELETE " RESERVED, "", NULL, 204);
    EXPECT(door, "DELETE " RESERVED, "", NULL, 204); /* as it was wanted */
    EXPECT(door, RESERVED_GET, "", NULL, 200, "{}");
}

static void test_a_wrong_number_is_refused(void **state)
{
    struct door *door = *state;

    EXPECT(door, "PUT " RESERVED, "", "{}", 400, "'reservedConcurrentExecutions'");
    EXPECT(door, "PUT " RESERVED, "", "{\"ReservedConcurrentExecutions\":-1}", 400,
           "greater than or equal to 0");
    EXPECT(door, "PUT " RESERVED, "", "{\"ReservedConcurrentExecutions\":\"5\"}", 400,
           "whole number");
    EXPECT(door, "PUT " RESERVED, "", "{\"ReservedConcurrentExecutions\":901}", 400,
           "InvalidParameterValueException", "below its minimum value of [100]", "concurrency_max");
    EXPECT(door, "PUT /2017-10-31/functions/g/concurrency", "",
           "{\"ReservedConcurrentExecutions\":1}", 404, "Function not found");
    EXPECT(door, "PUT /2017-10-31/functions/f%3A%24LATEST/concurrency", "",
           "{\"ReservedConcurrentExecutions\":1}", 400, "Aliases and versions do not support");
    assert_int_equal(fake_settings.puts, 0);
}

static void test_refusals_of_the_store_have_their_names(void **state)
{
    static const struct {
        int refusal;
        int status;
        const char *name;
    } all[] = {
        {FUNCTION_NOT_FOUND, 404, "ResourceNotFoundException"},
        {FUNCTION_BUSY, 409, "ResourceConflictException"},
        {FUNCTION_TOO_LARGE, 413, "RequestTooLargeException"},
        {FUNCTION_TOO_MANY, 402, "ServiceQuotaExceededException"},
        {FUNCTION_FULL, 429, "TooManyRequestsException"},
        {-1, 500, "ServiceException"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fake_settings.refusal = all[i].refusal;
        EXPECT(door, "PUT " RESERVED, "", "{\"ReservedConcurrentExecutions\":1}", all[i].status,
               all[i].name);
        EXPECT(door, "POST " TAGS, "", "{\"Tags\":{\"a\":\"b\"}}", all[i].status, all[i].name);
    }
    fake_settings.refusal = 0;
    fake_settings.status = FUNCTION_NOT_FOUND; /* deleted meanwhile */
    EXPECT(door, "PUT " RECURSION, "", "{\"RecursiveLoop\":\"Allow\"}", 404,
           "ResourceNotFoundException");
}

/* --- tags ----------------------------------------------------------------------------------- */

static void test_tags_are_set_merged_and_removed(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET " TAGS, "", NULL, 200, "{\"Tags\":{}}");
    lacks(door, "GET " F "/f", "Tags");
    EXPECT(door, "POST " TAGS, "", "{\"Tags\":{\"team\":\"blue\",\"a b\":\"\"}}", 204);
    EXPECT(door, "POST " TAGS, "", "{\"Tags\":{\"team\":\"red\",\"\\u00e4\":\"+-=._:/@\"}}", 204);
    EXPECT(door, "GET " TAGS, "", NULL, 200,
           "{\"Tags\":{\"team\":\"red\",\"a b\":\"\",\"\xc3\xa4\":\"+-=._:/@\"}}");
    EXPECT(door, "GET " F "/f", "", NULL, 200, "\"Tags\":{\"team\":\"red\"");
    EXPECT(door, "DELETE " TAGS "?tagKeys=team&tagKeys=a%20b&tagKeys=none", "", NULL, 204);
    EXPECT(door, "GET " TAGS, "", NULL, 200, "{\"Tags\":{\"\xc3\xa4\":\"+-=._:/@\"}}");
}

static void test_tags_of_the_creation_are_the_first(void **state)
{
    struct door *door = *state;
    struct function *function = &fake.functions[0];

    function->latest->config.raw = bytes_of_text("{\"Tags\":{\"born\":\"here\"}}");
    EXPECT(door, "GET " TAGS, "", NULL, 200, "{\"Tags\":{\"born\":\"here\"}}");
    EXPECT(door, "POST " TAGS, "", "{\"Tags\":{\"more\":\"1\"}}", 204);
    EXPECT(door, "GET " TAGS, "", NULL, 200, "{\"Tags\":{\"born\":\"here\",\"more\":\"1\"}}");
    EXPECT(door, "DELETE " TAGS "?tagKeys=born&tagKeys=more", "", NULL, 204);
    EXPECT(door, "GET " TAGS, "", NULL, 200, "{\"Tags\":{}}"); /* they do not come back */
}

static void test_wrong_tags_are_refused(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"Tags\":{}}",
        "{\"Tags\":[\"a\"]}",
        "{\"Tags\":{\"a\":1}}",
        "{\"Tags\":{\"\":\"x\"}}",
        "{\"Tags\":{\"aws:x\":\"x\"}}",
        "{\"Tags\":{\"a;b\":\"x\"}}",
        "{\"Tags\":{\"a\":\"x\\n\"}}",
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        EXPECT(door, "POST " TAGS, "", bodies[i], 400, "InvalidParameterValueException");
    }
    EXPECT(door, "DELETE " TAGS, "", NULL, 400, "'tagKeys'");
    EXPECT(door, "DELETE " TAGS "?tagKeys=aws%3Ax", "", NULL, 400, "reserved");
    EXPECT(door, "GET /2017-03-31/tags/f", "", NULL, 400, "'resource'");
    EXPECT(door, "GET " TAGS "%3A%24LATEST", "", NULL, 400, "Aliases and versions");
    EXPECT(door, "GET " TAGS "g", "", NULL, 404, "ResourceNotFoundException");
    assert_int_equal(fake_settings.puts, 0);
}

static void test_tags_have_lambdas_limits(void **state)
{
    static char body[16384];
    struct door *door = *state;
    char text[258];
    int at = snprintf(body, sizeof body, "{\"Tags\":{\"0\":\"x\"");

    for (int i = 1; i < 50; i++) {
        at += snprintf(body + at, sizeof body - (size_t)at, ",\"%d\":\"x\"", i);
    }
    (void)snprintf(body + at, sizeof body - (size_t)at, "}}");
    EXPECT(door, "POST " TAGS, "", body, 204);
    EXPECT(door, "POST " TAGS, "", "{\"Tags\":{\"more\":\"x\"}}", 400, "more than 50 tags");
    EXPECT(door, "POST " TAGS, "", "{\"Tags\":{\"49\":\"y\"}}", 204);
    for (int over = 0; over < 2; over++) {
        memset(text, 'k', sizeof text);
        text[128 + over] = '\0';
        (void)snprintf(body, sizeof body, "{\"Tags\":{\"%s\":\"\"}}", text);
        EXPECT(door, "POST " TAGS, "", body, 400, over ? "at most 128 characters" : "50 tags");
        memset(text, 'v', sizeof text);
        text[256 + over] = '\0';
        (void)snprintf(body, sizeof body, "{\"Tags\":{\"1\":\"%s\"}}", text);
        EXPECT(door, "POST " TAGS, "", body, over ? 400 : 204,
               over ? "at most 256 characters" : "");
    }
}

static void test_an_update_of_the_configuration_leaves_tags_alone(void **state)
{
    struct door *door = *state;

    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Tags\":{\"a\":\"b\"},\"Timeout\":5}", 200);
    assert_null(strstr(fake.asked, "Tags"));
}

/* --- policies --------------------------------------------------------------------------------- */

#define PERMISSION(id, principal, more)                                                            \
    "{\"StatementId\":\"" id "\",\"Action\":\"lambda:InvokeFunction\",\"Principal\":\"" principal  \
    "\"" more "}"

static void test_permissions_are_added_shown_and_removed(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET " POLICY, "", NULL, 404, "ResourceNotFoundException",
           "The resource you requested does not exist.");
    EXPECT(
        door, "POST " POLICY, "",
        PERMISSION("s3", "s3.amazonaws.com",
                   ",\"SourceArn\":\"arn:aws:s3:::b\",\"SourceAccount\":\"123456789012\""),
        201,
        "{\"Statement\":\"{\\\"Sid\\\":\\\"s3\\\",\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":{"
        "\\\"Service\\\":\\\"s3.amazonaws.com\\\"},\\\"Action\\\":\\\"lambda:InvokeFunction\\\","
        "\\\"Resource\\\":\\\"arn:aws:lambda:us-east-1:123456789012:function:f\\\","
        "\\\"Condition\\\":{\\\"StringEquals\\\":{\\\"AWS:SourceAccount\\\":"
        "\\\"123456789012\\\"},\\\"ArnLike\\\":{\\\"AWS:SourceArn\\\":\\\"arn:aws:s3:::b\\\"}}}"
        "\"}");
    EXPECT(door, "POST " POLICY, "", PERMISSION("other", "210987654321", ""), 201,
           "\\\"AWS\\\":\\\"arn:aws:iam::210987654321:root\\\"");
    EXPECT(door, "GET " POLICY, "", NULL, 200,
           "{\"Policy\":\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Id\\\":\\\"default\\\","
           "\\\"Statement\\\":[{\\\"Sid\\\":\\\"s3\\\"",
           "\\\"Sid\\\":\\\"other\\\"", "\"RevisionId\":\"");
    EXPECT(door, "DELETE " POLICY "/s3", "", NULL, 204);
    EXPECT(door, "DELETE " POLICY "/s3", "", NULL, 404, "Statement s3 is not found");
    EXPECT(door, "GET " POLICY, "", NULL, 200, "[{\\\"Sid\\\":\\\"other\\\"");
    EXPECT(door, "DELETE " POLICY "/other", "", NULL, 204);
    EXPECT(door, "GET " POLICY, "", NULL, 404, "ResourceNotFoundException");
}

static void test_all_kinds_of_principals_and_conditions(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " POLICY, "", PERMISSION("a", "*", ",\"PrincipalOrgID\":\"o-a1b2c3d4e5\""),
           201, "\\\"Principal\\\":\\\"*\\\"", "{\\\"aws:PrincipalOrgID\\\":\\\"o-a1b2c3d4e5\\\"}");
    EXPECT(door, "POST " POLICY, "",
           PERMISSION("b", "arn:aws:iam::123456789012:user/u",
                      ",\"EventSourceToken\":\"t.1\",\"FunctionUrlAuthType\":\"NONE\","
                      "\"InvokedViaFunctionUrl\":true"),
           201, "{\\\"AWS\\\":\\\"arn:aws:iam::123456789012:user/u\\\"}",
           "\\\"lambda:EventSourceToken\\\":\\\"t.1\\\"",
           "\\\"lambda:FunctionUrlAuthType\\\":\\\"NONE\\\"",
           "\\\"Bool\\\":{\\\"lambda:InvokedViaFunctionUrl\\\":\\\"true\\\"}");
    EXPECT(door, "POST " POLICY "?Qualifier=%24LATEST", "", PERMISSION("a", "*", ""), 201,
           "function:f:$LATEST"); /* of its own */
    EXPECT(door, "GET " POLICY "?Qualifier=%24LATEST", "", NULL, 200, "\\\"Sid\\\":\\\"a\\\"");
}

static void test_wrong_permissions_are_refused(void **state)
{
    static const struct {
        const char *body;
        const char *words;
    } all[] = {
        {"{}", "'statementId'"},
        {"{\"StatementId\":\"s\"}", "'action'"},
        {"{\"StatementId\":\"s\",\"Action\":\"*\"}", "'principal'"},
        {PERMISSION("a b", "*", ""), "'statementId'"},
        {PERMISSION("", "*", ""), "'statementId'"},
        {"{\"StatementId\":\"s\",\"Action\":\"s3:Get\",\"Principal\":\"*\"}", "'action'"},
        {"{\"StatementId\":\"s\",\"Action\":\"lambda:\",\"Principal\":\"*\"}", "'action'"},
        {PERMISSION("s", "nobody", ""), "The provided principal was invalid"},
        {PERMISSION("s", "a b.com", ""), "The provided principal was invalid"},
        {PERMISSION("s", "*", ",\"SourceAccount\":\"12\""), "'sourceAccount'"},
        {PERMISSION("s", "*", ",\"PrincipalOrgID\":\"o-1\""), "'principalOrgID'"},
        {PERMISSION("s", "*", ",\"EventSourceToken\":\"a/b\""), "'eventSourceToken'"},
        {PERMISSION("s", "*", ",\"FunctionUrlAuthType\":\"X\""), "'functionUrlAuthType'"},
        {PERMISSION("s", "*", ",\"RevisionId\":1"), "RevisionId must be a string"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        EXPECT(door, "POST " POLICY, "", all[i].body, 400, "InvalidParameterValueException",
               all[i].words);
    }
    assert_int_equal(fake_settings.puts, 0);
    EXPECT(door, "POST " POLICY, "", PERMISSION("s", "*", ""), 201);
    EXPECT(door, "POST " POLICY, "", PERMISSION("s", "*", ""), 409, "ResourceConflictException",
           "The statement id (s) provided already exists.");
}

/* The revision of the policy, from its answer. */
static void read_revision(struct door *door, char *out, size_t size)
{
    static const char key[] = "\"RevisionId\":\"";
    struct reply reply;
    const char *found;

    door_ask(door, "GET " POLICY, "", NULL, &reply);
    found = memmem(reply.body.data, reply.body.len, key, strlen(key));
    assert_non_null(found);
    (void)snprintf(out, size, "%.36s", found + strlen(key));
}

static void test_a_revision_guards_a_policy(void **state)
{
    struct door *door = *state;
    char first[40];
    char second[40];
    char line[256];
    char body[512];

    EXPECT(door, "POST " POLICY, "", PERMISSION("a", "*", ",\"RevisionId\":\"x\""), 412,
           "PreconditionFailedException");
    EXPECT(door, "POST " POLICY, "", PERMISSION("a", "*", ""), 201);
    read_revision(door, first, sizeof first);
    (void)snprintf(body, sizeof body, PERMISSION("b", "*", ",\"RevisionId\":\"%s\""), first);
    EXPECT(door, "POST " POLICY, "", body, 201);
    read_revision(door, second, sizeof second);
    assert_string_not_equal(first, second);
    (void)snprintf(line, sizeof line, "DELETE " POLICY "/a?RevisionId=%s", first);
    EXPECT(door, line, "", NULL, 412, "PreconditionFailedException");
    (void)snprintf(line, sizeof line, "DELETE " POLICY "/a?RevisionId=%s", second);
    EXPECT(door, line, "", NULL, 204);
}

static void test_a_policy_has_twenty_kilobytes(void **state)
{
    struct door *door = *state;
    char body[2600];
    char arn[1901] = "";
    int count = 0;
    struct reply reply;

    memset(arn, 'x', sizeof arn - 1);
    do {
        (void)snprintf(
            body, sizeof body,
            "{\"StatementId\":\"s%d\",\"Action\":\"*\",\"Principal\":\"*\",\"SourceArn\":"
            "\"arn:%s\"}",
            count++, arn);
        door_ask(door, "POST " POLICY, "", body, &reply);
    } while (reply.status == 201 && count < 20);
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr(reply.head, "PolicyLengthExceededException"));
    assert_int_equal(count, 10); /* 9 of 2.1 KB fit */
    EXPECT(door, "GET " POLICY, "", NULL, 200, "\\\"s8\\\"");
}

/* --- provisioned concurrency --------------------------------------------------------------------
 */

#define PROVISIONED "/2019-09-30/functions/f/provisioned-concurrency"
#define READY                                                                                      \
    "\"AllocatedProvisionedConcurrentExecutions\":5,"                                              \
    "\"AvailableProvisionedConcurrentExecutions\":5,\"Status\":\"READY\","                         \
    "\"LastModified\":\"2026-11-23T08:33:41.977+0000\"}"

static void test_provisioned_concurrency_is_of_a_version(void **state)
{
    static const char put[] = "{\"ProvisionedConcurrentExecutions\":5}";
    struct door *door = *state;

    (void)fake_add_version(&fake.functions[0]);
    (void)fake_add_version(&fake.functions[0]);
    EXPECT(door, "GET " PROVISIONED "?Qualifier=1", "", NULL, 404,
           "ProvisionedConcurrencyConfigNotFoundException");
    EXPECT(door, "DELETE " PROVISIONED "?Qualifier=1", "", NULL, 404,
           "ProvisionedConcurrencyConfigNotFoundException");
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=1", "", put, 202,
           "{\"RequestedProvisionedConcurrentExecutions\":5," READY);
    EXPECT(door, "GET " PROVISIONED "?Qualifier=1", "", NULL, 200,
           "{\"RequestedProvisionedConcurrentExecutions\":5," READY);
    fake_settings.status_shown = PROVISIONED_FAILED;
    EXPECT(door, "GET " PROVISIONED "?Qualifier=1", "", NULL, 200, "\"Status\":\"FAILED\"",
           "\"StatusReason\":\"", "\"AvailableProvisionedConcurrentExecutions\":4");
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=2", "", put, 202);
    EXPECT(door, "GET " PROVISIONED "?List=ALL&MaxItems=1", "", NULL, 200,
           "{\"ProvisionedConcurrencyConfigs\":[{\"FunctionArn\":\"arn:aws:lambda:us-east-1:"
           "123456789012:function:f:1\",",
           "}],\"NextMarker\":\"1\"}");
    EXPECT(door, "GET " PROVISIONED "?List=ALL&Marker=1", "", NULL, 200, "function:f:2", "}]}");
    EXPECT(door, "DELETE " PROVISIONED "?Qualifier=1", "", NULL, 204);
    EXPECT(door, "GET " PROVISIONED "?Qualifier=1", "", NULL, 404);
}

static void test_wrong_provisioned_concurrency_is_refused(void **state)
{
    static const char put[] = "{\"ProvisionedConcurrentExecutions\":5}";
    struct door *door = *state;

    (void)fake_add_version(&fake.functions[0]);
    EXPECT(door, "PUT " PROVISIONED, "", put, 400, "unpublished function versions");
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=%24LATEST", "", put, 400,
           "unpublished function versions");
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=7", "", put, 404, "ResourceNotFoundException");
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=1", "", "{}", 400,
           "'provisionedConcurrentExecutions'");
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=1", "", "{\"ProvisionedConcurrentExecutions\":0}",
           400, "greater than or equal to 1");
    EXPECT(door, "GET " PROVISIONED "?List=SOME", "", NULL, 400, "must be ALL");
    fake_settings.refusal = PROVISIONED_TOO_MANY;
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=1", "", put, 400, "have 128 environments so");
    fake_settings.refusal = PROVISIONED_PER_TENANT;
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=1", "", put, 400, "PER_TENANT");
    fake_settings.refusal = PROVISIONED_WEIGHTED;
    EXPECT(door, "PUT " PROVISIONED "?Qualifier=1", "", put, 400, "Alias with weights");
}

/* --- recursion, management, account -------------------------------------------------------- */

static void test_recursion_is_kept(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET " RECURSION, "", NULL, 200, "{\"RecursiveLoop\":\"Terminate\"}");
    EXPECT(door, "PUT " RECURSION, "", "{\"RecursiveLoop\":\"Allow\"}", 200,
           "{\"RecursiveLoop\":\"Allow\"}");
    EXPECT(door, "GET " RECURSION, "", NULL, 200, "{\"RecursiveLoop\":\"Allow\"}");
    EXPECT(door, "PUT " RECURSION, "", "{\"RecursiveLoop\":\"Never\"}", 400,
           "enum value set: [Allow, Terminate]");
    EXPECT(door, "PUT " RECURSION, "", "{}", 400, "'recursiveLoop'");
}

static void test_runtime_management_is_kept(void **state)
{
    struct door *door = *state;
    static const char manual[] = "{\"UpdateRuntimeOn\":\"Manual\",\"RuntimeVersionArn\":\"arn:r\"}";

    EXPECT(door, "GET " MANAGEMENT, "", NULL, 200,
           "{\"UpdateRuntimeOn\":\"Auto\",\"FunctionArn\":\"" SHOWN "\"}");
    EXPECT(door, "PUT " MANAGEMENT, "", manual, 200,
           "{\"UpdateRuntimeOn\":\"Manual\",\"RuntimeVersionArn\":\"arn:r\","
           "\"FunctionArn\":\"" SHOWN "\"}");
    EXPECT(door, "GET " MANAGEMENT "?Qualifier=$LATEST", "", NULL, 200,
           "{\"UpdateRuntimeOn\":\"Manual\",\"RuntimeVersionArn\":\"arn:r\","
           "\"FunctionArn\":\"" SHOWN ":$LATEST\"}");
    EXPECT(door, "PUT " MANAGEMENT, "", "{\"UpdateRuntimeOn\":\"FunctionUpdate\"}", 200,
           "FunctionUpdate");
    EXPECT(door, "GET " MANAGEMENT, "", NULL, 200, "{\"UpdateRuntimeOn\":\"FunctionUpdate\",\"F");
    EXPECT(door, "PUT " MANAGEMENT, "", "{}", 400, "'updateRuntimeOn'");
    EXPECT(door, "PUT " MANAGEMENT, "", "{\"UpdateRuntimeOn\":\"Never\"}", 400,
           "enum value set: [Auto, Manual, FunctionUpdate]");
    EXPECT(door, "PUT " MANAGEMENT, "", "{\"UpdateRuntimeOn\":\"Manual\"}", 400,
           "needs a RuntimeVersionArn");
    EXPECT(door, "PUT " MANAGEMENT, "",
           "{\"UpdateRuntimeOn\":\"Auto\",\"RuntimeVersionArn\":\"arn:r\"}", 400, "Manual only");
    EXPECT(door, "GET " MANAGEMENT "?Qualifier=99", "", NULL, 404, "Function not found");
}

static void test_what_no_function_has_is_told(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET " SIGNING, "", NULL, 200, "{\"FunctionName\":\"f\"}");
    EXPECT(door, "GET " URLS "s", "", NULL, 200, "{\"FunctionUrlConfigs\":[]}");
    EXPECT(door, "GET " URLS, "", NULL, 404, "there are no function URLs");
    EXPECT(door, "GET /2020-06-30/functions/nobody/code-signing-config", "", NULL, 404,
           "Function not found");
    EXPECT(door, "GET /2021-10-31/functions/nobody/urls", "", NULL, 404, "Function not found");
}

static void test_the_account_shows_limits_and_usage(void **state)
{
    struct door *door = *state;

    (void)fake_add_function("g", false);
    fake_settings.unreserved = 900;
    EXPECT(door, "GET /2016-08-19/account-settings", "", NULL, 200,
           "{\"AccountLimit\":{\"TotalCodeSize\":1073741824,\"CodeSizeUnzipped\":262144000,"
           "\"CodeSizeZipped\":52428800,\"ConcurrentExecutions\":1000,"
           "\"UnreservedConcurrentExecutions\":900},\"AccountUsage\":{\"TotalCodeSize\":4711,"
           "\"FunctionCount\":2}}");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_concurrency_is_reserved_shown_and_released),
        TEST(test_a_wrong_number_is_refused),
        TEST(test_refusals_of_the_store_have_their_names),
        TEST(test_tags_are_set_merged_and_removed),
        TEST(test_tags_of_the_creation_are_the_first),
        TEST(test_wrong_tags_are_refused),
        TEST(test_tags_have_lambdas_limits),
        TEST(test_an_update_of_the_configuration_leaves_tags_alone),
        TEST(test_permissions_are_added_shown_and_removed),
        TEST(test_all_kinds_of_principals_and_conditions),
        TEST(test_wrong_permissions_are_refused),
        TEST(test_a_revision_guards_a_policy),
        TEST(test_a_policy_has_twenty_kilobytes),
        TEST(test_provisioned_concurrency_is_of_a_version),
        TEST(test_wrong_provisioned_concurrency_is_refused),
        TEST(test_recursion_is_kept),
        TEST(test_runtime_management_is_kept),
        TEST(test_what_no_function_has_is_told),
        TEST(test_the_account_shows_limits_and_usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
