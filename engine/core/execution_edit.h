/* Making and changing executions: for the files of the core only. */
#ifndef ENGINE_CORE_EXECUTION_EDIT_H
#define ENGINE_CORE_EXECUTION_EDIT_H

#include "engine/core/execution.h"

/* An empty execution, LOADING; NULL without memory. */
/* The target of `op` was started, or has even ended. */
void exec_chain_sent(struct exec *exec, struct op *op);

/* Makes of what was restored an execution as its head has it. */
int exec_take_head(struct exec *exec, const struct exec_head *head);

struct exec *exec_create(const struct id *id);
void exec_destroy(struct exec *exec);

/* An operation with copies of the texts of `record`; not yet part of `exec`. */
struct op *op_create(const struct record *record);
void op_destroy(struct op *op);

/* Applies one record: the only way an execution changes, live and in recovery.
 * 0; ERR_CORRUPT when the record does not fit what came before; ERR_NOMEM. After an
 * error the execution is half changed: destroy it, or end the process. */
int exec_evolve(struct exec *exec, const struct record *record);

/* Something about `op` is new to the running attempt. */
void exec_note_change(struct exec *exec, struct op *op);

#endif /* ENGINE_CORE_EXECUTION_EDIT_H */
