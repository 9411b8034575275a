/* Environments: each runs its program from what it knows of the operations, as an SDK
 * does. It learns only what an answer brings. Some vanish, some repeat themselves,
 * some speak after they were replaced. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/story.h"

static const struct program *program_of(const struct world *world, const struct worker *worker)
{
    return world->slots[worker->slot].program;
}

static struct worker *free_worker(struct world *world)
{
    struct worker *found = NULL;

    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        if (world->workers[i].state == WORKER_NONE) {
            return &world->workers[i];
        }
        if (world->workers[i].is_zombie) {
            found = &world->workers[i];
        }
    }
    return found;
}

void worker_start(struct world *world, uint32_t slot, uint32_t attempt)
{
    struct worker *worker = free_worker(world);

    if (worker == NULL) {
        abort();
    }
    *worker = (struct worker){.state = WORKER_BOOTING,
                              .serial = ++world->worker_serial,
                              .slot = slot,
                              .attempt = attempt};
    tell(world, "%s: worker of attempt %u", world->slots[slot].name, attempt);
}

static struct worker *live_worker(struct world *world, uint32_t slot)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = &world->workers[i];

        if (worker->state != WORKER_NONE && worker->slot == slot && !worker->is_zombie) {
            return worker;
        }
    }
    return NULL;
}

static void cut_off(struct world *world, struct worker *worker)
{
    worker->is_zombie = true;
    if (worker->state != WORKER_RUNNING || world->is_calm || one_in(world, 2)) {
        worker->state = WORKER_NONE;
    }
}

void worker_fence(struct world *world, uint32_t slot)
{
    struct worker *worker = live_worker(world, slot);

    if (worker != NULL) {
        cut_off(world, worker);
    }
}

void worker_kill_all(struct world *world)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        if (world->workers[i].state != WORKER_NONE) {
            cut_off(world, &world->workers[i]);
        }
    }
}

bool worker_any(const struct world *world)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        if (world->workers[i].state != WORKER_NONE) {
            return true;
        }
    }
    return false;
}

void worker_notify(struct world *world, uint32_t slot)
{
    struct worker *worker = live_worker(world, slot);

    if (worker != NULL) {
        worker->is_notified = true;
    }
}

/* --- what it knows ------------------------------------------------------------------- */

/* What an operation shows must be in the journal, where it says. */
static void check_payload(struct world *world, const struct slot *slot, const struct op *op,
                          struct payload_ref ref, bool is_error)
{
    const struct record *record;

    if (ref.record_no == 0) {
        return;
    }
    law(world, ref.record_no <= slot->tape.count, "a payload that is shown is in the journal");
    if (world->broken != NULL) {
        return;
    }
    record = &slot->tape.records[ref.record_no - 1];
    law(world,
        bytes_equal(record->op_id, op->id) &&
            (is_error ? record->error.len : record->payload.len) == ref.len,
        "a payload is found where its reference says");
}

static void learn(struct world *world, struct worker *worker, const struct op *op)
{
    const struct slot *slot = &world->slots[worker->slot];
    struct op_view *view = &worker->ops[spec_of(op->id)];

    view->status = op->status;
    view->attempt = op->attempt;
    check_payload(world, slot, op, op->result, false);
    check_payload(world, slot, op, op->error, true);
}

static void learn_changes(struct world *world, struct worker *worker, const struct exec *exec,
                          uint64_t since)
{
    struct list *item;

    law(world, exec->records == world->slots[worker->slot].tape.count,
        "what a worker is shown is durable");
    list_for_each (item, &exec->ops) {
        const struct op *op = container_of(item, struct op, in_exec);
        bool is_forgotten = world->bug == BUG_FORGET_CHANGE && since > 0 && one_in(world, 5);

        if (op->changed > since && !op->is_pruned && !is_forgotten) {
            learn(world, worker, op);
        }
    }
}

