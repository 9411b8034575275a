/* Environments that are kept ready although nobody waits for one. */
#include "tests/driver/pool_fixture.h"

static struct pool_fixture *opened(void **state)
{
    struct pool_fixture *f = *state;

    for (int i = 0; i < 4; i++) {
        f->revisions[i].version = 1; /* published: not outdated */
    }
    pool_fixture_open(f);
    return f;
}

static struct pool_warm warm_of(const struct pool_fixture *f, int function)
{
    struct pool_warm warm;

    pool_get_warm(f->pool, &f->revisions[function], &warm);
    return warm;
}

static void keep(struct pool_fixture *f, int function, uint32_t environments)
{
    assert_int_equal(pool_keep_warm(f->pool, &f->revisions[function], environments), 0);
}

static struct environment *program_of(struct pool_fixture *f, const struct call *call)
{
    for (int i = 0; i < f->program_count; i++) {
        if ((uint64_t)i + 1 == call->environment) {
            return &f->programs[i];
        }
    }
    fail_msg("there is no environment %u", (unsigned)call->environment);
    return NULL;
}

static void finish_call(struct pool_fixture *f, struct call *call)
{
    struct environment *program;

    WAIT_UNTIL(f, call->placed == 1);
    program = program_of(f, call);
    program_expect_invoke(program, call);
    program_complete(program, call->invocation.number, "1");
    WAIT_UNTIL(f, call->ended == 1);
}

static void test_they_are_started_ahead_of_need(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call call;

    keep(f, 0, 2);
    assert_int_equal(warm_of(f, 0).wanted, 2);
    assert_int_equal(warm_of(f, 0).started, 1); /* the next one a moment later */
    assert_int_equal(warm_of(f, 0).ready, 0);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 2);
    assert_int_equal(f->program_count, 2);
    assert_int_equal(pool_fixture_stats(f).idle, 2);
    assert_int_equal(warm_of(f, 1).wanted, 0);
    call_start(&call, f, 0);
    assert_int_equal(call.placed, 1); /* from inside: nothing had to be started */
    finish_call(f, &call);
    pool_fixture_settle(f);
    assert_int_equal(f->program_count, 2);
}

static void test_they_are_not_reaped_when_idle(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->options.idle_ms = 20;
    (void)opened(state);
    keep(f, 0, 1);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 1);
    call_start(&calls[0], f, 0);
    call_start(&calls[1], f, 0); /* beyond it, as ever */
    finish_call(f, &calls[0]);
    finish_call(f, &calls[1]);
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 1);
    call_start(&calls[0], f, 1); /* that one is reaped */
    finish_call(f, &calls[0]);
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 1);
    assert_int_equal(warm_of(f, 0).ready, 1);
    keep(f, 0, 0);
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 0);
    assert_int_equal(f->revisions[0].references, 0);
}

static void test_they_are_not_given_up_for_others(void **state)
{
    struct pool_fixture *f = *state;
    static struct call first;
    static struct call second;

    f->options.environments_max = 2; /* one may be kept */
    (void)opened(state);
    keep(f, 0, 1);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 1);
    call_start(&first, f, 1);
    finish_call(f, &first);
    call_start(&second, f, 2); /* takes the place of the one of beta */
    finish_call(f, &second);
    assert_int_equal(warm_of(f, 0).ready, 1);
    assert_false(f->programs[0].is_killed);
    assert_true(f->programs[1].is_killed);
}

static void test_one_that_ends_is_replaced(void **state)
{
    struct pool_fixture *f = opened(state);

    keep(f, 0, 1);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 1);
    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 0);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 1);
    assert_int_equal(f->program_count, 2);
}

static void test_a_failed_start_is_told_and_tried_again_when_asked(void **state)
{
    struct pool_fixture *f = opened(state);
    int count;

    f->refuses_start = true;
    keep(f, 0, 1);
    WAIT_UNTIL(f, warm_of(f, 0).is_failed);
    count = f->unpacks;
    pool_fixture_settle(f);
    assert_int_equal(f->unpacks, count); /* not in a loop */
    f->refuses_start = false;
    pool_tend_warm(f->pool);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 1);
    assert_false(warm_of(f, 0).is_failed);
}

static void test_who_waits_does_not_wait_for_their_pace(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call calls[3];

    keep(f, 0, 3);
    for (int i = 0; i < 3; i++) {
        call_start(&calls[i], f, 0);
    }
    assert_int_equal(f->unpacks, 3); /* all at once */
    for (int i = 0; i < 3; i++) {
        finish_call(f, &calls[i]);
    }
    assert_int_equal(warm_of(f, 0).ready, 3);
    pool_fixture_settle(f);
    assert_int_equal(f->program_count, 3);
}

static void test_fewer_are_kept_when_fewer_are_wanted(void **state)
{
    struct pool_fixture *f = *state;

    f->options.idle_ms = 20;
    (void)opened(state);
    keep(f, 0, 3);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 3);
    keep(f, 0, 1);
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 1);
    pool_fixture_settle(f);
    assert_int_equal(pool_fixture_stats(f).environments, 1);
    assert_int_equal(f->program_count, 3);
}

static void test_half_of_all_is_left_to_others(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->options.environments_max = 5;
    (void)opened(state);
    keep(f, 0, 1);
    keep(f, 1, 3);
    WAIT_UNTIL(f, warm_of(f, 0).ready == 1 && warm_of(f, 1).ready == 1);
    pool_fixture_settle(f);
    assert_int_equal(pool_fixture_stats(f).environments, 2);
    assert_int_equal(warm_of(f, 1).wanted, 3);
    call_start(&call, f, 2);
    finish_call(f, &call);
    keep(f, 0, 0); /* its share is the other's now */
    WAIT_UNTIL(f, warm_of(f, 1).ready == 2);
}

static void test_closing_ends_them(void **state)
{
    struct pool_fixture *f = opened(state);

    keep(f, 0, 2);
    keep(f, 1, 1);
    WAIT_UNTIL(f, warm_of(f, 1).ready == 1);
    pool_fixture_close(f); /* and the fixture looks for what is left */
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, pool_fixture_set_up, pool_fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_they_are_started_ahead_of_need),
        TEST(test_they_are_not_reaped_when_idle),
        TEST(test_they_are_not_given_up_for_others),
        TEST(test_one_that_ends_is_replaced),
        TEST(test_a_failed_start_is_told_and_tried_again_when_asked),
        TEST(test_who_waits_does_not_wait_for_their_pace),
        TEST(test_fewer_are_kept_when_fewer_are_wanted),
        TEST(test_half_of_all_is_left_to_others),
        TEST(test_closing_ends_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
