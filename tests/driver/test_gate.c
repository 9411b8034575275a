/* Limits of concurrency: who is admitted, refused, or waits, and in which order. */
#include "tests/driver/pool_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/base/prng.h"

static struct pool_fixture *opened(void **state, uint32_t concurrency_max)
{
    struct pool_fixture *f = *state;

    f->options.concurrency_max = concurrency_max;
    pool_fixture_open(f);
    return f;
}

static void start_patient(struct call *call, struct pool_fixture *f, int function)
{
    call_init(call, f, function);
    call->invocation.is_patient = true;
    pool_invoke(f->pool, &call->invocation);
}

/* The program that has it answers. */
static void finish_call(struct pool_fixture *f, struct call *call)
{
    struct environment *program = NULL;

    WAIT_UNTIL(f, call->placed == 1);
    for (int i = 0; i < f->program_count && program == NULL; i++) {
        if ((uint64_t)i + 1 == call->environment) {
            program = &f->programs[i];
        }
    }
    assert_non_null(program);
    program_expect_invoke(program, call);
    program_complete(program, call->invocation.number, "1");
    WAIT_UNTIL(f, call->ended == 1);
    assert_true(call->is_complete);
}

static void expect_refused(struct pool_fixture *f, struct call *call, const char *reason)
{
    WAIT_UNTIL(f, call->ended == 1);
    assert_int_equal(call->placed, 0);
    assert_string_equal(call->error_type, "TooManyRequestsException");
    assert_string_equal(call->reason, reason);
}

#define RESERVED "ReservedFunctionConcurrentInvocationLimitExceeded"
#define ACCOUNT "ConcurrentInvocationLimitExceeded"

/* --- a number of its own ---------------------------------------------------------------- */

static void test_over_its_reserved_number_a_caller_is_refused(void **state)
{
    struct pool_fixture *f = opened(state, 1000);
    static struct call first;
    static struct call second;
    static struct call other;
    static struct call third;

    pool_reserve(f->pool, &f->functions[0], true, 1);
    assert_int_equal(pool_unreserved(f->pool), 999);
    call_start(&first, f, 0);
    call_start(&second, f, 0); /* the first one's environment is only starting */
    expect_refused(f, &second, RESERVED);
    assert_string_equal(pool_limit_reason(f->pool, &f->revisions[0]), RESERVED);
    call_start(&other, f, 1);
    finish_call(f, &first);
    finish_call(f, &other);
    assert_null(pool_limit_reason(f->pool, &f->revisions[0]));
    call_start(&third, f, 0);
    finish_call(f, &third);
}

static void test_with_nothing_reserved_it_never_runs(void **state)
{
    struct pool_fixture *f = opened(state, 1000);
    static struct call impatient;
    static struct call patient;

    pool_reserve(f->pool, &f->functions[0], true, 0);
    call_start(&impatient, f, 0);
    expect_refused(f, &impatient, RESERVED);
    start_patient(&patient, f, 0);
    pool_fixture_settle(f);
    assert_int_equal(patient.placed + patient.ended, 0);
    assert_int_equal(pool_fixture_stats(f).waiting, 1);
    pool_reserve(f->pool, &f->functions[0], false, 0);
    finish_call(f, &patient);
    assert_int_equal(pool_fixture_stats(f).waiting, 0);
}

static void test_who_is_patient_waits_in_order(void **state)
{
    struct pool_fixture *f = opened(state, 1000);
    static struct call calls[4];
    static struct call late;

    pool_reserve(f->pool, &f->functions[0], true, 1);
    for (int i = 0; i < 4; i++) {
        start_patient(&calls[i], f, 0);
    }
    assert_int_equal(pool_fixture_stats(f).waiting, 4); /* one for an environment */
    for (int i = 0; i < 4; i++) {
        WAIT_UNTIL(f, calls[i].placed == 1);
        pool_fixture_settle(f);
        for (int j = i + 1; j < 4; j++) {
            assert_int_equal(calls[j].placed, 0);
        }
        if (i == 2) {
            start_patient(&late, f, 0);
        }
        finish_call(f, &calls[i]);
    }
    finish_call(f, &late);
    assert_int_equal(f->program_count, 1);
}