static void note_started(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->sent.command.update_count; i++) {
        const struct op_update *update = &worker->sent.updates[i];

        if (update->type != OP_EXECUTION) {
            worker->ops[spec_of(update->id)].is_started_here = update->action == OP_START;
        } else {
            worker->has_sent_result = true;
        }
    }
}

static struct worker *sender(struct world *world, const struct message *message)
{
    struct worker *worker = &world->workers[message->worker];

    if (worker->serial != message->worker_serial || worker->state != WORKER_RUNNING ||
        !worker->is_waiting || worker->send_no != message->send_no) {
        return NULL;
    }
    return worker;
}

void worker_answer(struct world *world, const struct message *message, const struct exec *exec)
{
    struct worker *worker = sender(world, message);

    if (message->command.kind != COMMAND_CHECKPOINT || worker == NULL) {
        return;
    }
    law(world, !worker->is_zombie || world->slots[worker->slot].facts.is_closed,
        "nobody answers a worker that was replaced");
    if (!world->is_calm && one_in(world, 8)) {
        return; /* the answer is lost */
    }
    worker->is_waiting = false;
    worker->is_notified = false;
    worker->must_look = false;
    note_started(worker);
    learn_changes(world, worker, exec, exec->reply_no);
}

void worker_refused(struct world *world, const struct message *message, enum refusal refusal)
{
    struct worker *worker = sender(world, message);

    law(world, refusal != REFUSAL_INVALID || message->may_be_invalid,
        "what an honest worker sends is valid");
    if (message->command.kind != COMMAND_CHECKPOINT || worker == NULL || refusal == REFUSAL_FULL) {
        return; /* sent again later */
    }
    worker->is_waiting = false;
    if (refusal == REFUSAL_INVALID) {
        worker->seq--;
        worker->must_look = true;
        return;
    }
    law(world,
        worker->is_zombie || world->slots[worker->slot].facts.is_closed ||
            world->slots[worker->slot].facts.attempt != worker->attempt ||
            world->slots[worker->slot].live_attempt != worker->attempt ||
            world->slots[worker->slot].facts.has_result ||
            !world->slots[worker->slot].facts.is_running,
        "the checkpoint of the current attempt is taken");
    worker->state = WORKER_NONE;
}

/* --- what it does ---------------------------------------------------------------------- */

static bool is_over(enum op_status status)
{
    return status >= OP_SUCCEEDED;
}

/* It has ended, or something around it has: then it is not even in the state. */
static bool is_done(const struct worker *worker, const struct program *program, uint32_t spec)
{
    uint32_t parent = program->specs[spec].parent;

    while (parent != spec && !is_over(worker->ops[spec].status)) {
        spec = parent;
        parent = program->specs[spec].parent;
    }
    return is_over(worker->ops[spec].status);
}

