/* Layers on the wire: their operations, and the member Layers of functions. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/invoke/door.h"
#include "tests/invoke/fake_layer.h"

#define L "/2018-10-31/layers"
#define ARN "arn:aws:lambda:us-east-1:123456789012:layer:"
#define CONTENT "\"Content\":{\"ZipFile\":\"UEsF\"}"
#define F "/2015-03-31/functions"
#define FUNCTION(layers)                                                                           \
    "{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"provided.al2023\",\"Handler\":\"h\","    \
    "\"Code\":{\"ZipFile\":\"UEsF\"},\"Layers\":" layers "}"

static int set_up_layers(void **state)
{
    fake_layers_reset();
    return door_set_up(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_layers, door_tear_down)

/* --- versions ------------------------------------------------------------------------------- */

static void test_a_version_is_published_and_shown(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " L "/tools/versions", "",
           "{" CONTENT ",\"Description\":\"d\",\"LicenseInfo\":\"MIT\",\"CompatibleRuntimes\":["
           "\"python3.11\"],\"CompatibleArchitectures\":[\"x86_64\"],\"Unknown\":1}",
           201, "\"LayerArn\":\"" ARN "tools\"", "\"LayerVersionArn\":\"" ARN "tools:1\"",
           "\"Version\":1", "\"CreatedDate\":\"2026-11-23T08:33:41.977+0000\"",
           "\"CodeSha256\":\"ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=\"", "\"CodeSize\":123");
    assert_int_equal(fake_layers.archive_bytes, 3);
    assert_string_equal(fake_layers.texts[0],
                        "{\"Description\":\"d\",\"LicenseInfo\":\"MIT\",\"CompatibleRuntimes\":["
                        "\"python3.11\"],\"CompatibleArchitectures\":[\"x86_64\"]}");
    EXPECT(door, "GET " L "/tools/versions/1", "", NULL, 200, "\"Description\":\"d\"",
           "\"LicenseInfo\":\"MIT\"", "\"CompatibleRuntimes\":[\"python3.11\"]",
           "\"CompatibleArchitectures\":[\"x86_64\"]", "\"Content\":{");
    EXPECT(door,
           "GET " L "/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Alayer%3Atools/versions/1", "",
           NULL, 200, ARN "tools:1");
    EXPECT(door, "GET " L "?find=LayerVersion&Arn=" ARN "tools:1", "", NULL, 200, ARN "tools:1");
}

static void test_what_cannot_be_published_is_refused(void **state)
{
    static const struct {
        const char *path;
        const char *body;
        const char *words;
    } all[] = {
        {"a", "{}", "'content'"},
        {"a", "{\"Content\":{}}", "ZipFile"},
        {"a", "{\"Content\":{\"S3Bucket\":\"b\",\"S3Key\":\"k\"}}", "S3Bucket: archives from S3"},
        {"a", "{\"Content\":{\"S3Bucket\":\"b\"}}", "as ZipFile"},
        {"a", "{\"Content\":{\"ZipFile\":\"!\"}}", "not base64"},
        {"a", "{" CONTENT ",\"CompatibleRuntimes\":[\"No Runtime\"]}", "'CompatibleRuntimes'"},
        {"a", "{" CONTENT ",\"CompatibleRuntimes\":[1]}", "'CompatibleRuntimes'"},
        {"a", "{" CONTENT ",\"CompatibleArchitectures\":[\"mips\"]}", "'CompatibleArchitectures'"},
        {"a", "{" CONTENT ",\"CompatibleArchitectures\":[\"arm64\",\"arm64\",\"arm64\"]}",
         "CompatibleArchitectures"},
        {"a", "{" CONTENT ",\"LicenseInfo\":1}", "LicenseInfo"},
        {"a%20b", "{" CONTENT "}", "'layerName'"},
        {"a:1", "{" CONTENT "}", "'layerName'"},
        {"arn:aws:lambda:us-east-1:123456789012:layer:a:1", "{" CONTENT "}", "'layerName'"},
        {"arn:aws:lambda:us-east-1:123456789012:function:a", "{" CONTENT "}", "'layerName'"},
    };
    struct door *door = *state;
    char line[160];

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        (void)snprintf(line, sizeof line, "POST " L "/%s/versions", all[i].path);
        EXPECT(door, line, "", all[i].body, 400, "InvalidParameterValueException", all[i].words);
    }
    assert_int_equal(fake_layers.version_count, 0);
    EXPECT(door, "POST " L "/arn:aws:lambda:us-east-1:999999999999:layer:a/versions", "",
           "{" CONTENT "}", 404, "ResourceNotFoundException");
    fake_layers.error = "the archive is damaged";
    EXPECT(door, "POST " L "/a/versions", "", "{" CONTENT "}", 400,
           "Could not unzip uploaded file: the archive is damaged");
    fake_layers.error = "the code cache is full";
    EXPECT(door, "POST " L "/a/versions", "", "{" CONTENT "}", 500, "ServiceException");
}

