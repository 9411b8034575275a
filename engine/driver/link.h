/* The connection with one environment: frames of the native protocol both ways. What
 * is sent in one turn of the loop leaves in one write. */
#ifndef ENGINE_DRIVER_LINK_H
#define ENGINE_DRIVER_LINK_H

#include "engine/driver/turn.h"
#include "sdk/wire/frame.h"

/* What a program that does not read may have waiting; beyond it has broken the protocol. */
#define LINK_OUT_BYTES_MAX (512U * 1024U * 1024U)

struct link;

struct link_events {
    /* The environment's listening socket, before anything else; the receiver's. */
    void (*on_door)(struct link *link, int listener);
    void (*on_frame)(struct link *link, const struct frame *frame);
    /* Nothing comes any more. `problem` NULL: the other side has closed; else what is wrong. */
    void (*on_broken)(struct link *link, const char *problem);
    void (*on_closed)(struct link *link);
};

struct link {
    const struct link_events *events;
    struct turn *turn;
    struct turn_job flush;
    uv_poll_t poll;
    struct frame_reader *frames;
    struct buf out;
    size_t out_done; /* of `out`, what has left */
    int fd;
    int polled; /* events that are waited for */
    bool is_reading;
    bool awaits_door; /* its first byte brings a descriptor */
};

/* Takes `fd` over, also when it fails. `awaits_door`: see environment_spec.has_door. */
int link_init(struct link *link, uv_loop_t *loop, struct turn *turn, int fd, bool awaits_door,
              const struct link_events *events);
/* on_closed follows from the loop. What was not sent is dropped. */
void link_close(struct link *link);

void link_send(struct link *link, enum wire_type type, uint64_t invocation, struct bytes body);

/* No more frames, and nothing is sent. For what is being killed. */
void link_stop(struct link *link);

/* Takes everything that has come, for a program that has ended. */
void link_drain(struct link *link);

#endif /* ENGINE_DRIVER_LINK_H */
