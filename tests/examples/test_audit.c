#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/audit/diversions.h"
#include "examples/audit/findings.h"
#include "examples/audit/request.h"

static struct request request_of(char **visible, char **filters)
{
    return (struct request){.visible = visible, .filters = filters};
}

static void test_the_last_filter_that_matches_decides(void **state)
{
    char *visible[] = {NULL};
    char *filters[] = {(char[]){"-/usr/share/doc/*"}, (char[]){"+/usr/share/doc/*/copyright"},
                       NULL};
    struct request request = request_of(visible, filters);

    (void)state;
    assert_true(request_excludes(&request, "/usr/share/doc/bash/README"));
    assert_false(request_excludes(&request, "/usr/share/doc/bash/copyright"));
    assert_false(request_excludes(&request, "/usr/share/man/man1/bash.1.gz"));
}

static void test_a_place_is_shown_if_it_is_the_systems_or_granted(void **state)
{
    char *visible[] = {(char[]){"/opt"}, NULL};
    char *filters[] = {NULL};
    struct request request = request_of(visible, filters);

    (void)state;
    assert_true(request_shows(&request, "/usr/bin/env"));
    assert_true(request_shows(&request, "/bin/bash"));
    assert_true(request_shows(&request, "/opt/x/y"));
    assert_false(request_shows(&request, "/etc/passwd"));
    assert_false(request_shows(&request, "/optional/x"));
    assert_false(request_shows(&request, "/usrlocal"));
}

static void test_a_diversion_moves_the_files_of_all_others(void **state)
{
    const struct diversion items[] = {{"/usr/bin/pg", "/usr/bin/pg.orig", "postgresql-common"},
                                      {"/bin/sh", "/bin/sh.distrib", ":"}};
    const struct diversions diversions = {items, 2};

    (void)state;
    assert_string_equal(diversions_follow(&diversions, "libpq-dev", "/usr/bin/pg"),
                        "/usr/bin/pg.orig");
    assert_string_equal(diversions_follow(&diversions, "postgresql-common", "/usr/bin/pg"),
                        "/usr/bin/pg");
    assert_string_equal(diversions_follow(&diversions, "postgresql-common:amd64", "/usr/bin/pg"),
                        "/usr/bin/pg");
    assert_string_equal(diversions_follow(&diversions, "postgresql", "/usr/bin/pg"),
                        "/usr/bin/pg.orig");
    assert_string_equal(diversions_follow(&diversions, "dash", "/bin/sh"), "/bin/sh.distrib");
    assert_string_equal(diversions_follow(&diversions, "dash", "/bin/dash"), "/bin/dash");
}

static void read_back(struct findings *sum, const struct findings *findings, size_t listed_max)
{
    json_t *root = findings_write(findings);
    char *text = json_dumps(root, 0);

    assert_true(findings_read(sum, pawl_value(text), listed_max));
    free(text);
    json_decref(root);
}

static void test_findings_add_up_and_only_the_first_paths_are_listed(void **state)
{
    struct findings one;
    struct findings sum;

    (void)state;
    findings_init(&one);
    findings_init(&sum);
    one.files = 7;
    one.bytes = 1ULL << 40;
    findings_add(&one, FINDING_CHANGED, "/a", 2);
    findings_add(&one, FINDING_CHANGED, "/b", 2);
    findings_add(&one, FINDING_CHANGED, "/c", 2);
    read_back(&sum, &one, 3);
    read_back(&sum, &one, 3);
    assert_int_equal(sum.files, 14);
    assert_int_equal(sum.bytes, 2ULL << 40);
    assert_int_equal(sum.counts[FINDING_CHANGED], 6);
    assert_int_equal(sum.counts[FINDING_MISSING], 0);
    assert_int_equal(json_array_size(sum.paths[FINDING_CHANGED]), 3);
    assert_string_equal(json_string_value(json_array_get(sum.paths[FINDING_CHANGED], 2)), "/a");
    findings_fini(&one);
    findings_fini(&sum);
}

static void test_a_path_that_is_not_utf8_is_counted_all_the_same(void **state)
{
    struct findings findings;

    (void)state;
    findings_init(&findings);
    findings_add(&findings, FINDING_MISSING, "/caf\xe9", 5);
    assert_int_equal(findings.counts[FINDING_MISSING], 1);
    assert_string_equal(json_string_value(json_array_get(findings.paths[FINDING_MISSING], 0)),
                        "(not UTF-8)");
    findings_fini(&findings);
}

static void test_what_is_no_findings_is_refused(void **state)
{
    struct findings findings;

    (void)state;
    findings_init(&findings);
    assert_false(findings_read(&findings, pawl_value("[1]"), 5));
    assert_false(findings_read(&findings, pawl_value("{"), 5));
    assert_false(findings_read(&findings, pawl_value(""), 5));
    findings_fini(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_filter_that_matches_decides),
        cmocka_unit_test(test_a_place_is_shown_if_it_is_the_systems_or_granted),
        cmocka_unit_test(test_a_diversion_moves_the_files_of_all_others),
        cmocka_unit_test(test_findings_add_up_and_only_the_first_paths_are_listed),
        cmocka_unit_test(test_a_path_that_is_not_utf8_is_counted_all_the_same),
        cmocka_unit_test(test_what_is_no_findings_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
