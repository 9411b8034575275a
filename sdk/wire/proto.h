/* Protocol buffers by table: a message is a C struct and a list of its fields in
 * the order of their tags. Writing gives the bytes that generated code gives (the
 * tests compare); reading points into the input and takes arrays from the arena.
 *
 * Only what pawl.proto uses is known: varints, texts, bytes, messages inside
 * messages. Absent and empty are the same. Unknown fields are skipped. */
#ifndef SDK_WIRE_PROTO_H
#define SDK_WIRE_PROTO_H

#include "engine/base/arena.h"

enum proto_kind {
    PROTO_BOOL,     /* bool */
    PROTO_U32,      /* uint32_t or an enum */
    PROTO_U64,      /* uint64_t or int64_t */
    PROTO_BYTES,    /* struct bytes of at most `max` */
    PROTO_FIXED,    /* uint8_t[max]; all zero is absent */
    PROTO_TEXTS,    /* array of struct bytes, at most `max` of them */
    PROTO_MESSAGES, /* array of structs, at most `max` of them */
};

struct proto_message;

struct proto_field {
    uint32_t tag;
    enum proto_kind kind;
    size_t offset;
    size_t count_offset; /* of the size_t that counts an array */
    size_t max;
    const struct proto_message *of;
};

struct proto_message {
    size_t size; /* of the struct */
    const struct proto_field *fields;
    size_t count;
};

/* Appends the message without a length before it. */
void proto_put(struct buf *buf, const struct proto_message *message, const void *from);

/* Fills the zeroed struct `to`. 0, ERR_PROTOCOL or ERR_NOMEM; not logged. */
int proto_get(struct arena *arena, const struct proto_message *message, struct bytes body,
              void *to);

#endif /* SDK_WIRE_PROTO_H */
