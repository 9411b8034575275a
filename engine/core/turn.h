/* One turn of the core: a command being decided. For the files of the core only. */
#ifndef ENGINE_CORE_TURN_H
#define ENGINE_CORE_TURN_H

#include "engine/core/core.h"

#define TIMERS_MAX 64U /* fired by one TICK; the rest by the next */

struct turn {
    struct core *core;
    struct exec *exec;
    const struct command *command;
    struct arena *arena; /* until the next turn */
    struct actions *actions;
    uint32_t record_cap;
    uint32_t action_cap;
    int error; /* the first one; later calls do nothing */
};

/* Makes a record of the turn's execution at the turn's time, applies it, and
 * keeps it for the frame. Only op_id, payloads and the like are still to be set in
 * `record`; the caller's copy may go away, what it points to may not. */
/* The clock, where it was set back behind what is recorded; else 0: a record's time is it. */
int64_t turn_clock(const struct turn *turn);
void turn_record(struct turn *turn, struct record record);

void turn_action(struct turn *turn, struct action action);

/* CORE_REFUSED; `message` is for the client and must last. */
int turn_refuse(struct turn *turn, enum refusal refusal, const char *message);

/* Starts the next attempt: its note, and the dispatch. */
void turn_dispatch(struct turn *turn);

/* Something changed: tell the running attempt, or start one. */
void turn_wake(struct turn *turn);

/* Ends the execution: `kind` is one of the four terminal events. */
void turn_end(struct turn *turn, enum record_kind kind, bool has_payload, struct bytes payload,
              bool has_error, struct bytes error);

/* A copy in the turn's arena of {type, message} as an error object. */
struct bytes turn_error(struct turn *turn, const char *type, const char *message);

/* A copy in the turn's arena; without memory the turn has failed. */
struct bytes turn_copy(struct turn *turn, struct bytes bytes);

/* Results of chained invokes that came while the attempt ran become events now. */
void turn_flush_chained(struct turn *turn);

/* A record that closes or concerns an operation: id, name, sub type and parent
 * filled in from it. */
struct record record_of_op(const struct op *op, enum record_kind kind);

/* NULL, or Lambda's text for why this batch of updates is refused as a whole. */
const char *checkpoint_check(const struct exec *exec, const struct op_update *updates,
                             uint32_t count);

/* Performs the updates of a batch that was checked. */
void checkpoint_perform(struct turn *turn);

const struct core_limits *core_get_limits(const struct core *core);
struct id core_make_id(struct core *core, int64_t now_ms);

#endif /* ENGINE_CORE_TURN_H */