static void test_a_text_may_be_as_long_as_lambda_says(void **state)
{
    static const struct {
        const char *member;
        size_t max;
    } all[] = {{"Description", 256}, {"LicenseInfo", 512}};
    struct door *door = *state;

    for (size_t i = 0; i < 2; i++) {
        for (size_t more = 0; more < 2; more++) {
            char text[600] = "";
            char body[800];

            memset(text, 'x', all[i].max + more);
            (void)snprintf(body, sizeof body, "{" CONTENT ",\"%s\":\"%s\"}", all[i].member, text);
            EXPECT(door, "POST " L "/a/versions", "", body, (more == 0) ? 201 : 400);
        }
    }
}

static void test_refusals_of_the_driver_have_lambdas_names(void **state)
{
    static const struct {
        int refusal;
        int status;
        const char *name;
    } all[] = {{FUNCTION_TOO_LARGE, 413, "RequestTooLargeException"},
               {FUNCTION_BUSY, 429, "TooManyRequestsException"},
               {FUNCTION_TOO_MANY, 400, "CodeStorageExceededException"},
               {FUNCTION_FULL, 429, "TooManyRequestsException"},
               {-1, 500, "ServiceException"}};
    struct door *door = *state;

    (void)fake_add_layer("a", "{}");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fake_layers.refusal = all[i].refusal;
        EXPECT(door, "POST " L "/a/versions", "", "{" CONTENT "}", all[i].status, all[i].name);
        EXPECT(door, "DELETE " L "/a/versions/1", "", NULL, all[i].status, all[i].name);
    }
}

static void test_what_is_not_there_is_not_found(void **state)
{
    static const char *const paths[] = {
        "/a/versions/2",
        "/a/versions/0",
        "/a/versions/99999999999",
        "/b/versions/1",
        "/a/versions/2/policy",
        "/arn:aws:lambda:us-east-1:999999999999:layer:a/versions/1",
        "/arn:aws:lambda:eu-west-1:123456789012:layer:a/versions/1",
        "?find=LayerVersion&Arn=" ARN "a:2",
        "?find=LayerVersion&Arn=arn:aws:lambda:us-east-1:999999999999:layer:a:1"};
    struct door *door = *state;
    char line[160];

    (void)fake_add_layer("a", "{}");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        (void)snprintf(line, sizeof line, "GET " L "%s", paths[i]);
        EXPECT(door, line, "", NULL, 404, "ResourceNotFoundException");
    }
    EXPECT(door, "GET " L "/a/versions/x", "", NULL, 400, "'versionNumber'");
    EXPECT(door, "GET " L "?find=LayerVersion&Arn=" ARN "a", "", NULL, 400, "'arn'");
    EXPECT(door, "GET " L "?find=LayerVersion&Arn=" ARN "a:", "", NULL, 400, "'arn'");
    EXPECT(door, "GET " L "?find=LayerVersion", "", NULL, 400, "'arn'");
}

