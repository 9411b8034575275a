/* The commands, one function each, here or in attempt.c, arrival.c and tick.c: check against
 * the committed state, then make records (turn_record applies them at once) and actions. */
#include "engine/core/core.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/core/arrival.h"
#include "engine/core/attempt.h"
#include "engine/core/execution_edit.h"
#include "engine/core/tick.h"

struct core {
    struct core_limits limits;
    struct table by_id;
    struct table by_name;
    struct list ready; /* struct exec.ready_link: free, with commands that waited */
    struct prng prng;
    uint32_t id_counter;
    struct arena arena;
};

const struct core_limits core_limits_default = {
    .executions_max = 200000,
    .operations_max = 30000,
    .events_max = 100000,
    .history_bytes_max = 100U << 20,
    .waiting_max = 1000,
    .failures_max = 10,
    .failure_backoff_s = 1,
    .failure_backoff_max_s = 300,
};

int core_create(struct core **ret_core, const struct core_limits *limits)
{
    struct core *core = mem_calloc(1, sizeof *core);

    if (core == NULL) {
        return ERR(ERR_NOMEM, "core");
    }
    core->limits = *limits;
    core->prng.state = limits->seed;
    list_init(&core->ready);
    arena_init(&core->arena, 0);
    *ret_core = core;
    return 0;
}

void core_destroy(struct core *core)
{
    struct table_node *node;
    size_t bucket = 0;

    if (core == NULL) {
        return;
    }
    while ((node = table_walk(&core->by_id, &bucket, NULL)) != NULL) {
        bucket--; /* the chain of this bucket is taken from its front */
        table_remove(&core->by_id, node);
        exec_destroy(container_of(node, struct exec, by_id));
    }
    table_fini(&core->by_id);
    table_fini(&core->by_name);
    arena_fini(&core->arena);
    mem_free(core);
}

const struct core_limits *core_get_limits(const struct core *core)
{
    return &core->limits;
}

struct id core_make_id(struct core *core, int64_t now_ms)
{
    return id_make(now_ms, 0, core->id_counter++, &core->prng);
}

uint32_t core_count(const struct core *core)
{
    return (uint32_t)core->by_id.count;
}

struct table_node *core_walk(const struct core *core, size_t *bucket, const struct table_node *last)
{
    return table_walk(&core->by_id, bucket, last);
}

/* --- finding --------------------------------------------------------------------- */

struct exec *core_find(const struct core *core, const struct id *exec_id)
{
    struct table_node *node = table_first(&core->by_id, id_hash(exec_id));

    for (; node != NULL; node = table_next(node)) {
        struct exec *exec = container_of(node, struct exec, by_id);

        if (id_equal(&exec->id, exec_id)) {
            return exec;
        }
    }
    return NULL;
}

static uint64_t name_hash(const struct id *function_id, struct bytes name)
{
    return table_hash(name) ^ id_hash(function_id);
}

struct exec *core_find_name(const struct core *core, const struct id *function_id,
                            struct bytes name)
{
    struct table_node *node = table_first(&core->by_name, name_hash(function_id, name));

    for (; node != NULL; node = table_next(node)) {
        struct exec *exec = container_of(node, struct exec, by_name);

        if (id_equal(&exec->function_id, function_id) && bytes_equal(exec->name, name)) {
            return exec;
        }
    }
    return NULL;
}

static int add_exec(struct core *core, const struct id *id, struct exec **ret_exec)
{
    struct exec *exec = exec_create(id);
    int r;

    if (exec == NULL) {
        return ERR(ERR_NOMEM, "execution");
    }
    r = table_insert(&core->by_id, &exec->by_id, id_hash(id));
    if (r != 0) {
        exec_destroy(exec);
        return r;
    }
    *ret_exec = exec;
    return 0;
}

static int add_name(struct core *core, struct exec *exec)
{
    int r = table_insert(&core->by_name, &exec->by_name, name_hash(&exec->function_id, exec->name));

    exec->is_named = r == 0;
    return r;
}

static void forget(struct core *core, struct exec *exec)
{
    table_remove(&core->by_id, &exec->by_id);
    if (exec->is_named) {
        table_remove(&core->by_name, &exec->by_name);
    }
    list_remove(&exec->ready_link);
    exec_destroy(exec);
}

/* --- waiting --------------------------------------------------------------------- */

static int wait_for(struct turn *turn, struct command *command, int answer)
{
    struct exec *exec = turn->exec;

    if (exec->waiting_count >= turn->core->limits.waiting_max && command->kind != COMMAND_TICK &&
        command->kind != COMMAND_COMPLETE && command->kind != COMMAND_STOP) {
        return turn_refuse(turn, REFUSAL_FULL, "too many requests wait for this execution");
    }
    list_push_back(&exec->waiting, &command->link);
    exec->waiting_count++;
    return answer;
}

