/* Random stories on a pool: programs answer, crash, hang up, lie and hang; callers
 * invoke, cancel and change functions; environments fail to start. After each
 * step the rules are checked, and in the end everything must have ended. PAWL_SEED=n
 * repeats one story, PAWL_STORIES=n tells so many. */
#include "tests/driver/pool_fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/prng.h"

#define CALLS 40
#define STEPS 300

struct story {
    struct pool_fixture *f;
    struct prng prng;
    uint64_t seed;
    struct call calls[CALLS];
    bool is_live[CALLS];
    const char *tenants[CALLS];
    int functions[CALLS];
    /* Who has used an environment, by its number. */
    const char *owner_tenant[PROGRAMS_MAX * 2];
    int owner_function[PROGRAMS_MAX * 2];
};

static uint32_t roll(struct story *s, uint32_t below)
{
    return prng_below(&s->prng, below);
}

static void check_place(struct story *s, int i)
{
    uint64_t environment = s->calls[i].environment;

    assert_true(environment < PROGRAMS_MAX * 2);
    if (s->owner_tenant[environment] == NULL) {
        s->owner_tenant[environment] = s->tenants[i];
        s->owner_function[environment] = s->functions[i];
    }
    assert_ptr_equal(s->owner_tenant[environment], s->tenants[i]);
    assert_int_equal(s->owner_function[environment], s->functions[i]);
}

static void check(struct story *s)
{
    struct pool_stats stats = pool_fixture_stats(s->f);
    uint32_t running = 0;
    uint32_t live = 0;

    for (int i = 0; i < CALLS; i++) {
        struct call *call = &s->calls[i];

        if (!s->is_live[i]) {
            continue;
        }
        assert_in_range(call->ended, 0, 1);
        assert_in_range(call->placed, 0, 1);
        if (call->placed == 1) {
            check_place(s, i);
        }
        s->is_live[i] = call->ended == 0;
        live += (call->ended == 0) ? 1 : 0;
        running += (call->ended == 0 && call->invocation.place != NULL) ? 1 : 0;
    }
    assert_int_equal(stats.running, running);
    assert_true(stats.waiting + stats.running <= live); /* the rest is about to end */
    assert_true(stats.environments <= s->f->options.environments_max);
    assert_true(stats.idle <= stats.environments);
}

static void invoke_one(struct story *s, int i)
{
    static const char *const tenants[] = {"red", "green", "blue"};
    struct call *call = &s->calls[i];

    if (s->is_live[i]) {
        return;
    }
    s->functions[i] = (int)roll(s, 3);
    s->tenants[i] = (s->functions[i] == 2) ? tenants[roll(s, 3)] : "";
    call_init(call, s->f, s->functions[i]);
    call->invocation.tenant_id = bytes_of_text(s->tenants[i]);
    call->invocation.affinity = roll(s, 20);
    call->invocation.wants_log_tail = roll(s, 4) == 0;
    call->invocation.is_patient = roll(s, 2) == 0;
    call->does_not_send = roll(s, 8) == 0;
    s->is_live[i] = true;
    pool_invoke(s->f->pool, &call->invocation);
}

/* A frame, or nothing if the other end is gone. */
static void lie(struct environment *program, enum wire_type type, uint64_t number)
{
    struct buf buf = {0};

    frame_append(&buf, type, number, bytes_of(NULL, 0));
    (void)!write(program->native, buf.data, buf.len);
    buf_fini(&buf);
}

static void answer_one(struct story *s, struct call *call)
{
    for (int i = 0; i < s->f->program_count; i++) {
        struct environment *program = &s->f->programs[i];

        if (program->arg == call->invocation.place && !program->is_ended) {
            lie(program, WIRE_COMPLETE, call->invocation.number);
        }
    }
}

static void hurt_one(struct story *s)
{
    struct environment *program;

    if (s->f->program_count == 0) {
        return;
    }
    program = &s->f->programs[roll(s, (uint32_t)s->f->program_count)];
    if (program->is_ended) {
        return;
    }
    switch (roll(s, 4)) {
    case 0:
        program_exit(program, (int)roll(s, 3), 0);
        break;
    case 1:
        lie(program, WIRE_COMPLETE, roll(s, 5000));
        break;
    case 2:
        lie(program, WIRE_LOG, 1024);
        break;
    default:
        (void)!write(program->output, "x\ny", 3);
        break;
    }
}

static void change_launcher(struct story *s)
{
    struct pool_fixture *f = s->f;

    f->start_error = (roll(s, 4) == 0) ? "mount: no" : NULL;
    f->unpack_error = (roll(s, 6) == 0) ? "damaged" : NULL;
    f->refuses_start = roll(s, 6) == 0;
    f->says_no_hello = roll(s, 6) == 0;
    f->functions[0].is_deleted = roll(s, 8) == 0;
    pool_function_changed(f->pool, &f->functions[0]);
}

