/* One command's way through the driver. The frame of a command is made from what
 * the core recorded, committed by the journal, and only then are the command's
 * actions performed and its answer given. */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/driver/fault.h"
#include "engine/driver/state.h"

#define TASK_ARENA_MAX ((size_t)16 << 20)
#define FRAME_KEEP_BYTES ((size_t)64 << 10)

/* What was decided cannot be taken back and could not be recorded: memory does not
 * tell any more what is durable. The journal does. */
static void die(const char *what) __attribute__((noreturn));
static void die(const char *what)
{
    log_error("%s: the daemon ends to read its journal again", what);
    _exit(JOURNAL_EXIT);
}

struct task *task_create(struct driver *driver, enum command_kind kind, const struct id *exec_id,
                         task_done done, void *arg)
{
    struct list *item = list_pop_front(&driver->free_tasks);
    struct task *task =
        (item != NULL) ? container_of(item, struct task, link) : mem_calloc(1, sizeof *task);

    if (task == NULL) {
        die("out of memory");
    }
    if (item == NULL) {
        arena_init(&task->arena, TASK_ARENA_MAX);
    }
    task->driver = driver;
    task->command = (struct command){.kind = kind, .exec_id = *exec_id};
    task->done = done;
    task->arg = arg;
    driver->tasks_open++;
    return task;
}

static void task_free(struct task *task)
{
    arena_reset(&task->arena);
    if (task->revision != NULL) {
        function_revision_unref(task->revision);
        task->revision = NULL;
    }
    if (task->frame.cap > FRAME_KEEP_BYTES) {
        buf_fini(&task->frame);
    }
    task->frame.len = 0;
    task->exec = NULL;
    task->actions = NULL;
    task->action_count = 0;
    task->records = NULL;
    task->record_count = 0;
    task->refusal = REFUSAL_NONE;
    task->is_new = false;
    task->is_repeat = false;
    task->wants_log_tail = false;
    task->driver->tasks_open--;
    list_push_back(&task->driver->free_tasks, &task->link);
}

void task_drop(struct task *task)
{
    task_free(task);
}

struct bytes task_copy(struct task *task, struct bytes bytes)
{
    struct bytes copy = arena_copy(&task->arena, bytes);

    if (copy.data == NULL) {
        die("out of memory");
    }
    return copy;
}

struct bytes task_error(struct task *task, const char *type, const char *message)
{
    uint8_t encoded[ERROR_TEXT_MAX];

    return task_copy(task, error_encode(encoded, type, message));
}

static void perform(struct task *task, const struct action *action)
{
    struct hot *hot = hot_of(task->exec);

    switch (action->kind) {
    case ACTION_DISPATCH:
        hot->wants_log_tail = hot->wants_log_tail || task->wants_log_tail;
        run_dispatch(hot, action->attempt);
        break;
    case ACTION_FENCE:
        run_fence(hot);
        break;
    case ACTION_NOTIFY:
        run_notify(hot);
        break;
    case ACTION_CHAIN:
        child_start(task, action);
        break;
    case ACTION_CLOSED:
        task->driver->ended += (task->record_count > 0) ? 1 : 0;
        waiters_answer(task);
        child_ended(task);
        destination_ended(task);
        break;
    }
}

/* The one door to the outside: everything below is durable. The execution may be
 * looked at, but not forgotten, until its waiting commands were taken. */
static void task_finish(struct task *task)
{
    struct exec *exec = task->exec;

    CRASH_POINT(before_actions);
    for (uint32_t i = 0; i < task->action_count; i++) {
        perform(task, &task->actions[i]);
    }
    CRASH_POINT(before_answer);
    if (task->done != NULL) {
        task->done(task);
    }
    CRASH_POINT(after_answer);
    if (exec != NULL && task->refusal == REFUSAL_NONE) {
        run_committed(hot_of(exec));
        hot_settle(hot_of(exec));
    }
    task_free(task);
}

static void after_commit(struct journal_append *append)
{
    struct task *task = container_of(append, struct task, append);
    struct driver *driver = task->driver;

    core_committed(driver->core, task->exec);
    task_finish(task);
    driver_release_waiting(driver);
}

