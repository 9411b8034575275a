/* A child appends and says on a pipe what was acknowledged; it is killed with -9 at
 * random moments, and the journal is opened again. What is on the pipe, an outside
 * ledger, must be there, and all that is there must be what the child wrote.
 *
 *     test_kill [SEED [ROUNDS]]
 *
 * The control: a child that acknowledges before the commit must be found out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/journal/ledger.h"

#define ROUNDS_OF_CONTROL 200U

static uint64_t first_seed = 1;
static uint64_t rounds = 30;

static void send_ack(void *arg, const struct ack *ack)
{
    if (write(*(int *)arg, ack, sizeof *ack) != sizeof *ack) {
        _exit(1); /* the parent is gone */
    }
}

static _Noreturn void run_child(struct fixture *f, uint64_t seed, int fd, bool is_too_early)
{
    struct load load = {
        .seed = seed, .is_too_early = is_too_early, .acknowledge = send_ack, .arg = &fd};

    if (uv_loop_init(&f->loop) != 0 ||
        journal_open(&f->journal, &f->loop, f->dir, &f->options) != 0) {
        _exit(2);
    }
    load_start(f->journal, &load);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    _exit(3); /* never idle */
}

static bool read_ack(int fd, struct ledger *ledger)
{
    struct ack ack;
    ssize_t len = read(fd, &ack, sizeof ack); /* whole: less than PIPE_BUF */

    assert_true(len == 0 || len == sizeof ack);
    if (len != 0) {
        ledger_note(ledger, &ack);
    }
    return len != 0;
}

/* Kills after a random number of acknowledgements and a random moment more. */
static void kill_child(pid_t pid, int fd, struct prng *prng, struct ledger *ledger)
{
    uint64_t until = (prng_below(prng, 5) == 0) ? 0 : prng_below(prng, 2000);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct timespec moment = {.tv_nsec = prng_below(prng, 3000000)};
    int status;

    while (ledger->acks < until && poll(&poll_fd, 1, 30000) == 1 && read_ack(fd, ledger)) {
    }
    assert_true(ledger->acks >= until); /* else the child ended by itself, or hangs */
    (void)nanosleep(&moment, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read_ack(fd, ledger)) {
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void run_and_kill(struct fixture *f, uint64_t seed, bool is_too_early, struct ledger *ledger)
{
    struct prng prng = {.state = seed ^ 0x9E37};
    int fds[2];
    pid_t pid;

    *ledger = (struct ledger){.acks = 0};
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        run_child(f, seed, fds[1], is_too_early);
    }
    (void)close(fds[1]);
    kill_child(pid, fds[0], &prng, ledger);
    (void)close(fds[0]);
}

static uint64_t count_lost(struct fixture *f, uint64_t seed, const struct ledger *ledger)
{
    uint64_t lost;

    fixture_open(f);
    lost = ledger_count_lost(f, seed, ledger);
    fixture_close(f);
    return lost;
}

static void test_nothing_acknowledged_is_lost_by_kill_9(void **state)
{
    struct fixture f;
    struct ledger ledger;
    uint64_t acks = 0;

    (void)state;
    fixture_init(&f);
    for (uint64_t i = 0; i < rounds; i++) {
        run_and_kill(&f, first_seed + i, false, &ledger);
        acks += ledger.acks;
        if (count_lost(&f, first_seed + i, &ledger) != 0) {
            fail_msg("seed %llu: an acknowledged entry is lost",
                     (unsigned long long)(first_seed + i));
        }
    }
    print_message("seed %llu: %llu rounds, %llu acknowledgements\n", (unsigned long long)first_seed,
                  (unsigned long long)rounds, (unsigned long long)acks);
    fixture_fini(&f);
}

static void test_control_an_early_acknowledgement_is_found_out(void **state)
{
    struct fixture f;
    struct ledger ledger;
    uint64_t lost = 0;

    (void)state;
    fixture_init(&f);
    for (uint64_t i = 0; lost == 0 && i < ROUNDS_OF_CONTROL; i++) {
        run_and_kill(&f, first_seed + i, true, &ledger);
        lost = count_lost(&f, first_seed + i, &ledger);
    }
    assert_true(lost > 0);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost_by_kill_9),
        cmocka_unit_test(test_control_an_early_acknowledgement_is_found_out),
    };

    first_seed = (argc > 1) ? strtoull(argv[1], NULL, 10) : first_seed;
    rounds = (argc > 2) ? strtoull(argv[2], NULL, 10) : rounds;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
