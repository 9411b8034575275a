/* The control plane of functions: what CreateFunction takes and refuses, and what is
 * shown. */
#include "tests/invoke/door.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, door_set_up, door_tear_down)
#define F "/2015-03-31/functions"
#define CREATE "POST " F
#define WITH(more)                                                                                 \
    "{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"provided.al2023\",\"Handler\":"          \
    "\"bootstrap\",\"Code\":{\"ZipFile\":\"UEsF\"}" more "}"

static void test_the_least_that_creates_a_function(void **state)
{
    struct door *door = *state;

    EXPECT(door, CREATE, "", WITH(""), 201, "\"FunctionName\":\"f\"",
           "\"FunctionArn\":\"arn:aws:lambda:us-east-1:123456789012:function:f\"",
           "\"State\":\"Active\"", "\"LastUpdateStatus\":\"Successful\"", "\"CodeSize\":123",
           "\"CodeSha256\":\"ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=\"",
           "\"LastModified\":\"2026-11-23T08:33:41.977+0000\"", "\"Version\":\"$LATEST\"");
    assert_string_equal(fake.asked,
                        "create name=f timeout=3 memory=128 tmp=512 concurrency=1 env=0 "
                        "durable=0/0/0 tenant=0 raw={}");
    assert_int_equal(fake.archive_bytes, 3);
    EXPECT(door, CREATE "/", "", WITH(""), 201); /* older clients end the path with a '/' */
}

static void test_every_member_is_read(void **state)
{
    struct door *door = *state;

    EXPECT(door, CREATE, "",
           WITH(",\"Timeout\":30,\"MemorySize\":256,\"Description\":\"d\",\"EphemeralStorage\":"
                "{\"Size\":1024},\"Environment\":{\"Variables\":{\"A\":\"1\",\"B_2\":\"\"}},"
                "\"DurableConfig\":{\"ExecutionTimeout\":600,\"RetentionPeriodInDays\":7},"
                "\"TenancyConfig\":{\"TenantIsolationMode\":\"PER_TENANT\"},"
                "\"CapacityProviderConfig\":{\"LambdaManagedInstancesCapacityProviderConfig\":"
                "{\"PerExecutionEnvironmentMaxConcurrency\":16}},\"TracingConfig\":{\"Mode\":"
                "\"Active\"},\"Tags\":{\"k\":\"v\"},\"Architectures\":null,\"Unknown\":1,"
                "\"Layers\":[],\"Publish\":false,\"PackageType\":\"Zip\""),
           201);
    expect_asked("timeout=30 memory=256 tmp=1024 concurrency=16 env=2 durable=1/600/7 tenant=1");
    expect_asked("\"TracingConfig\":{\"Mode\":\"Active\"}");
    expect_asked("\"Tags\":{\"k\":\"v\"}");
    assert_null(strstr(fake.asked, "Unknown"));
    assert_null(strstr(fake.asked, "Architectures"));
}

static void test_durable_numbers_have_defaults(void **state)
{
    struct door *door = *state;

    EXPECT(door, CREATE, "", WITH(",\"DurableConfig\":{}"), 201);
    expect_asked("durable=1/86400/14");
}

struct refused {
    const char *body;
    const char *words;
};