static void keep_payloads(struct task *task)
{
    uint64_t record_no = task->exec->records - task->record_count;

    for (uint32_t i = 0; i < task->record_count; i++) {
        hot_keep_payload(hot_of(task->exec), &task->records[i], ++record_no);
    }
}

static void make_frame(struct task *task)
{
    struct hot *hot = hot_of(task->exec);
    struct buf *plain = &task->driver->plain;

    if (sealer_make(&task->frame, plain, task->driver->keys, task->exec, task->records,
                    task->record_count, hot->chain) != 0) {
        die("a frame could not be made");
    }
    if (plain->cap > FRAME_KEEP_BYTES) {
        buf_fini(plain);
    }
    keep_payloads(task);
    CRASH_POINT(before_append);
}

static void commit(struct task *task)
{
    task->append = (struct journal_append){.kind = JOURNAL_FRAME,
                                           .data = buf_bytes(&task->frame),
                                           .is_reserved = full_may_use_reserve(task)};
    if (fault_commit(task, after_commit, task_finish)) {
        return;
    }
    journal_append(task->driver->journal, &task->append, after_commit);
    hot_of(task->exec)->last_lsn = task->append.lsn;
}

/* Actions and records live in the core until its next command. */
static void take_actions(struct task *task, const struct actions *actions)
{
    size_t items = actions->count * sizeof *actions->items;
    size_t records = actions->record_count * sizeof *actions->records;

    task->exec = actions->exec;
    task->is_new = actions->is_new;
    task->is_repeat = actions->is_repeat;
    task->action_count = actions->count;
    task->record_count = actions->record_count;
    if (items > 0) {
        task->actions = (void *)(uintptr_t)task_copy(task, bytes_of(actions->items, items)).data;
    }
    if (records > 0) {
        task->records =
            (void *)(uintptr_t)task_copy(task, bytes_of(actions->records, records)).data;
    }
}

/* Payloads that the core made itself are in its memory too. */
static void take_records(struct task *task, const struct actions *actions)
{
    take_actions(task, actions);
    for (uint32_t i = 0; i < task->record_count; i++) {
        struct record *record = &task->records[i];

        if (record->has_error && record->error.data != task->command.error.data) {
            record->error = task_copy(task, record->error);
        }
        if (record->has_payload && record->payload.data != task->command.payload.data &&
            record->kind >= CHAINED_INVOKE_SUCCEEDED && record->kind <= CHAINED_INVOKE_STOPPED) {
            record->payload = task_copy(task, record->payload);
        }
        if (record->kind == EXECUTION_SUCCEEDED &&
            record->payload.data != task->command.payload.data) {
            record->payload = task_copy(task, record->payload);
        }
    }
}

static void apply(struct task *task)
{
    struct driver *driver = task->driver;
    struct actions actions;
    int r;

    task->command.now_ms = driver_now_ms();
    CRASH_POINT(before_apply);
    if (fault_refuses(task)) {
        task_refuse(task, REFUSAL_CONFLICT, NULL);
        return;
    }
    r = core_apply(driver->core, &task->command, &actions);
    if (r < 0) {
        die("a command could not be applied");
    }
    if (r == CORE_WAITS) {
        return;
    }
    if (r == CORE_LOAD) {
        hot_load(driver, core_find(driver->core, &task->command.exec_id));
        return;
    }
    if (r == CORE_REFUSED) {
        task_refuse(task, actions.refusal, actions.message);
        return;
    }
    take_records(task, &actions);
    child_taken_in(task);
    if (hot_of(task->exec) == NULL && hot_create(driver, task->exec) == NULL) {
        die("out of memory");
    }
    if (task->record_count > 0) {
        make_frame(task);
        commit(task);
    } else {
        task_finish(task);
    }
}

void driver_release_waiting(struct driver *driver)
{
    struct command *command;

    while ((command = core_next(driver->core)) != NULL) {
        apply(container_of(command, struct task, command));
    }
}

void task_refuse(struct task *task, enum refusal refusal, const char *message)
{
    task->refusal = refusal;
    task->message = message;
    task_finish(task);
}

void task_submit(struct task *task)
{
    struct driver *driver = task->driver;

    if (full_holds(task)) {
        return;
    }
    apply(task);
    driver_release_waiting(driver);
}
