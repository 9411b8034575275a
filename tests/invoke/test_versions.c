/* Versions and aliases: publishing, naming, listing, deleting. */
#include "tests/invoke/door.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, door_set_up, door_tear_down)
#define F "/2015-03-31/functions"
#define ARN "arn:aws:lambda:us-east-1:123456789012:function:f"
#define HASH "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8="
#define ID "00000000-0000-0000-0000-000000000000"

static struct function *add_versions(int count)
{
    struct function *function = fake_add_function("f", false);

    for (int i = 0; i < count; i++) {
        (void)fake_add_version(function);
    }
    return function;
}

static void add_alias(const struct function *function, const char *name, uint32_t version,
                      uint32_t other, double weight)
{
    const struct alias alias = {
        .name = bytes_of_text(name), .version = version, .other = other, .weight = weight};

    fake_add_alias(function, &alias);
}

static void expect_not(struct door *door, const char *line, const char *text)
{
    struct reply reply;

    door_ask(door, line, "", NULL, &reply);
    assert_null(strstr((const char *)reply.body.data, text));
}

/* --- publishing -------------------------------------------------------------------------- */

static void test_a_version_is_published(void **state)
{
    struct door *door = *state;

    fake_add_function("f", false);
    EXPECT(door, "POST " F "/f/versions", "", "{\"Description\":\"d\"}", 201,
           "\"FunctionArn\":\"" ARN ":1\"", "\"Version\":\"1\"", "\"State\":\"Active\"");
    expect_asked("publish name=f description=d");
    EXPECT(door, "POST " F "/f%3A%24LATEST/versions/", "",
           "{\"CodeSha256\":\"" HASH "\",\"RevisionId\":\"" ID "\",\"Unknown\":[]}", 201,
           "\"Version\":\"2\"");
}

static void test_conditions_of_publishing_must_hold(void **state)
{
    struct door *door = *state;

    (void)add_versions(1);
    EXPECT(door, "POST " F "/f/versions", "", "{\"CodeSha256\":\"x\"}", 400,
           "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (" HASH ")");
    EXPECT(door, "POST " F "/f/versions", "", "{\"RevisionId\":\"x\"}", 412,
           "PreconditionFailedException");
    EXPECT(door, "POST " F "/f/versions", "", "{\"PublishTo\":\"LATEST_PUBLISHED\"}", 400,
           "PublishTo");
    EXPECT(door, "POST " F "/f/versions", "", "{\"Description\":7}", 400, "Description");
    EXPECT(door, "POST " F "/f%3A1/versions", "", "{}", 400, "Only $LATEST");
    EXPECT(door, "POST " F "/g/versions", "", "{}", 404, "ResourceNotFoundException");
    assert_int_equal(fake.asks, 0);
}

static void test_nothing_new_is_the_last_version(void **state)
{
    struct door *door = *state;

    (void)add_versions(2);
    fake.refusal = FUNCTION_UNCHANGED;
    EXPECT(door, "POST " F "/f/versions", "", "{}", 201, "\"Version\":\"2\"", ARN ":2\"");
    fake.refusal = FUNCTION_BUSY;
    EXPECT(door, "POST " F "/f/versions", "", "{}", 409, "ResourceConflictException",
           "An update is in progress");
    fake.refusal = FUNCTION_TOO_MANY;
    EXPECT(door, "POST " F "/f/versions", "", "{}", 400, "CodeStorageExceededException",
           "10000 versions");
}

static void test_new_code_may_be_published_at_once(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " F, "",
           "{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"provided.al2023\",\"Handler\":"
           "\"h\",\"Code\":{\"ZipFile\":\"UEsF\"},\"Publish\":true}",
           201, "\"FunctionArn\":\"" ARN "\"", "\"Version\":\"1\"");
    expect_asked("publish");
    EXPECT(door, "PUT " F "/f/code", "", "{\"ZipFile\":\"UEsF\",\"Publish\":true}", 200,
           "\"FunctionArn\":\"" ARN ":2\"", "\"Version\":\"2\"");
    expect_asked("publish");
    EXPECT(door, "PUT " F "/f/code", "", "{\"ZipFile\":\"UEsF\",\"Publish\":false}", 200,
           "\"Version\":\"$LATEST\"");
    EXPECT(door, "PUT " F "/f%3A1/code", "", "{\"ZipFile\":\"UEsF\"}", 400, "Only $LATEST");
    EXPECT(door, "PUT " F "/f/configuration?Qualifier=1", "", "{}", 400, "Only $LATEST");
}

