/* Framing of the native protocol: what stands between environment and daemon on
 * their stream socket, in both directions.
 *
 *     0  u32  length of the body, little-endian
 *     4  u8   type (enum wire_type)
 *     5  u8   flags: 1 = more pieces of this message follow
 *     6  u16  0
 *     8  u64  invocation: the daemon's number for it on this connection; 0 = none
 *    16  body: one protobuf message of pawl.proto, or a piece of it
 *
 * A message over WIRE_PIECE_BYTES travels in pieces, so that a large one does not
 * hold up the others; pieces of one (invocation, type) are in order. */
#ifndef SDK_WIRE_FRAME_H
#define SDK_WIRE_FRAME_H

#include "engine/base/bytes.h"

#define WIRE_PROTOCOL 1U
#define WIRE_HEADER_BYTES 16U
#define WIRE_PIECE_BYTES (64U * 1024U)
#define WIRE_MESSAGE_BYTES_MAX (7U * 1024U * 1024U)
#define WIRE_ASSEMBLIES_MAX 1024U /* messages in pieces at once on one connection */

/* What INVOKE and CHECKPOINTED may have: the whole state of an execution (100 MB)
 * goes to an environment in one message. */
#define WIRE_STATE_BYTES_MAX (128U * 1024U * 1024U)

/* What all messages in pieces on one connection may hold together. */
#define WIRE_ASSEMBLED_BYTES(message_bytes_max) (8 * (size_t)(message_bytes_max))

enum wire_type {
    WIRE_NONE = 0,
    /* from the environment */
    WIRE_HELLO = 1,
    WIRE_CHECKPOINT = 2,
    WIRE_COMPLETE = 3,
    WIRE_LOG = 4,
    WIRE_NEED_FULL = 5, /* no body: the state of this execution is not cached here */
    /* from the daemon */
    WIRE_INVOKE = 16,
    WIRE_CHECKPOINTED = 17,
    WIRE_NOTICE = 18, /* no body: something changed, send a checkpoint to learn it */
    WIRE_CANCEL = 19, /* the invocation is fenced: end it */
    WIRE_TYPES,
};

/* Appends one message to `buf`, in pieces where needed. Fails as buf does. */
void frame_append(struct buf *buf, enum wire_type type, uint64_t invocation, struct bytes body);

/* Starts a frame whose body the caller appends in place; frame_end() fills in the
 * length, and splits what grew beyond one piece. */
size_t frame_begin(struct buf *buf, enum wire_type type, uint64_t invocation);
void frame_end(struct buf *buf, size_t begun);

/* Puts messages together again. */
struct frame_reader;

struct frame {
    enum wire_type type;
    uint64_t invocation;
    struct bytes body; /* valid until the next frame_reader_next() or _room() */
};

int frame_reader_create(struct frame_reader **ret_reader);
void frame_reader_destroy(struct frame_reader *reader);

/* The largest message that is taken; WIRE_MESSAGE_BYTES_MAX unless said otherwise.
 * An environment, which reads what its daemon sends, allows WIRE_STATE_BYTES_MAX. */
void frame_reader_allow(struct frame_reader *reader, size_t message_bytes_max);

/* Room to read into: at least 64 KiB, its size is returned (0: no memory). Then
 * frame_reader_pushed() says how much came. */
size_t frame_reader_room(struct frame_reader *reader, uint8_t **ret_room);
void frame_reader_pushed(struct frame_reader *reader, size_t len);

/* 1: a whole message; 0: none yet; ERR_PROTOCOL or ERR_NOMEM: close the connection.
 * Does not log: the bytes are the other side's. */
int frame_reader_next(struct frame_reader *reader, struct frame *ret_frame);

#endif /* SDK_WIRE_FRAME_H */
