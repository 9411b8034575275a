/* The simulated world: one thread, time is a variable, and a seed tells the whole
 * story. Executions live in slots; the parts of this directory share the world:
 *
 *     sim.c      plays seeds, prints what failed
 *     story.c    what the programs of a seed are, and small helpers
 *     engine.c   does to the core what engine/driver does: apply, commit, perform
 *     disk.c     the journal: batches that commit whole or not, crashes, loads
 *     worker.c   environments that run programs as an SDK does
 *     client.c   starts, callbacks, stops, redrives; duplicates, late ones, forged ones
 *     judge.c    the laws, over the durable records alone
 *     bug.c      faults planted in this driver, each of which a law must catch */
#ifndef TESTS_SIM_STORY_H
#define TESTS_SIM_STORY_H

#include "engine/core/core.h"
#include "tests/core/tape.h"
#include "tests/sim/bug.h"

#define NAMES 3U              /* executions that clients start, by name */
#define CHILDREN 6U           /* executions that chained invokes start */
#define LISTENERS (2 * NAMES) /* executions that are told how those of clients ended */
#define SLOTS (2 * NAMES + CHILDREN + LISTENERS)
#define PROGRAMS (NAMES + CHILDREN + LISTENERS)
#define LISTENER_OF(slot) (2 * NAMES + CHILDREN + (slot))
#define SPECS_MAX 7U
#define WORKERS_MAX 48U
#define MESSAGES_MAX 128U
#define FRAMES_MAX 64U
#define ACTIONS_MAX 16U
#define UPDATES_ROOM 8U
#define TAIL 2000U
#define NO_SLOT UINT32_MAX

/* --- programs -------------------------------------------------------------------- */

enum spec_kind {
    SPEC_STEP,
    SPEC_POLL, /* waitForCondition */
    SPEC_WAIT,
    SPEC_CALLBACK,
    SPEC_INVOKE,
    SPEC_CONTEXT,
};

/* One operation of a program. */
struct spec {
    enum spec_kind kind;
    uint32_t stage;    /* starts when all of the stages before have ended */
    uint32_t parent;   /* spec of the CONTEXT around it; itself when there is none */
    uint32_t failures; /* attempts that fail before the last one */
    uint32_t delay_s;  /* of retries and waits */
    uint32_t timeout_s;
    uint32_t heartbeat_s;
    uint32_t child; /* slot of an INVOKE's target; NO_SLOT: there is no such function */
    bool fails;     /* the last attempt does, too */
    bool is_at_most_once;
    bool is_cancelled; /* a WAIT or INVOKE */
    bool replay_children;
};

struct program {
    struct spec specs[SPECS_MAX];
    uint32_t count;
    uint32_t event_failures; /* an EVENT: so many attempts fail */
    uint32_t timeout_s;      /* of the execution; 0 = none */
    bool fails;
    bool ends_by_checkpoint;
    bool is_poisoned; /* its workers are lost, always */
};

/* --- the judge's model of one execution, from its durable records ------------------- */

struct op_facts {
    enum op_type type;
    enum op_status status;
    uint32_t attempt;
    int64_t due_ms;
    int64_t timeout_ms;
    int64_t heartbeat_ms;
    uint32_t heartbeat_s;
    bool has_note;
};

struct facts {
    uint64_t events;
    uint32_t attempt;
    uint32_t failures;
    bool is_running;
    bool is_held;
    bool is_closed;
    bool is_notified;
    bool has_result;
    enum record_kind end;
    int64_t retry_ms;
    int64_t last_ms;
    struct op_facts ops[SPECS_MAX];
};

/* --- executions ---------------------------------------------------------------------- */

struct slot {
    struct id id;
    char name[16];
    enum exec_kind kind;
    bool is_child; /* or a listener: started by an execution */
    bool tells_success;
    bool tells_failure;
    const struct program *program;

    /* durable */
    struct tape tape;
    int64_t due_ms; /* in the journal's view of due times */
    struct facts facts;
    struct exec *shadow; /* restored record by record as they commit */

    /* outside, for ever */
    uint32_t ran[SPECS_MAX]; /* the last attempt of a step whose body ran */
    bool is_start_acked;
    bool is_stop_acked;
    bool is_call_acked[SPECS_MAX];

    /* of one life of the daemon */
    uint32_t dispatched; /* the last attempt that was handed to a worker */
    uint32_t live_attempt;
    int64_t cold_ms;
    bool has_tick;
    bool is_loading;
};

/* --- messages: commands on their way, in the core, or being committed --------------- */

enum message_state { MESSAGE_FREE, MESSAGE_FLYING, MESSAGE_IN_CORE, MESSAGE_COMMITTING };

