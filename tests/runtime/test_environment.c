#include "tests/runtime/fixture.h"
#include <stdio.h>
#include <unistd.h>
static void test_a_program_runs_and_its_status_comes_back(void **state)
{
    struct fixture *f = *state;
    struct run run;

    (void)run_all(&run, f, "view", NULL);
    printf("%s\n%s\n", run.output.data, run.text);
    run_fini(&run);
}
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_program_runs_and_its_status_comes_back,
                                        fixture_set_up, fixture_tear_down),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