/* --- reading ----------------------------------------------------------------------------- */

static void test_versions_are_shown_by_qualifier(void **state)
{
    struct door *door = *state;
    struct function *function = add_versions(2);

    fake.versions[0].config.timeout_s = 77;
    add_alias(function, "live", 1, 2, 1.0);
    EXPECT(door, "GET " F "/f?Qualifier=1", "", NULL, 200, "\"Version\":\"1\"", "\"Timeout\":77",
           "\"FunctionArn\":\"" ARN ":1\"");
    EXPECT(door, "GET " F "/f%3A2/configuration?Qualifier=2", "", NULL, 200, "\"Version\":\"2\"");
    EXPECT(door, "GET " F "/123456789012%3Afunction%3Af%3A1/configuration", "", NULL, 200,
           "\"Version\":\"1\"");
    EXPECT(door, "GET " F "/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3Alive",
           "", NULL, 200, "\"Version\":\"1\"", "\"FunctionArn\":\"" ARN ":live\"");
    EXPECT(door, "GET " F "/f?Qualifier=3", "", NULL, 404, "Function not found: " ARN ":3");
    EXPECT(door, "GET " F "/f?Qualifier=dead", "", NULL, 404, "Function not found: " ARN ":dead");
    EXPECT(door, "GET " F "/f%3Alive?Qualifier=1", "", NULL, 400, "derived qualifier");
}

static void test_versions_are_listed_in_pages(void **state)
{
    struct door *door = *state;

    (void)add_versions(60);
    EXPECT(door, "GET " F "/f/versions?MaxItems=2", "", NULL, 200, "{\"Versions\":[",
           "\"FunctionArn\":\"" ARN ":$LATEST\"", "\"FunctionArn\":\"" ARN ":1\"",
           "\"NextMarker\":\"1\"");
    EXPECT(door, "GET " F "/f/versions?MaxItems=1", "", NULL, 200, "\"NextMarker\":\"$LATEST\"");
    EXPECT(door, "GET " F "/f/versions?MaxItems=1&Marker=%24LATEST", "", NULL, 200,
           "\"Version\":\"1\"", "\"NextMarker\":\"1\"");
    EXPECT(door, "GET " F "/f/versions", "", NULL, 200, "\"NextMarker\":\"49\"");
    EXPECT(door, "GET " F "/f/versions?Marker=49", "", NULL, 200, "\"Version\":\"50\"",
           "\"Version\":\"60\"");
    expect_not(door, "GET " F "/f/versions?Marker=49", "NextMarker");
    EXPECT(door, "GET " F "/f/versions?Marker=60", "", NULL, 200, "{\"Versions\":[]}");
    EXPECT(door, "GET " F "/f/versions?Marker=x", "", NULL, 400, "Marker");
    EXPECT(door, "GET " F "/g/versions", "", NULL, 404, "not found");
}

static void test_all_versions_of_all_functions_are_listed(void **state)
{
    struct door *door = *state;

    (void)add_versions(2);
    fake_add_function("g", false);
    (void)fake_add_version(fake_add_function("h", false));
    EXPECT(door, "GET " F "?FunctionVersion=ALL", "", NULL, 200, ARN ":$LATEST\"", ARN ":1\"",
           ARN ":2\"", "function:g:$LATEST\"", "function:h:$LATEST\"", "function:h:1\"");
    EXPECT(door, "GET " F "?FunctionVersion=ALL&MaxItems=2", "", NULL, 200,
           "\"NextMarker\":\"f:1\"");
    EXPECT(door, "GET " F "?FunctionVersion=ALL&MaxItems=2&Marker=f%3A1", "", NULL, 200, ARN ":2\"",
           "function:g:$LATEST\"", "\"NextMarker\":\"g\"");
    EXPECT(door, "GET " F "?FunctionVersion=ALL&Marker=g", "", NULL, 200, "function:h:1\"");
    expect_not(door, "GET " F "?FunctionVersion=ALL&Marker=g", "function:g");
    expect_not(door, "GET " F, "function:f:");
    EXPECT(door, "GET " F "?FunctionVersion=1", "", NULL, 400, "functionVersion");
}