struct message {
    struct command command; /* first: core_next() gives it back */
    enum message_state state;
    enum command_kind kind_said; /* by the sender */
    uint32_t send_no;            /* of the worker */
    uint32_t slot;
    uint32_t worker; /* WORKERS_MAX: not from a worker */
    uint32_t worker_serial;
    uint32_t attempt_said;
    uint32_t from_slot; /* CHAINED_ENDED: the child; START of a listener: whose end it is */
    bool may_be_invalid;
    int64_t world_ms; /* when it was applied */
    struct op_update updates[UPDATES_ROOM];
    char texts[UPDATES_ROOM][40];
    uint8_t payload[ERROR_TEXT_MAX];
};

/* --- workers --------------------------------------------------------------------------- */

enum worker_state { WORKER_NONE, WORKER_BOOTING, WORKER_RUNNING, WORKER_VANISHED };

struct op_view {
    enum op_status status;
    uint32_t attempt;
    uint32_t ran;         /* the attempt whose body ran in this invocation */
    bool is_started_here; /* its START was acknowledged in this invocation */
};

struct worker {
    enum worker_state state;
    uint32_t serial;
    uint32_t slot;
    uint32_t attempt;
    uint32_t seq; /* of the last checkpoint that was sent */
    uint32_t send_no;
    bool is_waiting;
    bool is_notified;
    bool must_look; /* an update was refused: something has changed */
    bool is_zombie; /* fenced off or of an earlier life: it only does not know yet */
    bool has_sent_result;
    bool has_returned;
    struct message sent; /* what an answer is awaited for */
    struct op_view ops[SPECS_MAX];
};

/* --- the daemon's memory ------------------------------------------------------------------ */

struct frame {
    uint32_t slot;
    struct message *message;
    struct tape records;
    struct action actions[ACTIONS_MAX];
    uint32_t action_count;
    uint64_t last_record;
    int64_t wake_ms;
    bool is_new;
    bool is_repeat;
};

struct world {
    uint64_t seed;
    enum bug bug;
    struct prng prng;
    uint64_t step;
    int64_t now_ms;
    bool is_calm;
    struct core_limits limits;
    struct core *core;
    struct core *shadow_core;
    uint32_t life; /* of the daemon */
    struct program programs[PROGRAMS];
    struct slot slots[SLOTS];
    struct message messages[MESSAGES_MAX];
    struct worker workers[WORKERS_MAX];
    uint32_t worker_serial;
    struct frame frames[FRAMES_MAX]; /* applied, in order; the first `batch` are being written */
    uint32_t frame_count;
    uint32_t batch;
    const char *broken; /* the law that was broken, or NULL */
    uint64_t broken_step;
    char lines[TAIL][100];
    uint64_t line_count;
};

/* story.c */
void story_begin(struct world *world, uint64_t seed, enum bug bug);
void story_end(struct world *world);
uint32_t pick(struct world *world, uint32_t below);
bool one_in(struct world *world, uint32_t count);
uint32_t slot_of(const struct world *world, const struct id *id);
const char *spec_id(uint32_t spec);
uint32_t spec_of(struct bytes op_id);
/* Fills in the START of `child`, by a client or by an operation of `parent`. */
void story_start(const struct slot *child, struct message *message, const struct slot *parent,
                 const char *op_id);
void tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What a listener is told, by the kind of the end; empty: nothing. */
struct bytes story_news(const struct record *started, enum record_kind end);
/* The first law that is broken ends the story. */
void law(struct world *world, bool holds, const char *text);

/* engine.c */
struct message *message_make(struct world *world, enum command_kind kind, uint32_t slot);
void message_copy(struct message *to, const struct message *from);
void message_repeat(struct world *world, const struct message *message);
void engine_deliver(struct world *world, struct message *message);
void engine_tick(struct world *world);
void engine_frame_done(struct world *world, struct frame *frame);
void engine_drain(struct world *world);
bool engine_is_due(const struct world *world, uint32_t slot);
int64_t engine_next_ms(const struct world *world);

/* disk.c */
void disk_add(struct world *world, struct message *message, const struct actions *actions);
void disk_step(struct world *world);
void disk_load_some(struct world *world);
void disk_evict_one(struct world *world);
void disk_boot(struct world *world);
void disk_crash(struct world *world);

/* worker.c */
void worker_start(struct world *world, uint32_t slot, uint32_t attempt);
void worker_fence(struct world *world, uint32_t slot);
void worker_notify(struct world *world, uint32_t slot);
void worker_answer(struct world *world, const struct message *message, const struct exec *exec);
void worker_refused(struct world *world, const struct message *message, enum refusal refusal);
void worker_act(struct world *world, struct worker *worker);
void worker_kill_all(struct world *world);
bool worker_any(const struct world *world);

/* client.c */
void client_act(struct world *world);
void client_settle(struct world *world);
void client_answer(struct world *world, const struct message *message, const struct exec *exec);

/* judge.c */
void judge_records(struct world *world, const struct frame *frame);
void judge_applied(struct world *world, const struct message *message, int r,
                   const struct actions *actions);
void judge_same(struct world *world, uint32_t slot);
void judge_end(struct world *world);

#endif /* TESTS_SIM_STORY_H */
