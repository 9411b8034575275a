#include "tests/http/transcript.h"

#include "invoke/http_parser.h"

struct reader {
    struct http_parser parser;
    struct http_head head;
    struct http_head trailers; /* as of a server that takes them */
    struct buf body;
    struct buf *to;
    bool is_reading; /* a request has begun */
    bool has_trailers;
    int status; /* of the refusal */
};

static void begin(struct reader *reader)
{
    http_head_reset(&reader->head);
    reader->body.len = 0;
    http_parser_begin(&reader->parser, &reader->head, &reader->body);
    reader->is_reading = true;
}

static int admit(struct reader *reader)
{
    if (reader->has_trailers && reader->parser.is_chunked) {
        http_head_reset_to_trailers(&reader->trailers, TRANSCRIPT_TRAILER_BYTES_MAX);
        http_parser_take_trailers(&reader->parser, &reader->trailers);
    }
    return http_parser_admit(&reader->parser, TRANSCRIPT_BODY_BYTES_MAX);
}

static void write_text(struct buf *to, const char *before, struct bytes text)
{
    buf_append_text(to, before);
    buf_append(to, text.data, text.len);
}

static void write_fields(struct reader *reader, const struct http_head *head)
{
    for (unsigned i = 0; i < head->field_count; i++) {
        write_text(reader->to, " ", http_head_bytes(head, head->fields[i].name));
        write_text(reader->to, "=", http_head_bytes(head, head->fields[i].value));
    }
}

static void write_request(struct reader *reader)
{
    const struct http_head *head = &reader->head;

    write_text(reader->to, "", http_head_bytes(head, head->method));
    write_text(reader->to, " ", http_head_bytes(head, head->path));
    write_text(reader->to, "?", http_head_bytes(head, head->query));
    write_fields(reader, head);
    write_text(reader->to, reader->parser.is_keep_alive ? " + " : " - ", buf_bytes(&reader->body));
    if (reader->parser.trailers != NULL) {
        write_fields(reader, &reader->trailers);
    }
    buf_append_text(reader->to, "\n");
    reader->is_reading = false;
}

static size_t feed(struct reader *reader, const uint8_t *data, size_t len)
{
    size_t used;
    int r;

    if (!reader->is_reading) {
        begin(reader);
    }
    r = http_parser_feed(&reader->parser, data, len, &used);
    if (r == HTTP_PARSER_HEAD) {
        r = admit(reader);
    }
    if (r == HTTP_PARSER_DONE) {
        write_request(reader);
    } else if (r != HTTP_PARSER_MORE) {
        reader->status = r;
    }
    return used;
}

static void read_stream(struct reader *reader, struct bytes stream, transcript_cut cut, void *arg)
{
    size_t at = 0;

    while (at < stream.len && reader->status == 0) {
        size_t piece = cut(arg);
        size_t end = (piece < stream.len - at) ? at + piece : stream.len;

        while (at < end && reader->status == 0) {
            at += feed(reader, stream.data + at, end - at);
        }
    }
    if (reader->status != 0) {
        buf_printf(reader->to, "refused %d", reader->status);
    } else {
        buf_append_text(reader->to, reader->is_reading ? "incomplete" : "idle");
    }
    http_head_fini(&reader->head);
    http_head_fini(&reader->trailers);
    buf_fini(&reader->body);
}

void transcript_write(struct buf *buf, struct bytes stream, transcript_cut cut, void *arg)
{
    struct reader reader = {.to = buf};

    read_stream(&reader, stream, cut, arg);
}

void transcript_write_with_trailers(struct buf *buf, struct bytes stream, transcript_cut cut,
                                    void *arg)
{
    struct reader reader = {.to = buf, .has_trailers = true};

    read_stream(&reader, stream, cut, arg);
}
