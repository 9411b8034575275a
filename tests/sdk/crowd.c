#include "tests/sdk/crowd.h"

#include <poll.h>
#include <sys/socket.h>

#include "sdk/wire/frame.h"
#include "sdk/wire/wire.h"

#define SILENCE_MS 20000

struct daemon {
    struct crowd *crowd;
    struct frame_reader *reader;
    struct arena arena;
    struct buf out;
    uint64_t started;
    struct bytes expected;
};

static void invoke(struct daemon *daemon)
{
    struct wire_invoke message = {.is_durable = true, .attempt = 1, .last = 1};
    uint64_t exec_id[2] = {++daemon->started, 0};
    size_t begun = frame_begin(&daemon->out, WIRE_INVOKE, daemon->started);

    message.execution_id = bytes_of(exec_id, sizeof exec_id);
    wire_put_invoke(&daemon->out, &daemon->arena, &message);
    frame_end(&daemon->out, begun);
}

static void answer(struct daemon *daemon, uint64_t number, uint32_t seq)
{
    struct wire_checkpointed message = {.seq = seq, .last = seq + 1};
    size_t begun = frame_begin(&daemon->out, WIRE_CHECKPOINTED, number);

    wire_put_checkpointed(&daemon->out, &daemon->arena, &message);
    frame_end(&daemon->out, begun);
}

static void on_complete(struct daemon *daemon, struct bytes body)
{
    struct crowd *crowd = daemon->crowd;
    struct wire_complete complete;

    crowd->completes++;
    if (wire_get_complete(&daemon->arena, body, &complete) != 0 ||
        complete.outcome != WIRE_OUTCOME_SUCCEEDED ||
        !bytes_equal(complete.payload, daemon->expected)) {
        crowd->failures++;
    }
    if (daemon->started < (uint64_t)crowd->executions * crowd->rounds) {
        invoke(daemon);
    }
}

static bool on_frame(struct daemon *daemon, const struct frame *frame)
{
    struct wire_checkpoint checkpoint;

    if (frame->type == WIRE_COMPLETE) {
        on_complete(daemon, frame->body);
    } else if (frame->type == WIRE_CHECKPOINT) {
        if (wire_get_checkpoint(&daemon->arena, frame->body, &checkpoint) != 0) {
            return false;
        }
        daemon->crowd->checkpoints++;
        daemon->crowd->updates += checkpoint.update_count;
        answer(daemon, frame->invocation, checkpoint.seq);
    }
    arena_reset(&daemon->arena);
    return true;
}

static bool send_all(struct daemon *daemon)
{
    size_t done = 0;

    while (done < daemon->out.len) {
        ssize_t n =
            send(daemon->crowd->fd, daemon->out.data + done, daemon->out.len - done, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    daemon->out.len = 0;
    return !daemon->out.failed;
}

static bool turn(struct daemon *daemon)
{
    struct pollfd item = {.fd = daemon->crowd->fd, .events = POLLIN};
    struct frame frame;
    uint8_t *room;
    size_t len = frame_reader_room(daemon->reader, &room);
    ssize_t n;
    int r;

    if (poll(&item, 1, SILENCE_MS) != 1) {
        return false;
    }
    n = recv(daemon->crowd->fd, room, len, 0);
    if (n <= 0) {
        return false;
    }
    daemon->crowd->reads++;
    frame_reader_pushed(daemon->reader, (size_t)n);
    while ((r = frame_reader_next(daemon->reader, &frame)) == 1) {
        if (!on_frame(daemon, &frame)) {
            return false;
        }
    }
    return r == 0 && send_all(daemon);
}

bool crowd_run(struct crowd *crowd, const char *expected)
{
    struct daemon daemon = {.crowd = crowd, .expected = bytes_of_text(expected)};
    bool is_well = frame_reader_create(&daemon.reader) == 0;

    arena_init(&daemon.arena, 0);
    for (unsigned i = 0; i < crowd->executions; i++) {
        invoke(&daemon);
    }
    is_well = is_well && send_all(&daemon);
    while (is_well && crowd->completes < (uint64_t)crowd->executions * crowd->rounds) {
        is_well = turn(&daemon);
    }
    frame_reader_destroy(daemon.reader);
    arena_fini(&daemon.arena);
    buf_fini(&daemon.out);
    return is_well;
}
