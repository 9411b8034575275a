/* Borrowed and owned runs of bytes.
 *
 * `struct bytes` borrows: whoever hands one out says how long it is valid.
 * `struct buf` owns: it grows by doubling up to a limit and is released with
 * buf_fini(). A buffer that could not grow remembers it (`failed`), so a long
 * run of appends needs one check at its end. */
#ifndef ENGINE_BASE_BYTES_H
#define ENGINE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){.data = data, .len = len};
}

/* The characters of a C string without its end. NULL gives no bytes. */
static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .len = (text != NULL) ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed; /* out of memory, or no text; what was appended since is lost */
};

void buf_fini(struct buf *buf);

/* Room for `len` more bytes at data + len, or NULL. The caller adds to `len`. */
uint8_t *buf_reserve(struct buf *buf, size_t len);
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes and moves the rest to the front. */
void buf_consume(struct buf *buf, size_t len);

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return bytes_of(buf->data, buf->len);
}

#endif /* ENGINE_BASE_BYTES_H */