static void test_deleting_is_always_done(void **state)
{
    struct door *door = *state;

    (void)fake_add_layer("a", "{}");
    EXPECT(door, "DELETE " L "/a/versions/1", "", NULL, 204);
    EXPECT(door, "GET " L "/a/versions/1", "", NULL, 404);
    EXPECT(door, "DELETE " L "/a/versions/1", "", NULL, 204);
    EXPECT(door, "DELETE " L "/nothing/versions/1", "", NULL, 204);
    EXPECT(door, "DELETE " L "/a%20b/versions/x", "", NULL, 204);
}

/* --- lists ---------------------------------------------------------------------------------- */

static void test_lists_are_newest_first_and_in_pages(void **state)
{
    struct door *door = *state;
    struct reply reply;

    for (int i = 0; i < 60; i++) {
        (void)fake_add_layer("a", "{}");
    }
    (void)fake_add_layer("b", "{}");
    EXPECT(door, "GET " L "/a/versions", "", NULL, 200, "\"LayerVersions\":[{", ":a:60\"",
           ":a:11\"", "\"NextMarker\":\"11\"");
    door_ask(door, "GET " L "/a/versions?Marker=11", "", NULL, &reply);
    assert_non_null(strstr((const char *)reply.body.data, ":a:10\""));
    assert_non_null(strstr((const char *)reply.body.data, ":a:1\""));
    assert_null(strstr((const char *)reply.body.data, "NextMarker"));
    EXPECT(door, "GET " L "?MaxItems=1", "", NULL, 200,
           "\"Layers\":[{\"LayerName\":\"a\",\"LayerArn\":\"" ARN "a\"",
           "\"LatestMatchingVersion\":{\"LayerVersionArn\":\"" ARN "a:60\"",
           "\"NextMarker\":\"a\"");
    EXPECT(door, "GET " L "?MaxItems=1&Marker=a", "", NULL, 200, "\"LayerName\":\"b\"");
    EXPECT(door, "GET " L "/nothing/versions", "", NULL, 200, "{\"LayerVersions\":[]}");
    EXPECT(door, "GET " L "?MaxItems=51", "", NULL, 400, "MaxItems");
    EXPECT(door, "GET " L "?Marker=a%20b", "", NULL, 400, "Marker");
    EXPECT(door, "GET " L "/a/versions?Marker=x", "", NULL, 400, "Marker");
}

static void test_filters_take_what_says_so(void **state)
{
    struct door *door = *state;

    (void)fake_add_layer("a", "{\"CompatibleRuntimes\":[\"python3.11\",\"nodejs22.x\"]}");
    (void)fake_add_layer("a", "{\"CompatibleArchitectures\":[\"arm64\"],\"CompatibleRuntimes\":["
                              "\"nodejs22.x\"]}");
    (void)fake_add_layer("a", "{\"Description\":\"python3.11\"}");
    EXPECT(door, "GET " L "?CompatibleRuntime=python3.11", "", NULL, 200,
           "\"LatestMatchingVersion\":{\"LayerVersionArn\":\"" ARN "a:1\"");
    EXPECT(door, "GET " L "?CompatibleRuntime=nodejs22.x&CompatibleArchitecture=arm64", "", NULL,
           200, "\"LatestMatchingVersion\":{\"LayerVersionArn\":\"" ARN "a:2\"");
    EXPECT(door, "GET " L "?CompatibleArchitecture=x86_64", "", NULL, 200, "{\"Layers\":[]}");
    EXPECT(door, "GET " L "/a/versions?CompatibleRuntime=nodejs22.x&MaxItems=1", "", NULL, 200,
           "\"LayerVersions\":[{\"LayerVersionArn\":\"" ARN "a:2\"", "\"NextMarker\":\"2\"");
    EXPECT(door, "GET " L "?CompatibleRuntime=No", "", NULL, 400, "'compatibleRuntime'");
    EXPECT(door, "GET " L "?CompatibleArchitecture=mips", "", NULL, 400,
           "'compatibleArchitecture'");
}

