/* One core with one execution, and short ways to say what happens to it. Every
 * command that is applied is committed at once, its records are kept on a tape, and
 * an execution restored from the tape is compared with the live one. */
#ifndef TESTS_CORE_FIXTURE_H
#define TESTS_CORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/core/core.h"
#include "tests/core/tape.h"

#define T0 1700000000000 /* when each test begins, epoch ms */

struct fixture {
    struct core_limits limits;
    struct core *core;
    struct actions actions; /* of the last command */
    struct exec *exec;      /* the one of fixture_start() */
    struct tape tape;
    int64_t now_ms;
    uint32_t seq;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* PAWL_SEED, or a fixed one; printed, so that a failed run can be repeated. */
struct prng fixture_seed(void);

struct id fixture_id(uint8_t number);
struct bytes text(const char *characters);

/* A START of execution 1 named "order", to be changed and applied. */
struct command fixture_start_command(void);

/* START, as above; attempt 1 runs afterwards. */
void fixture_start(struct fixture *fixture);

/* A zero exec_id means the execution, zero now_ms means now. What was applied is
 * committed. Returns what core_apply() did. */
int fixture_apply(struct fixture *fixture, struct command command);

/* From the running attempt, with the next seq; counts it when it is accepted. */
int fixture_checkpoint(struct fixture *fixture, const struct op_update *updates, uint32_t count);

/* One update that is accepted. */
void fixture_update(struct fixture *fixture, struct op_update update);

/* One update that is refused with this text, changing nothing. */
void fixture_refused(struct fixture *fixture, struct op_update update, const char *message);

int fixture_complete(struct fixture *fixture, enum outcome outcome);
int fixture_tick(struct fixture *fixture, int64_t now_ms);
void fixture_suspend(struct fixture *fixture); /* COMPLETE with PENDING, no attempt after it */

struct op *fixture_op(const struct fixture *fixture, const char *id);

/* As after a restart: the same records in a new core; no attempt is live. */
void fixture_restart(struct fixture *fixture);

/* The kinds of the last command's records and actions, in order. */
#define EXPECT_RECORDS(fixture, ...)                                                               \
    fixture_expect_records(fixture, (const enum record_kind[]){__VA_ARGS__, RECORD_NONE})
#define EXPECT_ACTIONS(fixture, ...) fixture_expect_actions(fixture, (const int[]){__VA_ARGS__, -1})
#define EXPECT_NO_RECORDS(fixture) assert_int_equal((fixture)->actions.record_count, 0)
#define EXPECT_NO_ACTIONS(fixture) assert_int_equal((fixture)->actions.count, 0)
void fixture_expect_records(const struct fixture *fixture, const enum record_kind *kinds);
void fixture_expect_actions(const struct fixture *fixture, const int *kinds);

#define EXPECT_TEXT(bytes, characters) assert_true(bytes_equal(bytes, text(characters)))

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif /* TESTS_CORE_FIXTURE_H */
