#include "tests/core/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tests/core/same.h"

struct bytes text(const char *characters)
{
    return bytes_of_text(characters);
}

struct id fixture_id(uint8_t number)
{
    return (struct id){.bytes = {[0] = 1, [15] = number}};
}

struct prng fixture_seed(void)
{
    const char *seed = getenv("PAWL_SEED");
    struct prng prng = {.state = (seed != NULL) ? strtoull(seed, NULL, 10) : 20261123};

    (void)printf("PAWL_SEED=%" PRIu64 "\n", prng.state);
    return prng;
}

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    if (fixture == NULL) {
        return -1;
    }
    fixture->limits = core_limits_default;
    fixture->limits.seed = 7;
    fixture->now_ms = T0;
    *state = fixture;
    return core_create(&fixture->core, &fixture->limits);
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    mem_set_hook(NULL);
    err_set_sink(NULL);
    core_destroy(fixture->core);
    tape_fini(&fixture->tape);
    free(fixture);
    return 0;
}

struct command fixture_start_command(void)
{
    return (struct command){
        .kind = COMMAND_START,
        .exec_id = fixture_id(1),
        .tenant = 123456789012,
        .function_id = fixture_id(9),
        .started =
            {
                .kind = EXECUTION_STARTED,
                .name = text("order"),
                .has_payload = true,
                .payload = text("{\"items\":1}"),
                .function = text("arn:f:$LATEST"),
                .exec_kind = EXEC_DURABLE,
                .timeout_s = 86400,
                .retention_days = 14,
                .digest = {1, 2, 3},
            },
    };
}

/* The restored execution is compared in a core of its own. */
static void check_restored(const struct fixture *fixture)
{
    struct core *core;
    struct exec *restored;
    const char *field;

    assert_int_equal(core_create(&core, &fixture->limits), 0);
    assert_int_equal(core_load(core, &fixture->exec->id, &restored), 0);
    for (uint32_t i = 0; i < fixture->tape.count; i++) {
        assert_int_equal(core_restore(core, restored, fixture->exec->tenant,
                                      &fixture->exec->function_id, &fixture->tape.records[i]),
                         0);
    }
    field = same_difference(fixture->exec, restored);
    if (field != NULL) {
        fail_msg("restored differently: %s", field);
    }
    core_destroy(core);
}

static void commit(struct fixture *fixture)
{
    const struct actions *actions = &fixture->actions;

    if (actions->exec != fixture->exec) {
        core_committed(fixture->core, actions->exec);
        return;
    }
    for (uint32_t i = 0; i < actions->record_count; i++) {
        tape_add(&fixture->tape, &actions->records[i]);
    }
    check_restored(fixture);
    core_committed(fixture->core, actions->exec);
}

int fixture_apply(struct fixture *fixture, struct command command)
{
    int r;

    if (id_is_none(&command.exec_id)) {
        command.exec_id = fixture_id(1);
    }
    if (command.now_ms == 0) {
        command.now_ms = fixture->now_ms;
    }
    r = core_apply(fixture->core, &command, &fixture->actions);
    if (fixture->exec == NULL && fixture->actions.is_new) {
        fixture->exec = fixture->actions.exec;
    }
    if (r != 0) {
        assert_int_equal(fixture->actions.record_count, 0);
        assert_int_equal(fixture->actions.count, 0);
    } else if (fixture->actions.record_count > 0) {
        commit(fixture);
    }
    return r;
}

void fixture_start(struct fixture *fixture)
{
    assert_int_equal(fixture_apply(fixture, fixture_start_command()), 0);
    assert_true(fixture->actions.is_new);
    fixture->seq = 0;
}

int fixture_checkpoint(struct fixture *fixture, const struct op_update *updates, uint32_t count)
{
    int r = fixture_apply(fixture, (struct command){
                                       .kind = COMMAND_CHECKPOINT,
                                       .attempt = fixture->exec->attempt,
                                       .seq = fixture->exec->seq + 1,
                                       .updates = updates,
                                       .update_count = count,
                                   });

    fixture->seq = fixture->exec->seq;
    return r;
}

void fixture_update(struct fixture *fixture, struct op_update update)
{
    int r = fixture_checkpoint(fixture, &update, 1);

    if (r != 0) {
        fail_msg("refused: %s", fixture->actions.message);
    }
}

void fixture_refused(struct fixture *fixture, struct op_update update, const char *message)
{
    assert_int_equal(fixture_checkpoint(fixture, &update, 1), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_INVALID);
    assert_string_equal(fixture->actions.message, message);
}

int fixture_complete(struct fixture *fixture, enum outcome outcome)
{
    bool is_bad = outcome != OUTCOME_SUCCEEDED && outcome != OUTCOME_PENDING;

    return fixture_apply(fixture, (struct command){
                                      .kind = COMMAND_COMPLETE,
                                      .attempt = fixture->exec->attempt,
                                      .outcome = outcome,
                                      .has_payload = outcome == OUTCOME_SUCCEEDED,
                                      .payload = (outcome == OUTCOME_SUCCEEDED) ? text("\"done\"")
                                                                                : (struct bytes){0},
                                      .has_error = is_bad,
                                      .error = is_bad ? text("bad") : (struct bytes){0},
                                  });
}

int fixture_tick(struct fixture *fixture, int64_t now_ms)
{
    fixture->now_ms = now_ms;
    return fixture_apply(fixture, (struct command){.kind = COMMAND_TICK});
}

void fixture_suspend(struct fixture *fixture)
{
    assert_int_equal(fixture_complete(fixture, OUTCOME_PENDING), 0);
    assert_false(fixture->exec->is_running);
}

struct op *fixture_op(const struct fixture *fixture, const char *id)
{
    struct op *op = exec_find_op(fixture->exec, text(id));

    assert_non_null(op);
    return op;
}

void fixture_restart(struct fixture *fixture)
{
    struct exec *exec;
    struct id function_id = fixture_id(9);

    core_destroy(fixture->core);
    assert_int_equal(core_create(&fixture->core, &fixture->limits), 0);
    assert_int_equal(core_load(fixture->core, &(struct id){.bytes = {[0] = 1, [15] = 1}}, &exec),
                     0);
    for (uint32_t i = 0; i < fixture->tape.count; i++) {
        assert_int_equal(core_restore(fixture->core, exec, 123456789012, &function_id,
                                      &fixture->tape.records[i]),
                         0);
    }
    core_loaded(fixture->core, exec, true);
    fixture->exec = exec;
}

void fixture_expect_records(const struct fixture *fixture, const enum record_kind *kinds)
{
    const struct actions *actions = &fixture->actions;
    uint32_t at = 0;

    for (; kinds[at] != RECORD_NONE; at++) {
        assert_true(at < actions->record_count);
        assert_string_equal(record_kind_text(actions->records[at].kind),
                            record_kind_text(kinds[at]));
    }
    assert_int_equal(actions->record_count, at);
}

void fixture_expect_actions(const struct fixture *fixture, const int *kinds)
{
    const struct actions *actions = &fixture->actions;
    uint32_t at = 0;

    for (; kinds[at] >= 0; at++) {
        assert_true(at < actions->count);
        assert_int_equal(actions->items[at].kind, kinds[at]);
    }
    assert_int_equal(actions->count, at);
}