static void test_a_larger_number_lets_more_in_at_once(void **state)
{
    struct pool_fixture *f = opened(state, 1000);
    static struct call calls[3];

    pool_reserve(f->pool, &f->functions[0], true, 1);
    for (int i = 0; i < 3; i++) {
        start_patient(&calls[i], f, 0);
    }
    WAIT_UNTIL(f, calls[0].placed == 1);
    pool_reserve(f->pool, &f->functions[0], true, 2);
    WAIT_UNTIL(f, calls[1].placed == 1);
    pool_fixture_settle(f);
    assert_int_equal(calls[2].placed, 0);
    for (int i = 0; i < 3; i++) {
        finish_call(f, &calls[i]);
    }
}

static void test_what_runs_goes_on_under_a_smaller_number(void **state)
{
    struct pool_fixture *f = opened(state, 1000);
    static struct call calls[2];
    static struct call more;

    call_start(&calls[0], f, 0);
    call_start(&calls[1], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1 && calls[1].placed == 1);
    pool_reserve(f->pool, &f->functions[0], true, 1);
    finish_call(f, &calls[0]);
    call_start(&more, f, 0); /* the other one is counted */
    expect_refused(f, &more, RESERVED);
    finish_call(f, &calls[1]);
}

static void test_an_environment_for_several_does_not_pass_a_reserved_number(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->revisions[0].config.concurrency = 8;
    (void)opened(state, 1000);
    pool_reserve(f->pool, &f->functions[0], true, 2);
    for (int i = 0; i < 3; i++) {
        call_start(&calls[i], f, 0);
    }
    expect_refused(f, &calls[2], RESERVED);
    finish_call(f, &calls[0]);
    finish_call(f, &calls[1]);
}

/* --- the account -------------------------------------------------------------------------- */

static void test_the_others_share_what_is_not_reserved(void **state)
{
    struct pool_fixture *f = opened(state, 3);
    static struct call own;
    static struct call calls[3];

    pool_reserve(f->pool, &f->functions[0], true, 1);
    call_start(&calls[0], f, 1);
    call_start(&calls[1], f, 2);
    call_start(&calls[2], f, 3);
    expect_refused(f, &calls[2], ACCOUNT);
    call_start(&own, f, 0); /* its own is kept for it */
    finish_call(f, &own);
    finish_call(f, &calls[0]);
    finish_call(f, &calls[1]);
}

static void test_what_is_reserved_and_idle_is_not_given_to_others(void **state)
{
    struct pool_fixture *f = opened(state, 2);
    static struct call calls[2];

    pool_reserve(f->pool, &f->functions[0], true, 2);
    call_start(&calls[0], f, 1);
    expect_refused(f, &calls[0], ACCOUNT);
    pool_reserve(f->pool, &f->functions[0], true, 5); /* more than there is: none is left */
    assert_int_equal(pool_unreserved(f->pool), 0);
    pool_reserve(f->pool, &f->functions[0], false, 0);
    call_start(&calls[1], f, 1);
    finish_call(f, &calls[1]);
}

static void test_functions_that_wait_for_the_account_take_turns(void **state)
{
    struct pool_fixture *f = opened(state, 1);
    static struct call first;
    static struct call alpha[3];
    static struct call beta[2];

    start_patient(&first, f, 2);
    for (int i = 0; i < 3; i++) {
        start_patient(&alpha[i], f, 0);
    }
    start_patient(&beta[0], f, 1);
    start_patient(&beta[1], f, 1);
    finish_call(f, &first);
    finish_call(f, &alpha[0]);
    finish_call(f, &beta[0]);
    finish_call(f, &alpha[1]);
    finish_call(f, &beta[1]);
    finish_call(f, &alpha[2]);
}

