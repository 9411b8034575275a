/* How often each function has run already in a chain of invokes: what Lambda's detection of
 * recursive loops goes by.
 *
 * It is a field of the trace header, as with Lambda (X-Ray's documentation, "Tracing header"):
 *
 *     Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=0;Lineage=a87bd80c:1|68fd508a:5
 *
 * eight digits for a function, and the number of its invocations in the chain. An invocation
 * gets the trace of its caller with its own function counted; AWS's SDKs send it along with
 * what a function calls, and so do destinations and chained invokes. Nothing but the header
 * is needed, so a restart changes nothing. Functions are counted in the order they came; where
 * the header would be longer than LINEAGE_TRACE_MAX, the first are forgotten.
 *
 * A caller may write what it likes into its header: what it harms is its own chain. */
#ifndef ENGINE_DRIVER_LINEAGE_H
#define ENGINE_DRIVER_LINEAGE_H

#include "engine/base/arena.h"
#include "engine/driver/function.h"

enum {
    LINEAGE_RUNS_MAX = 16,   /* "approximately 16 times", says Lambda's documentation */
    LINEAGE_TRACE_MAX = 256, /* bytes of the header */
};

#define LINEAGE_LOOP_TYPE "RecursiveInvocationException"
#define LINEAGE_LOOP_MESSAGE                                                                       \
    "The function has run 16 times in this chain of invokes and would run again: a recursive "     \
    "loop. Where that is meant, allow it with PutFunctionRecursionConfig."

/* How often the function has run in the chain that led to this trace. */
uint32_t lineage_runs(const struct id *function_id, struct bytes trace);

/* Has the function run so often already that it may not run again? One whose RecursiveLoop is
 * Allow always may. */
bool lineage_is_loop(const struct function *function, struct bytes trace);

/* The trace of an invocation of the function, in the arena: that of its caller, which is not
 * empty, with the function counted. `data` NULL: out of memory. */
struct bytes lineage_extend(struct arena *arena, const struct id *function_id, struct bytes trace);

#endif /* ENGINE_DRIVER_LINEAGE_H */