static void test_wrong_members_are_refused_with_lambdas_words(void **state)
{
    static const struct refused all[] = {
        {WITH(",\"Timeout\":0"), "Value '0' at 'timeout' failed to satisfy constraint: Member must "
                                 "have value greater than or equal to 1"},
        {WITH(",\"Timeout\":901"), "less than or equal to 900"},
        {WITH(",\"Timeout\":3.0"), "Timeout must be a whole number"},
        {WITH(",\"Timeout\":\"3\""), "Timeout must be a whole number"},
        {WITH(",\"MemorySize\":127"), "'memorySize'"},
        {WITH(",\"MemorySize\":10241"), "'memorySize'"},
        {WITH(",\"EphemeralStorage\":{\"Size\":511}"), "'size'"},
        {WITH(",\"DurableConfig\":{\"ExecutionTimeout\":31622401}"), "'executionTimeout'"},
        {WITH(",\"DurableConfig\":{\"RetentionPeriodInDays\":91}"), "'retentionPeriodInDays'"},
        {WITH(",\"DurableConfig\":7"), "DurableConfig must be an object"},
        {WITH(",\"TenancyConfig\":{\"TenantIsolationMode\":\"SHARED\"}"), "PER_TENANT"},
        {WITH(",\"CapacityProviderConfig\":{\"LambdaManagedInstancesCapacityProviderConfig\":"
              "{\"PerExecutionEnvironmentMaxConcurrency\":1025}}"),
         "'perExecutionEnvironmentMaxConcurrency'"},
        {WITH(",\"Environment\":{\"Variables\":{\"AWS_REGION\":\"x\"}}"),
         "Reserved keys used in this request: AWS_REGION"},
        {WITH(",\"Environment\":{\"Variables\":{\"PAWL_FD\":\"3\"}}"), "PAWL_FD"},
        {WITH(",\"Environment\":{\"Variables\":{\"A=B\":\"x\"}}"), "environment.variables"},
        {WITH(",\"Environment\":{\"Variables\":{\"\":\"x\"}}"), "environment.variables"},
        {WITH(",\"Environment\":{\"Variables\":{\"A\":\"\\u0000\"}}"), "zero bytes"},
        {WITH(",\"Environment\":{\"Variables\":{\"A\":1}}"), "must be a string"},
        {WITH(",\"Layers\":[\"arn\"]"), "'layers'"},
        {WITH(",\"FileSystemConfigs\":[{}]"), "FileSystemConfigs are not offered"},
        {WITH(",\"PackageType\":\"Image\""), "Container images are not offered"},
        {WITH(",\"Publish\":1"), "Publish"},
        {WITH(",\"PublishTo\":\"LATEST_PUBLISHED\""), "PublishTo"},
        {WITH(",\"Architectures\":[\"sparc\"]"), "Architectures must be"},
        {WITH(",\"Handler2\":1,\"Timeout\":1,\"Timeout\":2"), "duplicate"},
        {"{\"FunctionName\":\"f\"}", "'role'"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\"}", "Runtime and Handler are mandatory"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"no runtime\",\"Handler\":\"h\"}",
         "'runtime'"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"x\",\"Handler\":\"h h\"}",
         "'handler'"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"x\",\"Handler\":\"h\",\"Code\":{"
         "\"S3Bucket\":\"b\"}}",
         "S3Bucket: archives from S3 and container images are not offered"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"x\",\"Handler\":\"h\",\"Code\":{"
         "\"ImageUri\":\"u\"}}",
         "ImageUri"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"x\",\"Handler\":\"h\"}",
         "provide a source"},
        {"{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"x\",\"Handler\":\"h\",\"Code\":{"
         "\"ZipFile\":\"!!!!\"}}",
         "not base64"},
        {"{\"Role\":\"r\"}", "'functionName'"},
        {"{\"FunctionName\":\"a b\"}", "'functionName'"},
        {"{\"FunctionName\":\"f:1\"}", "without a qualifier"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        EXPECT(door, CREATE, "", all[i].body, 400, "Exception", all[i].words);
    }
    assert_int_equal(fake.asks, 0);
}

static void test_variables_have_four_kilobytes(void **state)
{
    struct door *door = *state;
    char value[4100];
    char body[8192];

    for (int over = 0; over < 2; over++) {
        memset(value, 'x', sizeof value);
        value[4095 + over] = '\0'; /* with its name of one character: 4,096 */
        (void)snprintf(body, sizeof body, WITH(",\"Environment\":{\"Variables\":{\"A\":\"%s\"}}"),
                       value);
        EXPECT(door, CREATE, "", body, over ? 400 : 201, over ? "4KB limit" : "FunctionName");
    }
}

static void test_refusals_of_the_registry_have_their_names(void **state)
{
    static const struct {
        int refusal;
        int status;
        const char *name;
    } all[] = {
        {FUNCTION_EXISTS, 409, "ResourceConflictException"},
        {FUNCTION_BUSY, 409, "ResourceConflictException"},
        {FUNCTION_TOO_LARGE, 413, "RequestTooLargeException"},
        {FUNCTION_NOT_FOUND, 404, "ResourceNotFoundException"},
        {FUNCTION_FULL, 429, "TooManyRequestsException"},
        {-1, 500, "ServiceException"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fake.refusal = all[i].refusal;
        EXPECT(door, CREATE, "", WITH(""), all[i].status, all[i].name);
    }
    fake.refusal = 0;
    fake.change_error = "the code cache is full";
    EXPECT(door, CREATE, "", WITH(""), 500, "cannot be taken in now: the code cache is full");
    fake.change_error = "the archive has no bootstrap";
    EXPECT(door, CREATE, "", WITH(""), 400,
           "Could not unzip uploaded file: the archive has no bootstrap");
}

static void test_functions_are_shown_by_name_and_arn(void **state)
{
    struct door *door = *state;

    fake_add_function("f", true);
    EXPECT(door, "GET " F "/f", "", NULL, 200, "{\"Configuration\":{\"FunctionName\":\"f\"",
           "\"DurableConfig\":{\"ExecutionTimeout\":60,\"RetentionPeriodInDays\":7}",
           "\"Environment\":{\"Variables\":{\"A\":\"1\",\"B\":\"x=y\"}}", "\"Code\":{");
    EXPECT(door, "GET " F "/f/configuration?Qualifier=%24LATEST", "", NULL, 200,
           "{\"FunctionName\":\"f\"", "function:f:$LATEST\"");
    EXPECT(door, "GET " F "/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af", "", NULL,
           200);
    EXPECT(door, "GET " F "/123456789012%3Afunction%3Af", "", NULL, 200);
    EXPECT(door, "GET " F "/arn%3Aaws%3Alambda%3Aus-east-1%3A210987654321%3Afunction%3Af", "", NULL,
           404, "function:f\"");
    EXPECT(door, "GET " F "/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af", "", NULL,
           404);
    EXPECT(door, "GET " F "/f%3A7", "", NULL, 404, "function:f:7");
    EXPECT(door, "GET " F "/f%3A7?Qualifier=8", "", NULL, 400, "derived qualifier");
    EXPECT(door, "GET " F "/f%2F..%2Fx", "", NULL, 400, "functionName");
}

static void test_kept_members_are_shown_again(void **state)
{
    struct door *door = *state;
    struct function *function = fake_add_function("f", false);

    function->latest->config.raw =
        bytes_of_text("{\"TracingConfig\":{\"Mode\":\"Active\"},\"Tags\":{\"k\":\"v\"},"
                      "\"SnapStart\":{\"ApplyOn\":\"PublishedVersions\"}}");
    EXPECT(door, "GET " F "/f", "", NULL, 200, "\"TracingConfig\":{\"Mode\":\"Active\"}",
           "},\"Tags\":{\"k\":\"v\"}}",
           "\"SnapStart\":{\"ApplyOn\":\"PublishedVersions\",\"OptimizationStatus\":\"Off\"}");
}

static void test_lists_have_pages(void **state)
{
    struct door *door = *state;
    struct reply reply;
    char name[16];

    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "f%02d", i);
        fake_add_function(name, false);
    }
    EXPECT(door, "GET " F "?MaxItems=2", "", NULL, 200, "\"f00\"", "\"f01\"",
           "\"NextMarker\":\"f01\"");
    EXPECT(door, "GET " F "?MaxItems=10000", "", NULL, 200, "\"NextMarker\":\"f49\"");
    door_ask(door, "GET " F "?Marker=f49", "", NULL, &reply);
    assert_non_null(strstr((const char *)reply.body.data, "\"FunctionName\":\"f50\""));
    assert_null(strstr((const char *)reply.body.data, "NextMarker"));
    EXPECT(door, "GET " F "?Marker=a%2Fb", "", NULL, 400, "Marker");
}

