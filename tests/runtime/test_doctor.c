#include <stdio.h>
#include <string.h>

#include "tests/runtime/fixture.h"

struct lines {
    char text[4096];
    int count;
    int ok_count;
};

static void note_line(void *arg, bool is_ok, const char *thing, const char *consequence)
{
    struct lines *lines = arg;
    size_t len = strlen(lines->text);

    lines->count++;
    lines->ok_count += is_ok ? 1 : 0;
    (void)snprintf(lines->text + len, sizeof lines->text - len, "%s %s (%s)\n", is_ok ? "ok" : "no",
                   thing, consequence);
}

static void test_every_thing_is_named_once_with_what_its_absence_costs(void **state)
{
    struct lines lines = {0};

    (void)state;
    launcher_doctor(&lines, note_line);
    print_message("%s", lines.text);
    assert_true(lines.count >= 10);
    assert_has(lines.text, "user namespaces");
    assert_has(lines.text, "seccomp");
    assert_has(lines.text, "Landlock ABI");
    assert_has(lines.text, "memory limits");
    assert_has_not(lines.text, "()");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_thing_is_named_once_with_what_its_absence_costs),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
