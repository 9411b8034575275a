/* What an environment writes to stdout and stderr, in lines. */
#ifndef ENGINE_DRIVER_OUTPUT_H
#define ENGINE_DRIVER_OUTPUT_H

#include <uv.h>

#include "engine/base/bytes.h"
#include "engine/base/list.h"

#define OUTPUT_LINE_MAX (64U * 1024U) /* a longer one is cut into several */

struct output;

struct output_events {
    /* Without its line feed. */
    void (*on_line)(struct output *output, struct bytes line);
    void (*on_closed)(struct output *output);
};

struct output {
    const struct output_events *events;
    uv_poll_t poll;
    struct buf line; /* has no end yet */
    int fd;
    bool is_open;
};

/* Takes `fd` over, also when it fails. */
int output_init(struct output *output, uv_loop_t *loop, int fd, const struct output_events *events);
/* on_closed follows from the loop. */
void output_close(struct output *output);

/* Takes what has been written so far; a last line without an end counts as one. Bounded: a
 * program that goes on writing is left for the next turn. */
void output_drain(struct output *output);

#endif /* ENGINE_DRIVER_OUTPUT_H */