static void test_updates_change_what_is_given(void **state)
{
    struct door *door = *state;
    struct function *function = fake_add_function("f", true);

    function->latest->config.raw = bytes_of_text("{\"Tags\":{\"k\":\"v\"}}");
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Timeout\":9}", 200, "FunctionName");
    expect_asked("update name=f timeout=9 memory=128 tmp=512 concurrency=1 env=2 durable=1/60/7");
    expect_asked("\"Tags\":{\"k\":\"v\"}");
    EXPECT(door, "PUT " F "/f/configuration", "",
           "{\"DurableConfig\":{\"RetentionPeriodInDays\":3}}", 200);
    expect_asked("durable=1/60/3");
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Environment\":{\"Variables\":{}}}", 200);
    expect_asked("env=0");
    EXPECT(door, "PUT " F "/f/code", "", "{\"ZipFile\":\"UEsF\"}", 200, "FunctionName");
    assert_int_equal(fake.archive_bytes, 3);
    assert_false(fake.had_config);
}

static void test_updates_that_cannot_be_are_refused(void **state)
{
    struct door *door = *state;

    fake_add_function("f", false);
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"DurableConfig\":{}}", 400,
           "cannot enable it on existing functions");
    EXPECT(door, "PUT " F "/f/configuration", "",
           "{\"TenancyConfig\":{\"TenantIsolationMode\":\"PER_TENANT\"}}", 400, "TenancyConfig");
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"RevisionId\":\"x\"}", 412,
           "PreconditionFailedException");
    EXPECT(door, "PUT " F "/f/code", "", "{\"ZipFile\":\"UEsF\",\"Architectures\":[\"mips\"]}", 400,
           "Architectures");
    EXPECT(door, "PUT " F "/f/code", "", "{\"S3Bucket\":\"b\",\"S3Key\":\"k\"}", 400, "ZipFile",
           "pawl deploy");
    EXPECT(door, "PUT " F "/f/code", "", "{\"RevisionId\":\"x\",\"ZipFile\":\"UEsF\"}", 412,
           "PreconditionFailedException");
    EXPECT(door, "PUT " F "/g/code", "", "{\"ZipFile\":\"UEsF\"}", 404, "not found");
    assert_int_equal(fake.asks, 0);
}

