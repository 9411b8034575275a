#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/runtimes.h"
#include "tests/driver/functions_fixture.h"

struct noted {
    int calls;
    int status;
};

static void note(void *arg, int status)
{
    struct noted *noted = arg;

    noted->calls++;
    noted->status = status;
}

/* The journal's directory stands for the data directory. */
static struct runtimes *open_registry(struct fixture *f)
{
    struct runtimes *runtimes = NULL;

    assert_int_equal(runtimes_open(&runtimes, f->journal, f->keys, TENANT_A, f->dir), 0);
    return runtimes;
}

static void change_now(struct fixture *f, struct runtimes *runtimes, const char *name,
                       const char *directory)
{
    struct noted noted = {.calls = 0};

    assert_int_equal(runtimes_change(runtimes, name, directory, &noted, note), 0);
    assert_int_equal(noted.calls, 0);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
    assert_int_equal(noted.status, 0);
}

/* --- names ------------------------------------------------------------------------------ */

static void test_only_provided_ones_bring_their_own_program(void **state)
{
    (void)state;
    assert_true(runtime_is_own("provided.al2023"));
    assert_true(runtime_is_own("provided.al2"));
    assert_false(runtime_is_own("provided"));
    assert_false(runtime_is_own("nodejs22.x"));
}

static void test_names_are_lower_case_letters_digits_and_dots(void **state)
{
    char longest[RUNTIME_NAME_MAX + 2];

    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[RUNTIME_NAME_MAX] = '\0';
    assert_true(runtime_is_name("nodejs22.x"));
    assert_true(runtime_is_name("python3.11"));
    assert_true(runtime_is_name(longest));
    longest[RUNTIME_NAME_MAX] = 'a';
    longest[RUNTIME_NAME_MAX + 1] = '\0';
    assert_false(runtime_is_name(longest));
    assert_false(runtime_is_name(""));
    assert_false(runtime_is_name(".."));
    assert_false(runtime_is_name("Node"));
    assert_false(runtime_is_name("a/b"));
}

/* --- the registry ------------------------------------------------------------------------- */

static void test_what_is_added_is_found_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);

    assert_null(runtimes_find(runtimes, "nodejs22.x"));
    change_now(f, runtimes, "nodejs22.x", "/srv/node");
    change_now(f, runtimes, "a.b", "/srv/a");
    assert_string_equal(runtimes_find(runtimes, "nodejs22.x"), "/srv/node");
    runtimes_close(runtimes);
    fixture_restart(f);
    runtimes = open_registry(f);
    assert_string_equal(runtimes_find(runtimes, "nodejs22.x"), "/srv/node");
    assert_string_equal(runtimes_find(runtimes, "a.b"), "/srv/a");
    assert_null(runtimes_find(runtimes, "nodejs22"));
    runtimes_close(runtimes);
}

static void test_one_that_is_added_again_has_the_new_directory(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);

    change_now(f, runtimes, "x", "/srv/one");
    change_now(f, runtimes, "x", "/srv/two");
    assert_string_equal(runtimes_find(runtimes, "x"), "/srv/two");
    assert_int_equal(count_objects(f, TENANT_A, "runtime"), 1);
    runtimes_close(runtimes);
}

static void test_one_that_is_removed_is_gone_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);
    struct noted noted = {.calls = 0};

    change_now(f, runtimes, "x", "/srv/x");
    change_now(f, runtimes, "y", "/srv/y");
    change_now(f, runtimes, "x", NULL);
    assert_null(runtimes_find(runtimes, "x"));
    assert_int_equal(runtimes_change(runtimes, "x", NULL, &noted, note), RUNTIMES_NOT_FOUND);
    runtimes_close(runtimes);
    fixture_restart(f);
    runtimes = open_registry(f);
    assert_null(runtimes_find(runtimes, "x"));
    assert_string_equal(runtimes_find(runtimes, "y"), "/srv/y");
    runtimes_close(runtimes);
    assert_int_equal(noted.calls, 0);
}

