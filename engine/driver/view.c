#include "engine/base/err.h"
#include "engine/driver/state.h"

struct walking {
    struct driver *driver;
    struct arena frames; /* of the frame at hand */
    uint8_t chain[SEAL_CHAIN_BYTES];
    view_visit visit;
    void *arg;
};

static int visit_frame(void *arg, struct bytes frame)
{
    struct walking *walking = arg;
    struct frame_header header;
    struct frame_opening opening;
    struct record *records;
    size_t count;
    int r;

    arena_reset(&walking->frames);
    r = sealer_open(&walking->frames, walking->driver->keys, frame, walking->chain, &header,
                    &opening, &records, &count);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = walking->visit(walking->arg, &records[i], header.first_record + i);
    }
    return r;
}

/* From the first record on: the chain begins there. A visitor that returns a
 * positive value ends the walk. */
int view_walk(struct driver *driver, const struct id *exec_id, view_visit visit, void *arg)
{
    struct walking walking = {.driver = driver, .visit = visit, .arg = arg};
    int r;

    arena_init(&walking.frames, (size_t)64 << 20);
    r = journal_read_frames(driver->journal, exec_id, 1, visit_frame, &walking);
    arena_fini(&walking.frames);
    return r;
}