static void test_executions_are_listed_by_version(void **state)
{
    static const char list[] = "/2025-12-01/functions/f";
    struct door *door = *state;
    struct function *function = add_versions(2);
    char line[128];

    add_alias(function, "live", 2, 1, 0.5);
    (void)snprintf(line, sizeof line, "GET %s/durable-executions", list);
    EXPECT(door, line, "", NULL, 200);
    expect_asked("function=f version=$LATEST statuses");
    (void)snprintf(line, sizeof line, "GET %s%%3A1/durable-executions", list);
    EXPECT(door, line, "", NULL, 200);
    expect_asked("function=f version=1 statuses");
    (void)snprintf(line, sizeof line, "GET %s/durable-executions?Qualifier=live", list);
    EXPECT(door, line, "", NULL, 200);
    expect_asked("function=f version=2 other=1 statuses");
}

/* --- deleting ---------------------------------------------------------------------------- */

static void test_a_version_is_deleted_alone(void **state)
{
    struct door *door = *state;

    (void)add_versions(2);
    EXPECT(door, "DELETE " F "/f?Qualifier=1", "", NULL, 204);
    expect_asked("delete version name=1");
    EXPECT(door, "GET " F "/f?Qualifier=1", "", NULL, 404);
    EXPECT(door, "GET " F "/f?Qualifier=2", "", NULL, 200);
    fake.asks = 0;
    EXPECT(door, "DELETE " F "/f%3A1", "", NULL, 204); /* it is */
    EXPECT(door, "DELETE " F "/f%3Aalias", "", NULL, 400, "Deletion of aliases");
    EXPECT(door, "DELETE " F "/f%3A%24LATEST", "", NULL, 400, "cannot be deleted");
    EXPECT(door, "DELETE " F "/g%3A1", "", NULL, 404, "not found");
    assert_int_equal(fake.asks, 0);
}

static void test_a_version_that_is_named_stays(void **state)
{
    struct door *door = *state;
    struct function *function = add_versions(2);

    add_alias(function, "a", 1, 0, 0);
    add_alias(function, "b", 2, 1, 0.5);
    add_alias(function, "c", 2, 0, 0);
    fake.refusal = FUNCTION_IN_USE;
    EXPECT(door, "DELETE " F "/f?Qualifier=1", "", NULL, 409, "ResourceConflictException",
           "aliases reference it: [a, b]");
}

/* --- aliases ----------------------------------------------------------------------------- */

static void test_an_alias_is_made_and_shown(void **state)
{
    struct door *door = *state;

    (void)add_versions(2);
    EXPECT(door, "POST " F "/f/aliases", "",
           "{\"Name\":\"live\",\"FunctionVersion\":\"1\",\"Description\":\"d\",\"RoutingConfig\":"
           "{\"AdditionalVersionWeights\":{\"2\":0.1}}}",
           201, "\"AliasArn\":\"" ARN ":live\"", "\"Name\":\"live\"", "\"FunctionVersion\":\"1\"",
           "\"Description\":\"d\"", "\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"2\":0.1}}",
           "\"RevisionId\":\"");
    expect_asked("put alias name=live version=1 other=2 weight=0.1 description=d");
    EXPECT(door, "GET " F "/f/aliases/live", "", NULL, 200, "{\"AliasArn\":\"" ARN ":live\"");
    EXPECT(door, "POST " F "/f/aliases/", "", "{\"Name\":\"next\",\"FunctionVersion\":\"$LATEST\"}",
           201, "\"FunctionVersion\":\"$LATEST\",\"Description\":\"\",\"RevisionId\"");
    EXPECT(door, "POST " F "/f/aliases", "", "{\"Name\":\"live\",\"FunctionVersion\":\"2\"}", 409,
           "ResourceConflictException", "Alias already exists: " ARN ":live");
    EXPECT(door, "GET " F "/f/aliases/none", "", NULL, 404, "Cannot find alias arn: " ARN ":none");
}