static void test_they_come_in_the_order_of_their_names(void **state)
{
    static const char *const names[] = {"b", "d", "a", "c"};
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);
    const struct runtime *runtime = NULL;
    char seen[8] = "";
    size_t len = 0;

    for (size_t i = 0; i < 4; i++) {
        change_now(f, runtimes, names[i], "/srv");
    }
    while ((runtime = runtimes_next(runtimes, (runtime != NULL) ? runtime->name : "")) != NULL) {
        seen[len++] = runtime->name[0];
    }
    assert_string_equal(seen, "abcd");
    runtimes_close(runtimes);
}

static void test_a_change_is_not_seen_before_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);
    struct noted noted = {.calls = 0};

    assert_int_equal(runtimes_change(runtimes, "x", "/srv/x", &noted, note), 0);
    assert_null(runtimes_find(runtimes, "x"));
    assert_int_equal(runtimes_change(runtimes, "y", "/srv/y", &noted, note), RUNTIMES_BUSY);
    fixture_settle(f);
    assert_string_equal(runtimes_find(runtimes, "x"), "/srv/x");
    assert_int_equal(noted.calls, 1);
    runtimes_close(runtimes);
}

static void test_who_waits_is_told_when_it_closes(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);
    struct noted noted = {.calls = 0};

    assert_int_equal(runtimes_change(runtimes, "x", "/srv/x", &noted, note), 0);
    runtimes_close(runtimes);
    assert_int_equal(noted.calls, 1);
    assert_int_equal(noted.status, ERR_CANCELED);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
}

static void test_a_full_journal_takes_removals_only(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);
    struct noted noted = {.calls = 0};

    change_now(f, runtimes, "x", "/srv/x");
    journal_says_full = true;
    assert_int_equal(runtimes_change(runtimes, "y", "/srv/y", &noted, note), RUNTIMES_FULL);
    change_now(f, runtimes, "x", NULL);
    journal_says_full = false;
    runtimes_close(runtimes);
}

static void test_there_are_only_so_many(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);
    struct noted noted = {.calls = 0};
    char name[8];

    for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
        (void)snprintf(name, sizeof name, "r%u", i);
        change_now(f, runtimes, name, "/srv");
    }
    assert_int_equal(runtimes_change(runtimes, "more", "/srv", &noted, note), RUNTIMES_TOO_MANY);
    change_now(f, runtimes, "r7", "/elsewhere");
    runtimes_close(runtimes);
    runtimes = open_registry(f);
    assert_string_equal(runtimes_find(runtimes, "r7"), "/elsewhere");
    runtimes_close(runtimes);
}

static void test_the_directory_is_sealed(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);

    record_appends(true);
    change_now(f, runtimes, "x", "/srv/of-the-operator");
    record_appends(false);
    assert_int_equal(appended_count, 1);
    assert_null(memmem(appended[0].value.data, appended[0].value.len, "operator", 8));
    runtimes_close(runtimes);
}

static void test_another_objects_value_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct runtimes *runtimes = open_registry(f);

    record_appends(true);
    change_now(f, runtimes, "x", "/srv/x");
    record_appends(false);
    runtimes_close(runtimes);
    append_object(f, JOURNAL_PUT, bytes_of_text("t/111111111111/runtime/y"),
                  buf_bytes(&appended[0].value));
    runtimes = NULL;
    assert_int_equal(runtimes_open(&runtimes, f->journal, f->keys, TENANT_A, f->dir), ERR_CORRUPT);
}

static void test_every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    struct noted noted = {.calls = 0};
    struct runtimes *runtimes = open_registry(f);
    long n = 0;
    int r;

    do {
        fail_after(n++);
        r = runtimes_change(runtimes, "x", "/srv/x", &noted, note);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        fixture_settle(f);
    } while (r != 0);
    assert_true(n > 1);
    assert_int_equal(noted.calls, 1);
    runtimes_close(runtimes);
    n = 0;
    do {
        fail_after(n++);
        r = runtimes_open(&runtimes, f->journal, f->keys, TENANT_A, f->dir);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 1);
    runtimes_close(runtimes);
}

/* --- directories ---------------------------------------------------------------------------- */

struct place {
    struct runtimes *runtimes;
    char directory[64];
    char bootstrap[96];
    char why[RUNTIME_WHY_MAX];
};

static void make_place(struct fixture *f, struct place *place)
{
    FILE *file;

    *place = (struct place){.runtimes = open_registry(f)};
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/pawl-runtime-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    assert_int_equal(chmod(place->directory, 0755), 0);
    (void)snprintf(place->bootstrap, sizeof place->bootstrap, "%s/bootstrap", place->directory);
    file = fopen(place->bootstrap, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(place->bootstrap, 0755), 0);
}

