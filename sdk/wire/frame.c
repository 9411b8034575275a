#include "sdk/wire/frame.h"

#include <assert.h>
#include <endian.h>

#include "engine/base/err.h"
#include "engine/base/list.h"
#include "engine/base/mem.h"

/* Reading goes through one buffer that holds at least a whole piece and the room
 * promised behind it. A message of one piece is handed out in place; only what
 * came in pieces is copied, into an assembly of its own. */
#define ROOM_MIN ((size_t)WIRE_PIECE_BYTES)
#define READ_CAP (WIRE_HEADER_BYTES + (size_t)WIRE_PIECE_BYTES + 2 * ROOM_MIN)

#define FLAG_MORE 1U

struct header {
    uint32_t len;
    uint8_t type;
    uint8_t flags;
    uint16_t zero;
    uint64_t invocation;
};

struct assembly {
    struct list link;
    enum wire_type type;
    uint64_t invocation;
    struct buf body;
};

struct frame_reader {
    uint8_t *data;
    size_t from; /* not yet handed out */
    size_t len;  /* end of what came */
    size_t message_max;
    size_t assembled_bytes;
    unsigned assembly_count;
    struct list assemblies;
    struct assembly *last; /* handed out, released by the next call */
};

/* --- writing ------------------------------------------------------------------ */

static void put_header(uint8_t *at, size_t len, enum wire_type type, bool has_more,
                       uint64_t invocation)
{
    struct header header = {
        .len = htole32((uint32_t)len),
        .type = (uint8_t)type,
        .flags = has_more ? FLAG_MORE : 0,
        .invocation = htole64(invocation),
    };

    static_assert(sizeof header == WIRE_HEADER_BYTES, "the layout of the wire");
    memcpy(at, &header, sizeof header);
}

static size_t count_pieces(size_t len)
{
    return (len == 0) ? 1 : (len + WIRE_PIECE_BYTES - 1) / WIRE_PIECE_BYTES;
}

void frame_append(struct buf *buf, enum wire_type type, uint64_t invocation, struct bytes body)
{
    size_t total = body.len + count_pieces(body.len) * WIRE_HEADER_BYTES;
    uint8_t *at = buf_reserve(buf, total);
    size_t done = 0;

    if (at == NULL) {
        return;
    }
    do {
        size_t len = body.len - done;
        bool has_more = len > WIRE_PIECE_BYTES;

        len = has_more ? WIRE_PIECE_BYTES : len;
        put_header(at, len, type, has_more, invocation);
        if (len > 0) {
            memcpy(at + WIRE_HEADER_BYTES, body.data + done, len);
        }
        at += WIRE_HEADER_BYTES + len;
        done += len;
    } while (done < body.len);
    buf->len += total;
}

/* Until frame_end() the header keeps type and invocation. */
size_t frame_begin(struct buf *buf, enum wire_type type, uint64_t invocation)
{
    size_t begun = buf->len;
    uint8_t *at = buf_reserve(buf, WIRE_HEADER_BYTES);

    if (at != NULL) {
        put_header(at, 0, type, false, invocation);
        buf->len += WIRE_HEADER_BYTES;
    }
    return begun;
}

/* Moves the pieces apart, the last one first, to make place for their headers. */
static void split(uint8_t *frame, size_t len, enum wire_type type, uint64_t invocation)
{
    size_t piece = count_pieces(len);
    size_t end = len;

    while (piece-- > 0) {
        size_t from = piece * WIRE_PIECE_BYTES;
        uint8_t *to = frame + from + piece * WIRE_HEADER_BYTES;

        memmove(to + WIRE_HEADER_BYTES, frame + WIRE_HEADER_BYTES + from, end - from);
        put_header(to, end - from, type, end < len, invocation);
        end = from;
    }
}

void frame_end(struct buf *buf, size_t begun)
{
    struct header header;
    size_t extra;
    size_t len;

    if (buf->failed) {
        return;
    }
    len = buf->len - begun - WIRE_HEADER_BYTES;
    extra = (count_pieces(len) - 1) * WIRE_HEADER_BYTES;
    if (buf_reserve(buf, extra) == NULL) {
        return;
    }
    memcpy(&header, buf->data + begun, sizeof header);
    split(buf->data + begun, len, (enum wire_type)header.type, le64toh(header.invocation));
    buf->len += extra;
}

/* --- reading ------------------------------------------------------------------ */

int frame_reader_create(struct frame_reader **ret_reader)
{
    struct frame_reader *reader = mem_calloc(1, sizeof *reader);

    if (reader == NULL) {
        return ERR(ERR_NOMEM, "frame reader");
    }
    /* Not zeroed, so pages that were never read into are never touched. */
    reader->data = mem_realloc(NULL, READ_CAP);
    if (reader->data == NULL) {
        mem_free(reader);
        return ERR(ERR_NOMEM, "frame reader");
    }
    reader->message_max = WIRE_MESSAGE_BYTES_MAX;
    list_init(&reader->assemblies);
    *ret_reader = reader;
    return 0;
}

void frame_reader_allow(struct frame_reader *reader, size_t message_bytes_max)
{
    reader->message_max = message_bytes_max;
}

static void drop_assembly(struct frame_reader *reader, struct assembly *assembly)
{
    reader->assembled_bytes -= assembly->body.len;
    reader->assembly_count--;
    list_remove(&assembly->link);
    buf_fini(&assembly->body);
    mem_free(assembly);
}