static void mark_ready(struct core *core, struct exec *exec)
{
    if (exec->waiting_count > 0 && list_is_empty(&exec->ready_link)) {
        list_push_back(&core->ready, &exec->ready_link);
    }
}

void core_committed(struct core *core, struct exec *exec)
{
    assert(exec->is_committing);
    exec->is_committing = false;
    mark_ready(core, exec);
}

struct command *core_next(struct core *core)
{
    while (!list_is_empty(&core->ready)) {
        struct exec *exec = container_of(core->ready.next, struct exec, ready_link);

        if (exec->is_committing || exec->waiting_count == 0) {
            list_remove(&exec->ready_link); /* it comes back with core_committed() */
            continue;
        }
        exec->waiting_count--;
        return container_of(list_pop_front(&exec->waiting), struct command, link);
    }
    return NULL;
}

/* --- the commands ------------------------------------------------------------------ */

static struct exec *find_started(const struct core *core, const struct command *command)
{
    struct exec *exec = NULL;

    if (command->started.name.len > 0) {
        exec = core_find_name(core, &command->function_id, command->started.name);
    }
    return (exec != NULL) ? exec : core_find(core, &command->exec_id);
}

static int start_new(struct turn *turn)
{
    const struct command *command = turn->command;
    int r;

    if (turn->exec == NULL) {
        if (core_count(turn->core) >= turn->core->limits.executions_max) {
            return turn_refuse(turn, REFUSAL_FULL, "too many executions are running");
        }
        r = add_exec(turn->core, &command->exec_id, &turn->exec);
        if (r != 0) {
            return r;
        }
    }
    turn->exec->is_missing = false;
    turn->exec->state = EXEC_HOT;
    turn->exec->tenant = command->tenant;
    turn->exec->function_id = command->function_id;
    turn_record(turn, command->started);
    if (turn->error != 0) {
        return turn->error;
    }
    r = add_name(turn->core, turn->exec);
    if (r != 0) {
        return r;
    }
    turn->actions->is_new = true;
    turn_dispatch(turn);
    return 0;
}

static int on_start(struct turn *turn)
{
    const struct exec *exec = turn->exec;

    if (exec == NULL || exec->is_missing) {
        return start_new(turn);
    }
    if (memcmp(exec->digest, turn->command->started.digest, sizeof exec->digest) != 0) {
        return turn_refuse(turn, REFUSAL_CONFLICT, "the name is in use with another payload");
    }
    return 0;
}

static int on_notified(struct turn *turn)
{
    if (exec_is_closed(turn->exec) && !turn->exec->is_parent_notified) {
        turn_record(turn, (struct record){.kind = NOTE_PARENT_NOTIFIED});
    }
    return 0;
}

static int on_stop(struct turn *turn)
{
    if (!exec_is_closed(turn->exec)) {
        turn_end(turn, EXECUTION_STOPPED, false, (struct bytes){0}, turn->command->has_error,
                 turn->command->error);
    }
    return 0;
}

static int on_redrive(struct turn *turn)
{
    if (!turn->exec->is_held) {
        return turn_refuse(turn, REFUSAL_INVALID, "the execution is not held");
    }
    turn_record(turn, (struct record){.kind = NOTE_REDRIVEN});
    turn_wake(turn);
    return 0;
}

static int decide(struct turn *turn)
{
    switch (turn->command->kind) {
    case COMMAND_START:
        return on_start(turn);
    case COMMAND_CHECKPOINT:
        return attempt_checkpoint(turn);
    case COMMAND_COMPLETE:
        return attempt_complete(turn);
    case COMMAND_CALLBACK:
        return arrival_callback(turn);
    case COMMAND_CHAINED_ENDED:
        return arrival_chained_result(turn);
    case COMMAND_NOTIFIED:
        return on_notified(turn);
    case COMMAND_STOP:
        return on_stop(turn);
    case COMMAND_TICK:
        return tick_perform(turn);
    case COMMAND_REDRIVE:
        return on_redrive(turn);
    case COMMAND_READ:
        return 0;
    }
    return 0;
}

/* Where the execution is not hot: START of a new one goes on with exec NULL; the
 * invocation of an execution that is not hot has ended; the rest is loaded. */