/* What it would be is shown; nothing is changed. */
static void test_a_dry_run_shows_the_new_code(void **state)
{
    struct door *door = *state;

    fake_add_function("f", false);
    EXPECT(door, "PUT " F "/f/code", "", "{\"ZipFile\":\"UEsF\",\"DryRun\":true}", 200,
           "\"CodeSize\":3", "\"CodeSha256\":\"euI1XbQb7JgBxqQrdFcuuBVttvfMK9QqsDxyxdfwxus=\"");
    assert_int_equal(fake.asks, 0);
}

static void test_deleting_is_204(void **state)
{
    struct door *door = *state;

    fake_add_function("f", false);
    EXPECT(door, "DELETE " F "/f?Qualifier=%24LATEST", "", NULL, 400, "cannot be deleted");
    EXPECT(door, "DELETE " F "/f", "", NULL, 204, "x-amzn-requestid");
    expect_asked("delete name=f");
    EXPECT(door, "DELETE " F "/g", "", NULL, 404, "not found");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_the_least_that_creates_a_function),
        TEST(test_every_member_is_read),
        TEST(test_durable_numbers_have_defaults),
        TEST(test_wrong_members_are_refused_with_lambdas_words),
        TEST(test_variables_have_four_kilobytes),
        TEST(test_refusals_of_the_registry_have_their_names),
        TEST(test_functions_are_shown_by_name_and_arn),
        TEST(test_kept_members_are_shown_again),
        TEST(test_lists_have_pages),
        TEST(test_updates_change_what_is_given),
        TEST(test_updates_that_cannot_be_are_refused),
        TEST(test_a_dry_run_shows_the_new_code),
        TEST(test_deleting_is_204),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
