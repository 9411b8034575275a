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

#include "tests/journal/fixture.h"

#define SLOTS 24U
#define STEPS_PER_EXECUTION 6U
#define ROUNDS_OF_CONTROL 200U

struct ack {
    uint32_t slot;
    uint32_t execution; /* of the slot, from 0 */
    uint32_t step;      /* from 1 */
    uint32_t zero;
};

struct slot {
    struct journal_append append;
    struct child *child;
    struct buf frame;
    uint32_t number;
    uint32_t execution;
    uint32_t step;
    struct made made;
    struct prng prng;
};

struct child {
    struct fixture *f;
    uint64_t seed;
    int fd;
    bool is_too_early; /* the planted bug */
    struct slot slots[SLOTS];
};

static uint64_t first_seed = 1;
static uint64_t rounds = 30;

/* --- what is written: the same in the child and in the checker ------------------------- */

static void begin_execution(struct made *made, struct prng *prng, uint64_t seed, uint32_t slot,
                            uint32_t execution)
{
    prng->state = seed * 1000003 + slot * 10007 + execution;
    made_init(made, prng, 1000 + (int64_t)execution);
}

static void next_frame(struct made *made, struct prng *prng, uint32_t step, struct buf *ret_frame)
{
    struct made_step next = {.status = EXEC_RUNNING,
                             .events = 1 + prng_below(prng, 3),
                             .notes = 1,
                             .time_ms = 2000,
                             .wake_ms = prng_below(prng, 5),
                             .payload = 50 + prng_below(prng, 400)};

    if (prng_below(prng, 50) == 0) {
        next.payload = 40000; /* in pieces */
    }
    if (step == STEPS_PER_EXECUTION) {
        next.status = EXEC_SUCCEEDED;
        next.wake_ms = 0;
    }
    made_step(made, prng, &next, ret_frame);
}

/* --- the child --------------------------------------------------------------------------- */

static void acknowledge(const struct slot *slot)
{
    struct ack ack = {.slot = slot->number, .execution = slot->execution, .step = slot->step};

    if (write(slot->child->fd, &ack, sizeof ack) != sizeof ack) {
        _exit(1); /* the parent is gone */
    }
}

static void append_step(struct slot *slot);

static void on_durable(struct journal_append *req)
{
    struct slot *slot = container_of(req, struct slot, append);

    if (!slot->child->is_too_early) {
        acknowledge(slot);
    }
    append_step(slot);
}

static void append_step(struct slot *slot)
{
    if (slot->step == STEPS_PER_EXECUTION) {
        slot->execution++;
        slot->step = 0;
    }
    if (slot->step == 0) {
        made_fini(&slot->made);
        begin_execution(&slot->made, &slot->prng, slot->child->seed, slot->number, slot->execution);
    }
    slot->step++;
    slot->frame.len = 0;
    next_frame(&slot->made, &slot->prng, slot->step, &slot->frame);
    slot->append.kind = JOURNAL_FRAME;
    slot->append.data = buf_bytes(&slot->frame);
    journal_append(slot->child->f->journal, &slot->append, on_durable);
    if (slot->child->is_too_early) {
        acknowledge(slot);
    }
}

static _Noreturn void run_child(struct fixture *f, uint64_t seed, int fd, bool is_too_early)
{
    static struct child child;

    child = (struct child){.f = f, .seed = seed, .fd = fd, .is_too_early = is_too_early};
    if (uv_loop_init(&f->loop) != 0 ||
        journal_open(&f->journal, &f->loop, f->dir, &f->options) != 0) {
        _exit(2);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        child.slots[i].number = i;
        child.slots[i].child = &child;
        append_step(&child.slots[i]);
    }
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    _exit(3); /* never idle */
}

/* --- the ledger ---------------------------------------------------------------------------- */

struct ledger {
    uint32_t execution[SLOTS]; /* the last one acknowledged */
    uint32_t step[SLOTS];      /* of it; 0 = none */
    uint64_t acks;
};

/* In the order of the pipe; a later one of a slot says that the earlier ones held. */
static void note_ack(struct ledger *ledger, const struct ack *ack)
{
    assert_true(ack->slot < SLOTS);
    ledger->execution[ack->slot] = ack->execution;
    ledger->step[ack->slot] = ack->step;
    ledger->acks++;
}

static bool read_ack(int fd, struct ledger *ledger)
{
    struct ack ack;
    ssize_t len = read(fd, &ack, sizeof ack); /* whole: less than PIPE_BUF */

    assert_true(len == 0 || len == sizeof ack);
    if (len != 0) {
        note_ack(ledger, &ack);
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

/* --- the checker ---------------------------------------------------------------------------- */

static int collect(void *arg, struct bytes frame)
{
    buf_append(arg, frame.data, frame.len);
    return 0;
}

/* How many steps of the execution are there: each must be what was written. */
static uint32_t count_steps(struct fixture *f, uint64_t seed, uint32_t slot, uint32_t execution)
{
    struct made made;
    struct prng prng;
    struct buf found = {0};
    struct buf frame = {0};
    uint32_t steps = 0;
    int r;

    begin_execution(&made, &prng, seed, slot, execution);
    r = journal_read_frames(f->journal, &made.head.exec_id, 1, collect, &found);
    assert_true(r == 0 || r == JOURNAL_NOT_FOUND);
    while (made.frames.len < found.len && steps < STEPS_PER_EXECUTION) {
        steps++;
        frame.len = 0;
        next_frame(&made, &prng, steps, &frame);
        assert_true(made.frames.len <= found.len);
        assert_memory_equal(found.data, made.frames.data, made.frames.len);
    }
    assert_int_equal(found.len, made.frames.len);
    if (steps > 0) {
        assert_made(f, &made);
    }
    made_fini(&made);
    buf_fini(&found);
    buf_fini(&frame);
    return steps;
}

static uint64_t count_lost(struct fixture *f, uint64_t seed, const struct ledger *ledger)
{
    uint64_t lost = 0;

    fixture_open(f);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        for (uint32_t n = 0; ledger->step[slot] > 0 && n <= ledger->execution[slot] + 1; n++) {
            uint32_t wanted = (n < ledger->execution[slot])    ? STEPS_PER_EXECUTION
                              : (n == ledger->execution[slot]) ? ledger->step[slot]
                                                               : 0;

            lost += (count_steps(f, seed, slot, n) < wanted) ? 1 : 0;
        }
    }
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