static int find_absent(struct turn *turn, struct command *command)
{
    int r;

    if (command->kind == COMMAND_START && !command->is_known) {
        return 0;
    }
    if (command->kind == COMMAND_CHECKPOINT || command->kind == COMMAND_COMPLETE) {
        return turn_refuse(turn, REFUSAL_STALE, "Invalid Checkpoint Token");
    }
    if (core_count(turn->core) >= turn->core->limits.executions_max &&
        command->kind != COMMAND_STOP && command->kind != COMMAND_TICK) {
        return turn_refuse(turn, REFUSAL_FULL, "too many executions are in memory");
    }
    r = add_exec(turn->core, &command->exec_id, &turn->exec);
    return (r != 0) ? r : wait_for(turn, command, CORE_LOAD);
}

/* An id may be asked for between its choice and its start (that of a child stands in
 * its parent's history): what was then found missing can be started all the same.
 * What is in the journal and damaged cannot. */
static bool starts_anew(const struct exec *missing, const struct command *command)
{
    return command->kind == COMMAND_START && !command->is_known && missing->records == 0;
}

const char core_damaged_message[] =
    "The records of this execution are damaged. It can be stopped; `pawl verify` tells which "
    "record, and a backup has it.";

/* A damaged execution can be looked at and ended, and its parent told of the end. */
static bool is_harmless(enum command_kind kind)
{
    return kind == COMMAND_STOP || kind == COMMAND_READ || kind == COMMAND_TICK ||
           kind == COMMAND_NOTIFIED;
}

int core_apply(struct core *core, struct command *command, struct actions *ret_actions)
{
    struct turn turn = {
        .core = core, .command = command, .arena = &core->arena, .actions = ret_actions};
    int r;

    arena_reset(&core->arena);
    *ret_actions = (struct actions){0};
    turn.exec = (command->kind == COMMAND_START) ? find_started(core, command)
                                                 : core_find(core, &command->exec_id);
    if (turn.exec == NULL) {
        r = find_absent(&turn, command);
        if (r != 0) {
            return r;
        }
    } else if (turn.exec->state == EXEC_LOADING || turn.exec->is_committing) {
        return wait_for(&turn, command, CORE_WAITS);
    }
    if (turn.exec != NULL && turn.exec->is_missing && !starts_anew(turn.exec, command)) {
        return turn_refuse(&turn, REFUSAL_NOT_FOUND, "there is no such execution");
    }
    if (turn.exec != NULL && turn.exec->is_damaged && !is_harmless(command->kind)) {
        return turn_refuse(&turn, REFUSAL_DAMAGED, core_damaged_message);
    }
    r = decide(&turn);
    ret_actions->exec = turn.exec;
    if (turn.error != 0) {
        return (turn.error < 0) ? turn.error : ERR_CORRUPT;
    }
    if (r == 0 && ret_actions->record_count > 0) {
        turn.exec->is_committing = true;
    }
    return r;
}

/* --- loading and forgetting ---------------------------------------------------------- */

int core_load(struct core *core, const struct id *exec_id, struct exec **ret_exec)
{
    struct exec *exec = core_find(core, exec_id);

    if (exec != NULL) {
        *ret_exec = exec;
        return 0;
    }
    return add_exec(core, exec_id, ret_exec);
}

int core_restore(struct core *core, struct exec *exec, uint64_t tenant,
                 const struct id *function_id, const struct record *record)
{
    int r;

    assert(exec->state == EXEC_LOADING);
    r = exec_evolve(exec, record);
    if (r != 0 || record->kind != EXECUTION_STARTED) {
        return r;
    }
    exec->tenant = tenant;
    exec->function_id = *function_id;
    return add_name(core, exec);
}

/* Of one that is not there, or is damaged, the waiting commands come out of
 * core_next() too: they find an execution that was never started. */
void core_loaded(struct core *core, struct exec *exec, bool is_found)
{
    assert(exec->state == EXEC_LOADING);
    exec->state = EXEC_HOT;
    exec->is_missing = !is_found;
    mark_ready(core, exec);
}

int core_loaded_damaged(struct core *core, struct exec *exec, const struct exec_head *head)
{
    int r = exec_take_head(exec, head);

    if (r == 0 && !exec->is_named) {
        r = add_name(core, exec);
    }
    core_loaded(core, exec, r == 0);
    return r;
}

bool core_can_evict(const struct exec *exec)
{
    return exec->state == EXEC_HOT && !exec->is_committing && exec->waiting_count == 0 &&
           list_is_empty(&exec->ready_link) &&
           (exec->is_missing || exec_wake_ms(exec) != EXEC_WAKE_NOW);
}

void core_evict(struct core *core, struct exec *exec)
{
    assert(core_can_evict(exec));
    forget(core, exec);
}

void core_chain_sent(struct exec *exec, struct op *op)
{
    exec_chain_sent(exec, op);
}

void core_delivered(struct exec *exec)
{
    assert(!exec->is_committing);
    exec->delivered_no = exec->change_no;
    exec->reply_no = exec->change_no;
}
