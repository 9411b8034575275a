/* A picture of one execution: a line for each operation, with bars where it ran and
 * dots where it waited, children below their context.
 *
 *     order-7   execution   0 ms                           7.2 s
 *                           |---------------------------------|
 *     charge    step        ██··██                              1.3 s  SUCCEEDED, 2 attempts
 *     cool-down wait              ·················             4.0 s  SUCCEEDED
 *
 * Built from the events of a history, in their order, one at a time. */
#ifndef SDK_CLI_TIMELINE_H
#define SDK_CLI_TIMELINE_H

#include <jansson.h>

#include "engine/base/bytes.h"
#include "engine/base/list.h"
#include "engine/base/table.h"
#include "sdk/cli/session.h"

#define CLI_TIMELINE_ROWS_MAX 1000 /* more operations are counted, not drawn */

struct cli_timeline {
    struct cli_operation *operations; /* [0] is the execution itself */
    size_t count;
    size_t cap;
    struct table by_id; /* rebuilt when operations moves */
    struct cli_span *spans;
    size_t span_count;
    size_t span_cap;
    bool has_failed; /* memory ran out */
};

void cli_timeline_fini(struct cli_timeline *timeline);

/* One event, later ones after earlier ones. */
void cli_timeline_add(struct cli_timeline *timeline, const json_t *event);

/* The execution's status, "RUNNING" until its last event has been added. */
const char *cli_timeline_status(const struct cli_timeline *timeline);

/* Draws into `out`: `width` columns; what has not ended ends at `now_ms`. Colours and
 * characters are those of the session. */
int cli_timeline_draw(struct cli_timeline *timeline, const struct cli_session *session,
                      size_t width, int64_t now_ms, struct buf *out);

#endif /* SDK_CLI_TIMELINE_H */