static void test_environments_for_several_do_not_count_against_the_account(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[4];
    static struct call single;

    f->revisions[0].config.concurrency = 4;
    (void)opened(state, 1);
    for (int i = 0; i < 4; i++) {
        call_start(&calls[i], f, 0);
    }
    call_start(&single, f, 1);
    finish_call(f, &single);
    for (int i = 0; i < 4; i++) {
        finish_call(f, &calls[i]);
    }
}

static void test_without_a_limit_nobody_is_refused(void **state)
{
    struct pool_fixture *f = opened(state, 0);

    assert_null(pool_limit_reason(f->pool, &f->revisions[0]));
    assert_int_equal(pool_unreserved(f->pool), UINT32_MAX);
}

/* --- leaving ---------------------------------------------------------------------------------- */

static void test_who_waits_at_a_gate_can_be_canceled(void **state)
{
    struct pool_fixture *f = opened(state, 1000);
    static struct call running;
    static struct call waiting;
    static struct call next;

    pool_reserve(f->pool, &f->functions[0], true, 1);
    start_patient(&running, f, 0);
    start_patient(&waiting, f, 0);
    start_patient(&next, f, 0);
    WAIT_UNTIL(f, running.placed == 1);
    invocation_cancel(f->pool, &waiting.invocation, "stopped");
    assert_int_equal(pool_fixture_stats(f).waiting, 1);
    WAIT_UNTIL(f, waiting.ended == 1);
    assert_string_equal(waiting.error_type, "Pawl.Canceled");
    finish_call(f, &running);
    finish_call(f, &next);
}

static void test_who_was_refused_or_lost_leaves_room(void **state)
{
    struct pool_fixture *f = *state;
    static struct call lost;
    static struct call timed_out;
    static struct call after;

    f->revisions[0].config.timeout_s = 1;
    (void)opened(state, 1000);
    pool_reserve(f->pool, &f->functions[0], true, 1);
    f->refuses_start = true;
    call_start(&lost, f, 0);
    WAIT_UNTIL(f, lost.ended == 1);
    assert_string_equal(lost.error_type, "Sandbox.StartFailed");
    f->refuses_start = false;
    call_start(&timed_out, f, 0);
    WAIT_UNTIL(f, timed_out.ended == 1);
    assert_string_equal(timed_out.error_type, "Sandbox.Timedout");
    call_start(&after, f, 0);
    WAIT_UNTIL(f, after.placed == 1);
}

static void test_a_deleted_function_gives_its_number_back(void **state)
{
    struct pool_fixture *f = opened(state, 10);

    pool_reserve(f->pool, &f->functions[0], true, 7);
    assert_int_equal(pool_unreserved(f->pool), 3);
    f->functions[0].is_deleted = true;
    pool_function_changed(f->pool, &f->functions[0]);
    assert_int_equal(pool_unreserved(f->pool), 10);
}

static void test_the_line_at_gates_has_a_limit(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->options.waiting_max = 2;
    (void)opened(state, 1000);
    pool_reserve(f->pool, &f->functions[0], true, 0);
    for (int i = 0; i < 3; i++) {
        start_patient(&calls[i], f, 0);
    }
    expect_refused(f, &calls[2], ACCOUNT);
    pool_fixture_close(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(calls[i].ended, 1);
        assert_string_equal(calls[i].error_type, "Pawl.Restarted");
    }
}

/* --- at random ----------------------------------------------------------------------------------
 */

#define PASSES 64
#define GATES 5

struct crowd {
    struct gates gates;
    struct gate gate[GATES];
    struct gate_pass pass[PASSES];
    int of[PASSES]; /* gate + 1; 0: nowhere */
    struct prng prng;
};

static uint32_t draw(struct crowd *crowd, uint32_t n)
{
    return (uint32_t)(prng_next(&crowd->prng) % n);
}

static void admit_all(struct crowd *crowd)
{
    while (gates_next(&crowd->gates) != NULL) {
    }
}