/* --- policies ------------------------------------------------------------------------------- */

#define PERMISSION(more)                                                                           \
    "{\"StatementId\":\"s\",\"Action\":\"lambda:GetLayerVersion\",\"Principal\":\"*\"" more "}"

static void test_statements_are_added_shown_and_removed(void **state)
{
    struct door *door = *state;
    const char *policy = L "/a/versions/1/policy";
    char line[100];

    (void)fake_add_layer("a", "{}");
    (void)snprintf(line, sizeof line, "POST %s", policy);
    EXPECT(door, line, "", PERMISSION(",\"OrganizationId\":\"o-1234567890\""), 201,
           "\\\"Sid\\\":\\\"s\\\"", "\\\"Resource\\\":\\\"" ARN "a:1\\\"",
           "\\\"aws:PrincipalOrgID\\\":\\\"o-1234567890\\\"", "\"RevisionId\":\"");
    EXPECT(door, line, "", PERMISSION(""), 409, "ResourceConflictException");
    EXPECT(door, "POST " L "/a/versions/1/policy?RevisionId=other", "",
           "{\"StatementId\":\"t\",\"Action\":\"lambda:GetLayerVersion\",\"Principal\":"
           "\"123456789012\"}",
           412, "PreconditionFailedException");
    EXPECT(door, "GET " L "/a/versions/1/policy", "", NULL, 200, "\"Policy\":\"{",
           "\\\"Action\\\":\\\"lambda:GetLayerVersion\\\"");
    EXPECT(door, "DELETE " L "/a/versions/1/policy/other", "", NULL, 404,
           "ResourceNotFoundException");
    EXPECT(door, "DELETE " L "/a/versions/1/policy/s?RevisionId=other", "", NULL, 412,
           "PreconditionFailedException");
    EXPECT(door, "DELETE " L "/a/versions/1/policy/s", "", NULL, 204);
    EXPECT(door, "GET " L "/a/versions/1/policy", "", NULL, 404, "No policy");
}

static void test_statements_that_lambda_would_not_take_are_refused(void **state)
{
    static const struct {
        const char *body;
        const char *words;
    } all[] = {
        {"{}", "'statementId'"},
        {"{\"StatementId\":\"s\",\"Action\":\"lambda:GetLayerVersion\"}", "'principal'"},
        {"{\"StatementId\":\"s\",\"Action\":\"lambda:InvokeFunction\",\"Principal\":\"*\"}",
         "'action'"},
        {"{\"StatementId\":\"s.t\",\"Action\":\"lambda:GetLayerVersion\",\"Principal\":\"*\"}",
         "'statementId'"},
        {"{\"StatementId\":\"s\",\"Action\":\"lambda:GetLayerVersion\",\"Principal\":"
         "\"s3.amazonaws.com\"}",
         "'principal'"},
        {"{\"StatementId\":\"s\",\"Action\":\"lambda:GetLayerVersion\",\"Principal\":"
         "\"arn:aws:iam::123456789012:user/x\"}",
         "'principal'"},
        {PERMISSION(",\"OrganizationId\":\"o-1\""), "'principalOrgID'"},
    };
    struct door *door = *state;

    (void)fake_add_layer("a", "{}");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        EXPECT(door, "POST " L "/a/versions/1/policy", "", all[i].body, 400,
               "InvalidParameterValueException", all[i].words);
    }
    EXPECT(door, "POST " L "/a/versions/1/policy", "",
           "{\"StatementId\":\"s\",\"Action\":\"lambda:GetLayerVersion\",\"Principal\":"
           "\"arn:aws:iam::123456789012:root\"}",
           201);
    fake_layers.refusal = FUNCTION_BUSY;
    EXPECT(door, "DELETE " L "/a/versions/1/policy/s", "", NULL, 409, "ResourceConflictException");
}

/* --- functions ------------------------------------------------------------------------------ */