static void release_last(struct frame_reader *reader)
{
    if (reader->last != NULL) {
        drop_assembly(reader, reader->last);
        reader->last = NULL;
    }
}

void frame_reader_destroy(struct frame_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    while (!list_is_empty(&reader->assemblies)) {
        drop_assembly(reader, container_of(reader->assemblies.next, struct assembly, link));
    }
    mem_free(reader->data);
    mem_free(reader);
}

size_t frame_reader_room(struct frame_reader *reader, uint8_t **ret_room)
{
    if (reader->from == reader->len) {
        reader->from = 0;
        reader->len = 0;
    } else if (READ_CAP - reader->len < ROOM_MIN) {
        memmove(reader->data, reader->data + reader->from, reader->len - reader->from);
        reader->len -= reader->from;
        reader->from = 0;
    }
    *ret_room = reader->data + reader->len;
    return READ_CAP - reader->len;
}

void frame_reader_pushed(struct frame_reader *reader, size_t len)
{
    assert(len <= READ_CAP - reader->len);
    reader->len += len;
}

static bool is_known_type(uint8_t type)
{
    return (type >= WIRE_HELLO && type <= WIRE_NEED_FULL) ||
           (type >= WIRE_INVOKE && type < WIRE_TYPES);
}

static bool is_header_valid(const struct header *header)
{
    return header->len <= WIRE_PIECE_BYTES && is_known_type(header->type) &&
           (header->flags & ~FLAG_MORE) == 0 && header->zero == 0;
}

static struct assembly *find_assembly(struct frame_reader *reader, const struct header *header)
{
    struct list *link;

    list_for_each (link, &reader->assemblies) {
        struct assembly *assembly = container_of(link, struct assembly, link);

        if (assembly->invocation == header->invocation && (uint8_t)assembly->type == header->type) {
            return assembly;
        }
    }
    return NULL;
}

static int add_assembly(struct frame_reader *reader, const struct header *header,
                        struct assembly **ret_assembly)
{
    struct assembly *assembly;

    if (reader->assembly_count >= WIRE_ASSEMBLIES_MAX) {
        return ERR_PROTOCOL;
    }
    assembly = mem_calloc(1, sizeof *assembly);
    if (assembly == NULL) {
        return ERR_NOMEM;
    }
    assembly->type = (enum wire_type)header->type;
    assembly->invocation = header->invocation;
    list_push_back(&reader->assemblies, &assembly->link);
    reader->assembly_count++;
    *ret_assembly = assembly;
    return 0;
}

static int add_piece(struct frame_reader *reader, struct assembly *assembly, struct bytes piece)
{
    /* A piece that brings nothing could be sent for ever. */
    if (piece.len == 0 || piece.len > reader->message_max - assembly->body.len ||
        piece.len > WIRE_ASSEMBLED_BYTES(reader->message_max) - reader->assembled_bytes) {
        return ERR_PROTOCOL;
    }
    buf_append(&assembly->body, piece.data, piece.len);
    if (assembly->body.failed) {
        return ERR_NOMEM;
    }
    reader->assembled_bytes += piece.len;
    return 0;
}

/* 1: the message is whole; 0: there are more pieces to come. */
static int take_piece(struct frame_reader *reader, const struct header *header, struct bytes piece,
                      struct assembly *assembly, struct frame *ret_frame)
{
    int r;

    if (assembly == NULL) {
        r = add_assembly(reader, header, &assembly);
        if (r != 0) {
            return r;
        }
    }
    r = add_piece(reader, assembly, piece);
    if (r != 0) {
        return r;
    }
    if ((header->flags & FLAG_MORE) != 0) {
        return 0;
    }
    reader->last = assembly;
    ret_frame->type = assembly->type;
    ret_frame->invocation = assembly->invocation;
    ret_frame->body = buf_bytes(&assembly->body);
    return 1;
}

static bool get_piece(struct frame_reader *reader, struct header *ret_header,
                      struct bytes *ret_piece)
{
    size_t had = reader->len - reader->from;
    const uint8_t *at = reader->data + reader->from;

    if (had < WIRE_HEADER_BYTES) {
        return false;
    }
    memcpy(ret_header, at, sizeof *ret_header);
    ret_header->len = le32toh(ret_header->len);
    ret_header->invocation = le64toh(ret_header->invocation);
    *ret_piece = bytes_of(at + WIRE_HEADER_BYTES, ret_header->len);
    return true;
}

int frame_reader_next(struct frame_reader *reader, struct frame *ret_frame)
{
    struct header header;
    struct bytes piece;

    release_last(reader);
    while (get_piece(reader, &header, &piece)) {
        struct assembly *assembly;
        int r;

        if (!is_header_valid(&header)) {
            return ERR_PROTOCOL;
        }
        if (reader->len - reader->from - WIRE_HEADER_BYTES < piece.len) {
            return 0;
        }
        reader->from += WIRE_HEADER_BYTES + piece.len;
        assembly = list_is_empty(&reader->assemblies) ? NULL : find_assembly(reader, &header);
        if (assembly == NULL && (header.flags & FLAG_MORE) == 0) {
            ret_frame->type = (enum wire_type)header.type;
            ret_frame->invocation = header.invocation;
            ret_frame->body = piece;
            return 1;
        }
        r = take_piece(reader, &header, piece, assembly, ret_frame);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}
