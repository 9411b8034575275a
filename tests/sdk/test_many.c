#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sdk/lib/service.h"
#include "tests/sdk/crowd.h"

#define STEPS 20

static int count(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    *ret_result = pawl_format(ctx, "%d", *(const int *)arg);
    return PAWL_OK;
}

static int steps(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    for (int i = 1; i <= STEPS; i++) {
        PAWL_TRY(pawl_step(ctx, "count", count, &i, NULL, ret));
    }
    return PAWL_OK;
}

static int one_branch(struct pawl_context *ctx, struct pawl_value item, size_t index, void *arg,
                      struct pawl_value *ret_result)
{
    int number = (int)index;

    (void)item;
    (void)arg;
    PAWL_TRY(pawl_step(ctx, NULL, count, &number, NULL, NULL));
    pawl_info(ctx, "branch %d", number);
    return pawl_step(ctx, NULL, count, &number, NULL, ret_result);
}

static int branches(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value items[6] = {{0}};
    struct pawl_batch batch;

    (void)input;
    PAWL_TRY(pawl_map(ctx, NULL, items, 6, one_branch, NULL, NULL, &batch));
    *ret = batch.items[5].result;
    return PAWL_OK;
}

struct side {
    int fd;
    struct service_options options;
    int r;
};

static void *run_side(void *arg)
{
    struct side *side = arg;

    side->r = service_run(side->fd, &side->options);
    return NULL;
}

static void run_crowd(struct crowd *crowd, pawl_handler_fn *handler, const char *expected)
{
    struct side side = {.options = {.handler = handler, .tick_ms = TICK_MS_DEFAULT}};
    pthread_t thread;
    int fds[2];
    bool is_well;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    crowd->fd = fds[0];
    side.fd = fds[1];
    assert_int_equal(pthread_create(&thread, NULL, run_side, &side), 0);
    is_well = crowd_run(crowd, expected);
    (void)shutdown(fds[0], SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fds[0]);
    assert_true(is_well);
    assert_int_equal(side.r, 0);
}

static void test_256_executions_run_at_once(void **state)
{
    struct crowd crowd = {.executions = 256, .rounds = 4};

    (void)state;
    run_crowd(&crowd, steps, "20");
    assert_int_equal(crowd.completes, 1024);
    assert_int_equal(crowd.failures, 0);
    assert_int_equal(crowd.updates, 1024 * STEPS * 2);
}

static void test_many_executions_with_branches_run_at_once(void **state)
{
    struct crowd crowd = {.executions = 32, .rounds = 4};

    (void)state;
    run_crowd(&crowd, branches, "5");
    assert_int_equal(crowd.completes, 128);
    assert_int_equal(crowd.failures, 0);
    assert_int_equal(crowd.updates, 128 * (2 + 6 * (2 + 4)));
}

static void test_daemon_may_go_at_any_time(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct side side = {.options = {.handler = branches, .tick_ms = 1}};
        struct crowd crowd = {.executions = 16, .rounds = 1 + i};
        pthread_t thread;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        crowd.fd = fds[0];
        side.fd = fds[1];
        assert_int_equal(pthread_create(&thread, NULL, run_side, &side), 0);
        assert_true(crowd_run(&crowd, "5"));
        crowd.executions = 64; /* these are not awaited */
        crowd.rounds = 1;
        crowd.completes = 60;
        (void)crowd_run(&crowd, "5");
        close(fds[0]);
        pthread_join(thread, NULL);
        assert_int_equal(side.r, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_256_executions_run_at_once),
        cmocka_unit_test(test_many_executions_with_branches_run_at_once),
        cmocka_unit_test(test_daemon_may_go_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