static void come_or_go(struct crowd *crowd)
{
    uint32_t which = draw(crowd, PASSES);
    struct gate_pass *pass = &crowd->pass[which];
    struct gate *gate;

    if (crowd->of[which] != 0) {
        crowd->of[which] = 0;
        if (gate_leave(&crowd->gates, pass)) {
            admit_all(crowd);
        }
        return;
    }
    crowd->of[which] = 1 + (int)draw(crowd, GATES);
    gate = &crowd->gate[crowd->of[which] - 1];
    *pass = (struct gate_pass){.is_single = crowd->of[which] != GATES};
    if (gate->waiting_count == 0 && gate_has_room(&crowd->gates, gate, pass->is_single)) {
        gate_enter(&crowd->gates, gate, pass);
    } else {
        gate_wait(&crowd->gates, gate, pass);
    }
}

/* Counted again from what each one is; and nobody waits in front of a free place. */
static void judge(const struct crowd *crowd)
{
    uint32_t running[GATES] = {0};
    uint32_t waiting[GATES] = {0};
    uint32_t shared = 0;
    uint64_t reserved = 0;

    for (int i = 0; i < PASSES; i++) {
        int gate = crowd->of[i] - 1;

        if (gate >= 0 && crowd->pass[i].is_admitted) {
            running[gate]++;
            shared += (!crowd->gate[gate].is_reserved && crowd->pass[i].is_single) ? 1 : 0;
        } else if (gate >= 0) {
            waiting[gate]++;
        }
    }
    for (int i = 0; i < GATES; i++) {
        const struct gate *gate = &crowd->gate[i];

        assert_int_equal(gate->running, running[i]);
        assert_int_equal(gate->waiting_count, waiting[i]);
        reserved += gate->is_reserved ? gate->reserved : 0;
        if (waiting[i] > 0) {
            assert_false(gate_has_room(&crowd->gates, gate, i != GATES - 1));
        }
    }
    assert_int_equal(crowd->gates.shared_running, shared);
    assert_int_equal(crowd->gates.reserved_total, reserved);
}

static void test_nobody_waits_in_front_of_a_free_place(void **state)
{
    const char *given = getenv("SEED");
    uint64_t first = (given != NULL) ? strtoull(given, NULL, 10) : 1;

    (void)state;
    for (uint64_t seed = first; seed < first + 200; seed++) {
        struct crowd crowd = {.prng = {.state = seed}};
        uint32_t limit = draw(&crowd, 20);

        gates_init(&crowd.gates, limit);
        for (int i = 0; i < 2000; i++) {
            if (draw(&crowd, 50) == 0) {
                if (gate_reserve(&crowd.gates, &crowd.gate[draw(&crowd, GATES)],
                                 draw(&crowd, 2) == 0, draw(&crowd, 8))) {
                    admit_all(&crowd);
                }
            } else {
                come_or_go(&crowd);
            }
            judge(&crowd);
        }
        while (gates_any(&crowd.gates) != NULL) {
        }
        for (int i = 0; i < GATES; i++) {
            assert_int_equal(crowd.gate[i].waiting_count, 0);
        }
    }
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, pool_fixture_set_up, pool_fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_over_its_reserved_number_a_caller_is_refused),
        TEST(test_with_nothing_reserved_it_never_runs),
        TEST(test_who_is_patient_waits_in_order),
        TEST(test_a_larger_number_lets_more_in_at_once),
        TEST(test_what_runs_goes_on_under_a_smaller_number),
        TEST(test_an_environment_for_several_does_not_pass_a_reserved_number),
        TEST(test_the_others_share_what_is_not_reserved),
        TEST(test_what_is_reserved_and_idle_is_not_given_to_others),
        TEST(test_functions_that_wait_for_the_account_take_turns),
        TEST(test_environments_for_several_do_not_count_against_the_account),
        TEST(test_without_a_limit_nobody_is_refused),
        TEST(test_who_waits_at_a_gate_can_be_canceled),
        TEST(test_who_was_refused_or_lost_leaves_room),
        TEST(test_a_deleted_function_gives_its_number_back),
        TEST(test_the_line_at_gates_has_a_limit),
        cmocka_unit_test(test_nobody_waits_in_front_of_a_free_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