static void remove_place(struct place *place)
{
    (void)unlink(place->bootstrap);
    (void)rmdir(place->directory);
    runtimes_close(place->runtimes);
}

static void expect_refused(struct place *place, const char *directory, const char *sentence)
{
    assert_false(runtimes_check(place->runtimes, directory, place->why));
    if (strstr(place->why, sentence) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", place->why, sentence);
    }
}

static void test_a_directory_with_a_bootstrap_is_taken(void **state)
{
    struct place place;

    make_place(*state, &place);
    assert_true(runtimes_check(place.runtimes, place.directory, place.why));
    remove_place(&place);
}

static void test_paths_that_are_no_directory_are_told(void **state)
{
    struct place place;

    make_place(*state, &place);
    expect_refused(&place, "relative", "absolute path");
    expect_refused(&place, "", "absolute path");
    expect_refused(&place, "/nonexistent-runtime", "No such file");
    expect_refused(&place, place.bootstrap, "is not a directory");
    remove_place(&place);
}

static void test_the_data_directory_is_never_shown(void **state)
{
    struct fixture *f = *state;
    struct place place;
    char inside[96];
    char alias[96];

    make_place(f, &place);
    (void)snprintf(inside, sizeof inside, "%s/journal", f->dir);
    (void)snprintf(alias, sizeof alias, "%s/alias", place.directory);
    assert_int_equal(symlink(f->dir, alias), 0);
    expect_refused(&place, f->dir, "the data directory");
    expect_refused(&place, inside, "the data directory");
    expect_refused(&place, "/tmp", "the data directory");
    expect_refused(&place, "/", "the data directory");
    expect_refused(&place, alias, "the data directory");
    assert_int_equal(unlink(alias), 0);
    remove_place(&place);
}

static void test_a_bootstrap_must_be_executable(void **state)
{
    struct place place;

    make_place(*state, &place);
    assert_int_equal(chmod(place.bootstrap, 0644), 0);
    expect_refused(&place, place.directory, "is not an executable file");
    assert_int_equal(unlink(place.bootstrap), 0);
    expect_refused(&place, place.directory, "bootstrap: No such file");
    assert_int_equal(mkdir(place.bootstrap, 0755), 0);
    expect_refused(&place, place.directory, "is not an executable file");
    assert_int_equal(rmdir(place.bootstrap), 0);
    remove_place(&place);
}

/* Only root's daemon runs environments as somebody else. */
static void test_environments_must_be_able_to_read_it(void **state)
{
    struct place place;
    bool is_root = geteuid() == 0;

    make_place(*state, &place);
    assert_int_equal(chmod(place.bootstrap, 0700), 0);
    assert_int_equal(runtimes_check(place.runtimes, place.directory, place.why), !is_root);
    assert_int_equal(chmod(place.bootstrap, 0755), 0);
    assert_int_equal(chmod(place.directory, 0700), 0);
    assert_int_equal(runtimes_check(place.runtimes, place.directory, place.why), !is_root);
    remove_place(&place);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_provided_ones_bring_their_own_program),
        cmocka_unit_test(test_names_are_lower_case_letters_digits_and_dots),
        TEST(test_what_is_added_is_found_also_after_a_restart),
        TEST(test_one_that_is_added_again_has_the_new_directory),
        TEST(test_one_that_is_removed_is_gone_also_after_a_restart),
        TEST(test_they_come_in_the_order_of_their_names),
        TEST(test_a_change_is_not_seen_before_it_is_durable),
        TEST(test_who_waits_is_told_when_it_closes),
        TEST(test_a_full_journal_takes_removals_only),
        TEST(test_there_are_only_so_many),
        TEST(test_the_directory_is_sealed),
        TEST(test_another_objects_value_is_not_taken),
        TEST(test_every_allocation_may_fail),
        TEST(test_a_directory_with_a_bootstrap_is_taken),
        TEST(test_paths_that_are_no_directory_are_told),
        TEST(test_the_data_directory_is_never_shown),
        TEST(test_a_bootstrap_must_be_executable),
        TEST(test_environments_must_be_able_to_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
