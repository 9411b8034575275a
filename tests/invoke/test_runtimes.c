/* The runtimes' routes, and what functions may name. */
#include "tests/invoke/door.h"

#include "engine/base/err.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, door_set_up, door_tear_down)
#define R "/pawl/v1/runtimes"
#define F "/2015-03-31/functions"
#define FUNCTION(runtime)                                                                          \
    "{\"FunctionName\":\"f\",\"Role\":\"r\",\"Runtime\":\"" runtime "\",\"Handler\":\"h\","        \
    "\"Code\":{\"ZipFile\":\"UEsF\"}}"

static char node_directory[] = "/srv/node";
static char python_directory[] = "/srv/python";

static void add_runtimes(void)
{
    fake.runtimes[0] = (struct runtime){.name = "nodejs22.x", .directory = node_directory};
    fake.runtimes[1] = (struct runtime){.name = "python3.11", .directory = python_directory};
    fake.runtime_count = 2;
}

static void test_one_is_added(void **state)
{
    struct door *door = *state;

    EXPECT(door, "PUT " R "/nodejs22.x", "", "{\"Directory\":\"/srv/node\"}", 200,
           "{\"Name\":\"nodejs22.x\",\"Directory\":\"/srv/node\"}");
    assert_string_equal(fake.asked, "runtime name=nodejs22.x directory=/srv/node");
}

static void test_names_and_directories_that_cannot_be_are_refused(void **state)
{
    struct door *door = *state;

    EXPECT(door, "PUT " R "/No", "", "{\"Directory\":\"/srv\"}", 400, "lower-case letters");
    EXPECT(door, "PUT " R "/provided.al2023", "", "{\"Directory\":\"/srv\"}", 400,
           "provided.al2023 is always there");
    EXPECT(door, "PUT " R "/x", "", "{\"Directory\":7}", 400, "Directory must be a string");
    fake.runtime_wrong = "is not nice";
    EXPECT(door, "PUT " R "/x", "", "{\"Directory\":\"/srv\"}", 400,
           "The Directory cannot be the runtime x: /srv is not nice.");
    EXPECT(door, "PUT " R "/x", "", "{}", 400, "The Directory cannot be the runtime x");
    assert_int_equal(fake.asks, 0);
}

struct refused {
    int code;
    int status;
    const char *words;
};

static void test_refusals_of_the_registry_have_sentences(void **state)
{
    static const struct refused all[] = {
        {RUNTIMES_NOT_FOUND, 404, "There is no runtime x."},
        {RUNTIMES_BUSY, 409, "Another change"},
        {RUNTIMES_TOO_MANY, 400, "remove one first"},
        {RUNTIMES_FULL, 429, "takes no new work"},
        {ERR_NOMEM, 500, "daemon's log"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fake.runtime_refusal = all[i].code;
        EXPECT(door, "DELETE " R "/x", "", NULL, all[i].status, all[i].words);
    }
    fake.runtime_refusal = 0;
    fake.runtime_status = ERR_CANCELED;
    EXPECT(door, "DELETE " R "/x", "", NULL, 500, "The daemon is ending");
}

static void test_they_are_listed_with_what_is_wrong_now(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET " R, "", NULL, 200, "{\"Runtimes\":[]}");
    add_runtimes();
    EXPECT(door, "GET " R, "", NULL, 200,
           "{\"Runtimes\":[{\"Name\":\"nodejs22.x\",\"Directory\":\"/srv/node\"},"
           "{\"Name\":\"python3.11\",\"Directory\":\"/srv/python\"}]}");
    fake.runtime_wrong = "is gone";
    EXPECT(door, "GET " R, "", NULL, 200, "\"Problem\":\"/srv/node is gone\"");
}

static void test_one_that_a_function_needs_stays(void **state)
{
    struct door *door = *state;
    struct function *function = fake_add_function("mine", false);

    add_runtimes();
    function->latest->config.runtime = "nodejs22.x";
    EXPECT(door, "DELETE " R "/nodejs22.x", "", NULL, 409, "The function mine needs the runtime");
    assert_int_equal(fake.asks, 0);
    EXPECT(door, "DELETE " R "/python3.11", "", NULL, 204);
    assert_string_equal(fake.asked, "runtime name=python3.11 directory=-");
}

static void test_an_older_revision_that_is_needed_counts(void **state)
{
    struct door *door = *state;
    struct function *function = fake_add_function("mine", false);
    struct function_revision old = {.config = {.runtime = "nodejs22.x"}};

    list_push_back(&function->revisions, &old.link);
    EXPECT(door, "DELETE " R "/nodejs22.x", "", NULL, 204);
    old.references = 1;
    EXPECT(door, "DELETE " R "/nodejs22.x", "", NULL, 409, "mine");
    list_remove(&old.link);
}

static void test_functions_have_runtimes_that_there_are(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " F, "", FUNCTION("provided.al2"), 201);
    EXPECT(door, "POST " F, "", FUNCTION("nodejs22.x"), 400, "InvalidParameterValueException",
           "Value 'nodejs22.x' at 'runtime'", "[provided.al2023, provided.al2]",
           "pawl runtime add nodejs22.x DIR");
    add_runtimes();
    EXPECT(door, "POST " F, "", FUNCTION("nodejs22.x"), 201);
    EXPECT(door, "POST " F, "", FUNCTION("ruby3.3"), 400,
           "[provided.al2023, provided.al2, nodejs22.x, python3.11]");
}

static void test_an_update_names_one_that_there_is(void **state)
{
    struct door *door = *state;
    struct function *function = fake_add_function("f", false);

    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Runtime\":\"ruby3.3\"}", 400,
           "Value 'ruby3.3' at 'runtime'");
    assert_int_equal(fake.asks, 0);
    function->latest->config.runtime = "gone1";
    EXPECT(door, "PUT " F "/f/configuration", "", "{\"Timeout\":5}", 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_added),
        TEST(test_names_and_directories_that_cannot_be_are_refused),
        TEST(test_refusals_of_the_registry_have_sentences),
        TEST(test_they_are_listed_with_what_is_wrong_now),
        TEST(test_one_that_a_function_needs_stays),
        TEST(test_an_older_revision_that_is_needed_counts),
        TEST(test_functions_have_runtimes_that_there_are),
        TEST(test_an_update_names_one_that_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