static void test_an_alias_that_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *words;
    } all[] = {
        {"{\"FunctionVersion\":\"1\"}", 400, "'name'"},
        {"{\"Name\":\"7\",\"FunctionVersion\":\"1\"}", 400, "'name'"},
        {"{\"Name\":\"a.b\",\"FunctionVersion\":\"1\"}", 400, "'name'"},
        {"{\"Name\":\"a\"}", 400, "'functionVersion'"},
        {"{\"Name\":\"a\",\"FunctionVersion\":\"3\"}", 404, "Function not found: " ARN ":3"},
        {"{\"Name\":\"a\",\"FunctionVersion\":\"live\"}", 404, "Function not found"},
        {"{\"Name\":\"a\",\"FunctionVersion\":\"01\"}", 404, "Function not found"},
#define WEIGHTS(version, weights)                                                                  \
    "{\"Name\":\"a\",\"FunctionVersion\":\"" version "\",\"RoutingConfig\":{"                      \
    "\"AdditionalVersionWeights\":" weights "}}"
        {WEIGHTS("1", "{\"2\":1.5}"), 400, "less than or equal to 1.0"},
        {WEIGHTS("1", "{\"2\":-0.1}"), 400, "greater than or equal to 0.0"},
        {WEIGHTS("1", "{\"2\":\"x\"}"), 400, "Map value"},
        {WEIGHTS("1", "{\"b\":0.5}"), 400, "Map keys"},
        {WEIGHTS("1", "{\"3\":0.5}"), 404, "Function not found: " ARN ":3"},
        {WEIGHTS("1", "{\"1\":0.5}"), 400, "already included in routing"},
        {WEIGHTS("1", "{\"1\":0.5,\"2\":0.5}"), 400, "cannot be greater than 1"},
        {WEIGHTS("$LATEST", "{\"1\":0.5}"), 400, "$LATEST is not supported"},
        {WEIGHTS("1", "[]"), 400, "AdditionalVersionWeights"},
    };
    struct door *door = *state;

    (void)add_versions(2);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        EXPECT(door, "POST " F "/f/aliases", "", all[i].body, all[i].status, all[i].words);
    }
    EXPECT(door, "POST " F "/g/aliases", "", "{\"Name\":\"a\",\"FunctionVersion\":\"1\"}", 404);
    assert_int_equal(fake.asks, 0);
}

static void test_an_alias_is_moved(void **state)
{
    struct door *door = *state;
    struct function *function = add_versions(3);

    add_alias(function, "live", 1, 2, 0.25);
    EXPECT(door, "PUT " F "/f/aliases/live", "", "{\"Description\":\"d\"}", 200, "{\"2\":0.25}");
    expect_asked("version=1 other=2 weight=0.25 description=d");
    EXPECT(door, "PUT " F "/f/aliases/live", "", "{\"FunctionVersion\":\"2\"}", 400,
           "already included");
    EXPECT(door, "PUT " F "/f/aliases/live", "",
           "{\"FunctionVersion\":\"3\",\"RevisionId\":\"" ID "\"}", 200);
    expect_asked("version=3 other=2 weight=0.25 description=d");
    EXPECT(door, "PUT " F "/f/aliases/live", "", "{\"RoutingConfig\":{}}", 200);
    expect_asked("version=3 other=0 weight=0 description=d");
    EXPECT(door, "PUT " F "/f/aliases/live", "",
           "{\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"1\":1}}}", 200, "{\"1\":1}");
    EXPECT(door, "PUT " F "/f/aliases/live", "",
           "{\"RoutingConfig\":{\"AdditionalVersionWeights\":{}}}", 200);
    expect_asked("version=3 other=0 weight=0 description=d");
    EXPECT(door, "PUT " F "/f/aliases/live", "", "{\"RevisionId\":\"x\"}", 412,
           "PreconditionFailedException");
    EXPECT(door, "PUT " F "/f/aliases/none", "", "{}", 404, "Cannot find alias arn");
}