/* Limits of concurrency, and what is kept warm. */
static void change_settings(struct story *s)
{
    struct pool_fixture *f = s->f;
    int which = (int)roll(s, 3);

    if (roll(s, 2) == 0) {
        pool_reserve(f->pool, &f->functions[which], roll(s, 2) == 0, roll(s, 4));
    } else if (which != 2) { /* that one is isolated by tenants */
        (void)pool_keep_warm(f->pool, &f->revisions[which], roll(s, 3));
        pool_tend_warm(f->pool);
    }
}

static void step(struct story *s)
{
    struct call *call = &s->calls[roll(s, CALLS)];
    bool is_live = s->is_live[call - s->calls];

    switch (roll(s, 13)) {
    case 12:
        change_settings(s);
        break;
    case 0:
        if (is_live) {
            invocation_cancel(s->f->pool, &call->invocation, "story");
        }
        break;
    case 1:
        hurt_one(s);
        break;
    case 2:
        change_launcher(s);
        break;
    case 3:
        if (is_live && call->placed == 1) {
            invocation_send(s->f->pool, &call->invocation, WIRE_INVOKE, bytes_of("x", 1));
        }
        break;
    case 4:
    case 5:
    case 6:
        if (is_live) {
            answer_one(s, call);
        }
        break;
    default:
        invoke_one(s, (int)(call - s->calls));
        break;
    }
}

static bool is_over(struct story *s)
{
    check(s);
    for (int i = 0; i < CALLS; i++) {
        if (s->is_live[i]) {
            return false;
        }
    }
    return true;
}

/* From here on nothing fails, and everybody answers: all must come to an end. */
static void run_out(struct story *s)
{
    struct pool_fixture *f = s->f;

    f->start_error = NULL;
    f->unpack_error = NULL;
    f->refuses_start = false;
    f->says_no_hello = false;
    for (int i = 0; i < 3; i++) {
        pool_reserve(f->pool, &f->functions[i], false, 0);
    }
    while (!is_over(s)) {
        for (int i = 0; i < CALLS; i++) {
            struct call *call = &s->calls[i];

            if (s->is_live[i] && call->invocation.place != NULL) {
                call->does_not_send = false;
                invocation_send(f->pool, &call->invocation, WIRE_INVOKE, bytes_of("x", 1));
                answer_one(s, call);
            }
            call->does_not_send = false;
        }
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void tell(uint64_t seed)
{
    static struct story s;
    void *state;

    (void)pool_fixture_set_up(&state);
    s = (struct story){.f = state, .seed = seed};
    s.prng = (struct prng){seed};
    s.f->options.environments_max = 2 + roll(&s, 6);
    s.f->options.environments_each_max = 1 + roll(&s, 4);
    s.f->options.waiting_max = 10 + roll(&s, 30);
    s.f->options.concurrency_max = 1 + roll(&s, 8);
    s.f->options.init_ms = 5;
    s.f->options.init_again_ms = 5;
    s.f->options.grace_ms = 2;
    s.f->options.idle_ms = 1 + roll(&s, 20);
    s.f->revisions[0].config.concurrency = 1 + roll(&s, 3);
    s.f->revisions[2].config.concurrency = 1 + roll(&s, 3);
    pool_fixture_open(s.f);
    for (int i = 0; i < STEPS && s.f->unpacks < PROGRAMS_MAX - 100; i++) {
        step(&s);
        if (roll(&s, 3) == 0) {
            (void)uv_run(&s.f->loop, UV_RUN_NOWAIT);
            check(&s);
        }
    }
    if (roll(&s, 2) == 0) {
        run_out(&s);
    }
    pool_fixture_close(s.f);
    for (int i = 0; i < CALLS; i++) {
        assert_true(!s.is_live[i] || s.calls[i].ended == 1);
    }
    for (int i = 0; i < 3; i++) { /* nobody left a gate without being counted out */
        assert_int_equal(s.f->functions[i].gate.running, 0);
        assert_int_equal(s.f->functions[i].gate.waiting_count, 0);
    }
    (void)pool_fixture_tear_down(&state);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return (text != NULL) ? strtoull(text, NULL, 10) : otherwise;
}

static void test_the_rules_hold_in_every_story(void **state)
{
    uint64_t first = number_of("PAWL_SEED", 1);
    uint64_t stories = number_of("PAWL_STORIES", (getenv("PAWL_SEED") != NULL) ? 1 : 200);

    (void)state;
    for (uint64_t seed = first; seed < first + stories; seed++) {
        print_message("seed %" PRIu64 "\r", seed);
        tell(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_rules_hold_in_every_story)};

    return cmocka_run_group_tests_name("pool, random", tests, NULL, NULL);
}
