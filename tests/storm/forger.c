/* A function that breaks the rules of attempts: it speaks the native protocol itself and
 * tries to slip an operation named `forged` into its history by
 *
 *     - saying a sequence number again with another content  (invocation 1)
 *     - leaving out sequence numbers                         (invocation 2 and 3)
 *     - speaking for an invocation that has ended            (always)
 *
 * Between the forgeries it behaves: a wait of one second, then success. Whatever the
 * daemon makes of it, even killing it, no history may have the operation. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/operation.h"
#include "sdk/wire/frame.h"
#include "sdk/wire/wire.h"

#define ANSWER_MS 1000

struct forger {
    int fd;
    struct frame_reader *reader;
    struct arena arena;
    uint64_t ended; /* an invocation that has ended here; 0 = none */
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "storm forger: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void send_all(const struct forger *forger, enum wire_type type, uint64_t invocation,
                     const struct buf *body)
{
    struct buf out = {0};
    size_t sent = 0;

    frame_append(&out, type, invocation, buf_bytes(body));
    while (!out.failed && sent < out.len) {
        ssize_t n = write(forger->fd, out.data + sent, out.len - sent);

        if (n <= 0) {
            die("write");
        }
        sent += (size_t)n;
    }
    buf_fini(&out);
}

static void send_checkpoint(struct forger *forger, uint64_t invocation, uint32_t seq,
                            struct op_update *update)
{
    struct wire_checkpoint checkpoint = {.seq = seq, .updates = update, .update_count = 1};
    struct buf body = {0};

    wire_put_checkpoint(&body, &forger->arena, &checkpoint);
    send_all(forger, WIRE_CHECKPOINT, invocation, &body);
    buf_fini(&body);
}

/* Reads on until a message came or `timeout_ms` (-1: none) has passed. */
static bool next_frame(struct forger *forger, struct frame *ret_frame, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = forger->fd, .events = POLLIN};
    uint8_t *room;
    size_t size;
    ssize_t n;

    while (frame_reader_next(forger->reader, ret_frame) != 1) {
        if (poll(&poll_fd, 1, timeout_ms) != 1) {
            return false;
        }
        size = frame_reader_room(forger->reader, &room);
        n = read(forger->fd, room, size);
        if (n <= 0) {
            _exit(0); /* the daemon has closed */
        }
        frame_reader_pushed(forger->reader, (size_t)n);
    }
    return true;
}

/* The answer to a checkpoint, or its absence: both are fine. */
static void await_answer(struct forger *forger)
{
    struct frame frame;

    while (next_frame(forger, &frame, ANSWER_MS) && frame.type != WIRE_CHECKPOINTED) {
    }
}

static void forge(struct forger *forger, uint64_t invocation, uint32_t seq)
{
    struct op_update update = {.type = OP_STEP,
                               .action = OP_SUCCEED,
                               .id = bytes_of_text("forged"),
                               .name = bytes_of_text("forged"),
                               .sub_type = bytes_of_text("Step"),
                               .has_payload = true,
                               .payload = bytes_of_text("\"forged\"")};

    send_checkpoint(forger, invocation, seq, &update);
}

static void complete(struct forger *forger, uint64_t invocation, uint32_t outcome,
                     const char *payload)
{
    struct wire_complete message = {
        .outcome = outcome, .has_payload = payload != NULL, .payload = bytes_of_text(payload)};
    struct buf body = {0};

    wire_put_complete(&body, &message);
    send_all(forger, WIRE_COMPLETE, invocation, &body);
    buf_fini(&body);
    forger->ended = invocation;
}

static void begin(struct forger *forger, uint64_t invocation, uint32_t attempt)
{
    struct op_update update = {.type = OP_WAIT,
                               .action = OP_START,
                               .id = bytes_of_text("1"),
                               .name = bytes_of_text("pause"),
                               .sub_type = bytes_of_text("Wait"),
                               .wait_s = 1};

    send_checkpoint(forger, invocation, 1, &update);
    await_answer(forger);
    if (attempt == 1) {
        forge(forger, invocation, 1);
        await_answer(forger);
    }
    complete(forger, invocation, WIRE_OUTCOME_PENDING, NULL);
    forge(forger, invocation, 2);
}

static void finish(struct forger *forger, uint64_t invocation, uint32_t attempt)
{
    if (forger->ended != 0) {
        forge(forger, forger->ended, 2);
    }
    if (attempt <= 3) {
        forge(forger, invocation, 7);
        await_answer(forger);
    }
    complete(forger, invocation, WIRE_OUTCOME_SUCCEEDED, "{\"steps\":{}}");
}

static void on_invoke(struct forger *forger, const struct frame *frame)
{
    struct wire_invoke invoke;
    enum op_status waiting = OP_STATUS_NONE;

    if (wire_get_invoke(&forger->arena, frame->body, &invoke) != 0) {
        die("decode");
    }
    if (invoke.base != 0) {
        send_all(forger, WIRE_NEED_FULL, frame->invocation, &(struct buf){0});
        return;
    }
    for (size_t i = 0; i < invoke.operation_count; i++) {
        if (invoke.operations[i].type == OP_WAIT) {
            waiting = invoke.operations[i].status;
        }
    }
    if (waiting == OP_SUCCEEDED) {
        finish(forger, frame->invocation, invoke.attempt);
    } else if (waiting == OP_STARTED) { /* cut off by a kill before it was suspended */
        complete(forger, frame->invocation, WIRE_OUTCOME_PENDING, NULL);
    } else {
        begin(forger, frame->invocation, invoke.attempt);
    }
    arena_reset(&forger->arena);
}

int main(void)
{
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL, .sdk = bytes_of_text("forger/1")};
    const char *fd = getenv("PAWL_FD");
    struct forger forger = {.fd = fd != NULL ? (int)strtol(fd, NULL, 10) : -1};
    struct buf body = {0};
    struct frame frame;

    arena_init(&forger.arena, 0);
    if (forger.fd < 0 || frame_reader_create(&forger.reader) != 0) {
        die("PAWL_FD");
    }
    wire_put_hello(&body, &hello);
    send_all(&forger, WIRE_HELLO, 0, &body);
    buf_fini(&body);
    for (;;) {
        if (next_frame(&forger, &frame, -1) && frame.type == WIRE_INVOKE) {
            on_invoke(&forger, &frame);
        }
    }
}