static void test_a_function_has_layers_in_their_order(void **state)
{
    struct door *door = *state;

    (void)fake_add_layer("a", "{}");
    (void)fake_add_layer("b", "{}");
    EXPECT(door, "POST " F, "", FUNCTION("[\"" ARN "b:1\",\"" ARN "a:1\"]"), 201);
    assert_int_equal(fake.config.layer_count, 2);
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Layers\":[]}", 200);
    assert_int_equal(fake.config.layer_count, 0);
}

static void test_layers_of_a_function_are_shown_and_kept(void **state)
{
    static struct function_layer layers[] = {{ARN "a:1", "", 7}, {ARN "b:2", "", 8}};
    struct door *door = *state;
    struct function *function = fake_add_function("f", false);
    struct reply reply;

    EXPECT(door, "GET " F "/f/configuration", "", NULL, 200);
    door_ask(door, "GET " F "/f/configuration", "", NULL, &reply);
    assert_null(strstr((const char *)reply.body.data, "Layers"));
    function->latest->config.layers = layers;
    function->latest->config.layer_count = 2;
    EXPECT(door, "GET " F "/f", "", NULL, 200,
           "\"Layers\":[{\"Arn\":\"" ARN "a:1\",\"CodeSize\":7},{\"Arn\":\"" ARN
           "b:2\",\"CodeSize\":8}]");
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Timeout\":5}", 200);
    assert_int_equal(fake.config.layer_count, 2); /* none were given */
}

static void test_layers_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *layers;
        const char *words;
    } all[] = {
        {"[\"" ARN "a:3\"]", "Layer version " ARN "a:3 does not exist."},
        {"[\"arn:aws:lambda:us-east-1:999999999999:layer:a:1\"]", "does not exist"},
        {"[\"" ARN "a:1\",\"" ARN "a:2\"]",
         ARN "a:1 and " ARN "a:2 are versions of the same layer"},
        {"[\"" ARN "a:1\",\"" ARN "a:1\"]", "is listed twice"},
        {"[\"" ARN "a\"]", "'layers'"},
        {"[\"a:1\"]", "'layers'"},
        {"[1]", "'layers'"},
        {"\"" ARN "a:1\"", "Layers"},
        {"[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]", "Cannot reference more than 5 layers."},
    };
    struct door *door = *state;
    char body[800];

    (void)fake_add_layer("a", "{}");
    (void)fake_add_layer("a", "{}");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        (void)snprintf(body, sizeof body, FUNCTION("%s"), all[i].layers);
        EXPECT(door, "POST " F, "", body, 400, "InvalidParameterValueException", all[i].words);
    }
    assert_int_equal(fake.asks, 0);
}

static void test_what_is_too_large_together_is_the_callers_error(void **state)
{
    struct door *door = *state;

    fake.refusal = FUNCTION_LAYERS_TOO_LARGE;
    EXPECT(door, "POST " F, "", FUNCTION("[]"), 400, "InvalidParameterValueException",
           "Function code combined with layers exceeds the maximum allowed size of 262144000");
    fake.refusal = 0;
    fake.change_error = FUNCTION_BLAMES_LAYERS " exceeds";
    EXPECT(door, "POST " F, "", FUNCTION("[]"), 400, "InvalidParameterValueException",
           "\"Function code combined with layers exceeds\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_version_is_published_and_shown),
        TEST(test_what_cannot_be_published_is_refused),
        TEST(test_a_text_may_be_as_long_as_lambda_says),
        TEST(test_refusals_of_the_driver_have_lambdas_names),
        TEST(test_what_is_not_there_is_not_found),
        TEST(test_deleting_is_always_done),
        TEST(test_lists_are_newest_first_and_in_pages),
        TEST(test_filters_take_what_says_so),
        TEST(test_statements_are_added_shown_and_removed),
        TEST(test_statements_that_lambda_would_not_take_are_refused),
        TEST(test_a_function_has_layers_in_their_order),
        TEST(test_layers_of_a_function_are_shown_and_kept),
        TEST(test_layers_that_cannot_be_are_refused),
        TEST(test_what_is_too_large_together_is_the_callers_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