static void test_an_alias_is_deleted(void **state)
{
    struct door *door = *state;
    struct function *function = add_versions(1);

    add_alias(function, "live", 1, 0, 0);
    EXPECT(door, "DELETE " F "/f/aliases/live", "", NULL, 204);
    expect_asked("delete alias name=live");
    fake.asks = 0;
    EXPECT(door, "DELETE " F "/f/aliases/none", "", NULL, 204);
    EXPECT(door, "DELETE " F "/g/aliases/live", "", NULL, 404);
    assert_int_equal(fake.asks, 0);
}

static void test_refused_changes_of_an_alias_have_their_names(void **state)
{
    static const struct {
        int refusal;
        int status;
        const char *name;
    } all[] = {{FUNCTION_BUSY, 409, "ResourceConflictException"},
               {FUNCTION_TOO_MANY, 400, "AliasLimitExceededException"},
               {FUNCTION_FULL, 429, "TooManyRequestsException"},
               {FUNCTION_NOT_FOUND, 404, "ResourceNotFoundException"},
               {-1, 500, "ServiceException"}};
    static const char body[] = "{\"Name\":\"a\",\"FunctionVersion\":\"1\"}";
    struct door *door = *state;

    (void)add_versions(1);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fake.refusal = all[i].refusal;
        EXPECT(door, "POST " F "/f/aliases", "", body, all[i].status, all[i].name);
    }
    fake.refusal = 0;
    fake.alias_status = FUNCTION_NOT_FOUND;
    EXPECT(door, "POST " F "/f/aliases", "", body, 404, "ResourceNotFoundException");
}

static void test_aliases_are_listed_in_pages(void **state)
{
    struct door *door = *state;
    struct function *function = add_versions(2);
    char name[16];

    for (uint32_t i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "a%02u", i);
        add_alias(function, name, 1 + i % 2, 0, 0);
    }
    EXPECT(door, "GET " F "/f/aliases?MaxItems=2", "", NULL, 200, "{\"Aliases\":[", ARN ":a00\"",
           ARN ":a01\"", "\"NextMarker\":\"a01\"");
    EXPECT(door, "GET " F "/f/aliases", "", NULL, 200, "\"NextMarker\":\"a49\"");
    EXPECT(door, "GET " F "/f/aliases?Marker=a49", "", NULL, 200, ARN ":a50\"", ARN ":a59\"");
    expect_not(door, "GET " F "/f/aliases?Marker=a49", "NextMarker");
    EXPECT(door, "GET " F "/f/aliases?FunctionVersion=2&MaxItems=2", "", NULL, 200, ARN ":a01\"",
           ARN ":a03\"", "\"NextMarker\":\"a04\"");
    expect_not(door, "GET " F "/f/aliases?FunctionVersion=2&Marker=a04", ":a04");
    EXPECT(door, "GET " F "/f/aliases?FunctionVersion=%24LATEST", "", NULL, 200,
           "{\"Aliases\":[]}");
    EXPECT(door, "GET " F "/f/aliases?FunctionVersion=9", "", NULL, 404, ARN ":9");
    EXPECT(door, "GET " F "/f/aliases?Marker=a%2F", "", NULL, 400, "Marker");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_version_is_published),
        TEST(test_conditions_of_publishing_must_hold),
        TEST(test_nothing_new_is_the_last_version),
        TEST(test_new_code_may_be_published_at_once),
        TEST(test_versions_are_shown_by_qualifier),
        TEST(test_versions_are_listed_in_pages),
        TEST(test_all_versions_of_all_functions_are_listed),
        TEST(test_executions_are_listed_by_version),
        TEST(test_a_version_is_deleted_alone),
        TEST(test_a_version_that_is_named_stays),
        TEST(test_an_alias_is_made_and_shown),
        TEST(test_an_alias_that_cannot_be_is_refused),
        TEST(test_an_alias_is_moved),
        TEST(test_an_alias_is_deleted),
        TEST(test_refused_changes_of_an_alias_have_their_names),
        TEST(test_aliases_are_listed_in_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