static bool is_open(const struct worker *worker, const struct program *program, uint32_t spec,
                    const struct message *message)
{
    uint32_t parent = program->specs[spec].parent;
    bool has_parent = parent == spec || worker->ops[parent].status == OP_STARTED;

    for (uint32_t i = 0; i < program->count; i++) {
        if (program->specs[i].stage < program->specs[spec].stage && !is_done(worker, program, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < message->command.update_count; i++) {
        has_parent |= spec_of(message->updates[i].id) == parent;
    }
    return has_parent && !is_done(worker, program, spec);
}

static struct op_update *add_update(struct message *message, uint32_t spec, enum op_type type,
                                    enum op_action action, const struct program *program)
{
    struct op_update *update = &message->updates[message->command.update_count++];
    uint32_t parent = program->specs[spec].parent;

    *update =
        (struct op_update){.type = type, .action = action, .id = bytes_of_text(spec_id(spec))};
    if (parent != spec) {
        update->parent_id = bytes_of_text(spec_id(parent));
    }
    return update;
}

static void add_payload(struct message *message, struct op_update *update, uint32_t attempt)
{
    char *place = message->texts[update - message->updates];

    (void)snprintf(place, sizeof message->texts[0], "%u:%.*s:%u", message->slot,
                   (int)update->id.len, (const char *)update->id.data, attempt);
    update->has_payload = true;
    update->payload = bytes_of_text(place);
}

static void add_error(struct op_update *update)
{
    update->has_error = true;
    update->error = bytes_of_text("failed");
}

/* The outside ledger of bodies that ran: at most once for each attempt. */
static void run_body(struct world *world, struct worker *worker, uint32_t spec, uint32_t attempt)
{
    uint32_t *ran = &world->slots[worker->slot].ran[spec];

    if (worker->ops[spec].ran == attempt) {
        return; /* the result is at hand: its first message was refused */
    }
    law(world, *ran < attempt, "an at-most-once step runs once for an attempt");
    worker->ops[spec].ran = attempt;
    *ran = attempt;
}

static void end_step(struct world *world, struct worker *worker, struct message *message,
                     uint32_t number)
{
    const struct program *program = program_of(world, worker);
    const struct spec *spec = &program->specs[number];
    const struct op_view *view = &worker->ops[number];
    bool is_interrupted = spec->is_at_most_once && !view->is_started_here;
    bool is_again = view->attempt < spec->failures;
    struct op_update *update;

    if (spec->is_at_most_once && !is_interrupted && world->bug != BUG_RUN_EARLY) {
        run_body(world, worker, number, view->attempt + 1);
    }
    if (is_again) {
        update = add_update(message, number, OP_STEP, OP_RETRY, program);
        update->has_step_options = true;
        update->delay_s = spec->delay_s;
        if (spec->kind == SPEC_POLL && !is_interrupted) {
            add_payload(message, update, view->attempt + 1);
        } else {
            add_error(update);
        }
    } else if (spec->fails || is_interrupted) {
        add_error(add_update(message, number, OP_STEP, OP_FAIL, program));
    } else {
        update = add_update(message, number, OP_STEP, OP_SUCCEED, program);
        add_payload(message, update, view->attempt + 1);
    }
}

static void do_step(struct world *world, struct worker *worker, struct message *message,
                    uint32_t number)
{
    const struct program *program = program_of(world, worker);
    const struct spec *spec = &program->specs[number];
    struct op_view *view = &worker->ops[number];

    if (view->status == OP_PENDING) {
        return;
    }
    if (view->status == OP_STARTED) {
        end_step(world, worker, message, number);
        return;
    }
    if (spec->is_at_most_once) {
        (void)add_update(message, number, OP_STEP, OP_START, program);
        if (world->bug == BUG_RUN_EARLY) {
            run_body(world, worker, number, view->attempt + 1);
        }
        return;
    }
    if (one_in(world, 2)) {
        (void)add_update(message, number, OP_STEP, OP_START, program);
    }
    if (message->command.update_count + 1 < UPDATES_ROOM && one_in(world, 2)) {
        end_step(world, worker, message, number);
    } else if (message->command.update_count == 0) {
        (void)add_update(message, number, OP_STEP, OP_START, program);
    }
}

static void do_wait(struct worker *worker, struct message *message, uint32_t number,
                    const struct program *program)
{
    const struct spec *spec = &program->specs[number];

    if (worker->ops[number].status == OP_STATUS_NONE) {
        add_update(message, number, OP_WAIT, OP_START, program)->wait_s = spec->delay_s;
    } else if (spec->is_cancelled) {
        (void)add_update(message, number, OP_WAIT, OP_CANCEL, program);
        message->may_be_invalid = true; /* it may have ended meanwhile */
    }
}

static void do_callback(struct worker *worker, struct message *message, uint32_t number,
                        const struct program *program)
{
    struct op_update *update;

    if (worker->ops[number].status == OP_STATUS_NONE) {
        update = add_update(message, number, OP_CALLBACK, OP_START, program);
        update->timeout_s = program->specs[number].timeout_s;
        update->heartbeat_s = program->specs[number].heartbeat_s;
    }
}

static void do_invoke(const struct world *world, struct worker *worker, struct message *message,
                      uint32_t number)
{
    const struct program *program = program_of(world, worker);
    uint32_t child = program->specs[number].child;
    struct op_update *update;

    if (worker->ops[number].status != OP_STATUS_NONE) {
        if (program->specs[number].is_cancelled) {
            (void)add_update(message, number, OP_CHAINED_INVOKE, OP_CANCEL, program);
            message->may_be_invalid = true;
        }
        return;
    }
    update = add_update(message, number, OP_CHAINED_INVOKE, OP_START, program);
    update->function = bytes_of_text("child");
    if (child != NO_SLOT) {
        update->child_id = world->slots[child].id;
    } else if (number % 2 == 0) {
        add_error(update); /* the driver knows at once that there is no such function */
    }
}

static void do_context(struct worker *worker, struct message *message, uint32_t number,
                       const struct program *program)
{
    struct op_update *update;

    if (worker->ops[number].status == OP_STATUS_NONE) {
        (void)add_update(message, number, OP_CONTEXT, OP_START, program);
        return;
    }
    for (uint32_t i = 0; i < program->count; i++) {
        if (i != number && program->specs[i].parent == number && !is_over(worker->ops[i].status)) {
            return;
        }
    }
    update = add_update(message, number, OP_CONTEXT,
                        program->specs[number].fails ? OP_FAIL : OP_SUCCEED, program);
    update->replay_children = program->specs[number].replay_children;
    if (program->specs[number].fails) {
        add_error(update);
    } else {
        add_payload(message, update, 1);
    }
}

static void do_spec(struct world *world, struct worker *worker, struct message *message,
                    uint32_t number)
{
    const struct program *program = program_of(world, worker);

    switch (program->specs[number].kind) {
    case SPEC_STEP:
    case SPEC_POLL:
        do_step(world, worker, message, number);
        break;
    case SPEC_WAIT:
        do_wait(worker, message, number, program);
        break;
    case SPEC_CALLBACK:
        do_callback(worker, message, number, program);
        break;
    case SPEC_INVOKE:
        do_invoke(world, worker, message, number);
        break;
    case SPEC_CONTEXT:
        do_context(worker, message, number, program);
        break;
    }
}

static struct message *message_from(struct world *world, struct worker *worker,
                                    enum command_kind kind)
{
    struct message *message = message_make(world, kind, worker->slot);

    if (message != NULL) {
        message->worker = (uint32_t)(worker - world->workers);
        message->worker_serial = worker->serial;
        message->command.attempt = worker->attempt;
        message->attempt_said = worker->attempt;
    }
    return message;
}

static void send_checkpoint(struct world *world, struct worker *worker, struct message *message)
{
    message->command.updates = message->updates;
    message->command.seq = ++worker->seq;
    message->send_no = ++worker->send_no;
    worker->is_waiting = true;
    message_copy(&worker->sent, message);
    if (!world->is_calm && one_in(world, 8)) {
        message_repeat(world, message);
    }
}

static void complete(struct world *world, struct worker *worker, enum outcome outcome)
{
    struct message *message = message_from(world, worker, COMMAND_COMPLETE);

    if (message == NULL) {
        return;
    }
    message->command.outcome = outcome;
    message->command.is_retryable = one_in(world, 2);
    message->command.is_uncounted = !world->is_calm && one_in(world, 10);
    if (outcome == OUTCOME_SUCCEEDED) {
        message->command.has_payload = true;
        message->command.payload = bytes_of_text("result");
    } else if (outcome != OUTCOME_PENDING) {
        message->command.has_error = true;
        message->command.error = bytes_of_text("failed");
    }
    worker->state = WORKER_NONE;
    if (!world->is_calm && one_in(world, 6)) {
        message_repeat(world, message);
    }
}

static void finish(struct world *world, struct worker *worker)
{
    const struct program *program = program_of(world, worker);
    struct message *message;
    struct op_update *update;

    if (!program->ends_by_checkpoint || worker->has_sent_result) {
        complete(world, worker, program->fails ? OUTCOME_FAILED : OUTCOME_SUCCEEDED);
        return;
    }
    message = message_from(world, worker, COMMAND_CHECKPOINT);
    if (message == NULL) {
        return;
    }
    update = &message->updates[message->command.update_count++];
    *update = (struct op_update){.type = OP_EXECUTION,
                                 .action = program->fails ? OP_FAIL : OP_SUCCEED,
                                 .id = bytes_of_text("end")};
    if (program->fails) {
        add_error(update);
    } else {
        add_payload(message, update, 1);
    }
    send_checkpoint(world, worker, message);
}

/* An EVENT is one call of an ordinary function: no operations. */
static void run_event(struct world *world, struct worker *worker)
{
    bool fails = worker->attempt <= program_of(world, worker)->event_failures;

    complete(world, worker, fails ? OUTCOME_FAILED : OUTCOME_SUCCEEDED);
}

static void work(struct world *world, struct worker *worker)
{
    const struct program *program = program_of(world, worker);
    struct message *message;
    bool is_done_all = true;

    for (uint32_t i = 0; i < program->count; i++) {
        is_done_all &= is_done(worker, program, i);
    }
    if (is_done_all) {
        finish(world, worker);
        return;
    }
    message = message_from(world, worker, COMMAND_CHECKPOINT);
    if (message == NULL) {
        return;
    }
    for (uint32_t i = 0; i < program->count && !worker->must_look; i++) {
        if (message->command.update_count + 2 < UPDATES_ROOM &&
            is_open(worker, program, i, message)) {
            do_spec(world, worker, message, i);
        }
    }
    if (message->command.update_count > 0 || worker->is_notified || worker->must_look ||
        one_in(world, 10)) {
        send_checkpoint(world, worker, message);
        return;
    }
    message->state = MESSAGE_FREE;
    complete(world, worker, OUTCOME_PENDING);
}

static void boot(struct world *world, struct worker *worker)
{
    struct exec *exec = core_find(world->core, &world->slots[worker->slot].id);

    if (exec == NULL || exec->attempt != worker->attempt || !exec->is_running) {
        worker->state = WORKER_NONE;
        return;
    }
    if (exec->is_committing) {
        return;
    }
    core_delivered(exec);
    learn_changes(world, worker, exec, 0);
    worker->state = WORKER_RUNNING;
    if (program_of(world, worker)->is_poisoned) {
        worker->state = WORKER_VANISHED;
    }
}

void worker_act(struct world *world, struct worker *worker)
{
    switch (worker->state) {
    case WORKER_NONE:
        return;
    case WORKER_BOOTING:
        boot(world, worker);
        return;
    case WORKER_VANISHED:
        if (world->bug != BUG_LOST_WORKER) {
            complete(world, worker, OUTCOME_ERROR);
        }
        return;
    case WORKER_RUNNING:
        break;
    }
    if (worker->is_zombie && (world->is_calm || one_in(world, 6))) {
        worker->state = WORKER_NONE;
    } else if (!world->is_calm && one_in(world, 40)) {
        worker->state = worker->is_zombie ? WORKER_NONE : WORKER_VANISHED;
    } else if (!world->is_calm && one_in(world, 150)) {
        complete(world, worker, OUTCOME_HELD);
    } else if (worker->is_waiting) {
        if (world->is_calm || one_in(world, 3)) {
            message_repeat(world, &worker->sent);
        }
    } else if (world->slots[worker->slot].kind == EXEC_EVENT) {
        run_event(world, worker);
    } else {
        work(world, worker);
    }
}
