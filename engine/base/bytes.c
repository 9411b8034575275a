#include "engine/base/bytes.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/mem.h"

#define BUF_CAP_MIN 256U

void buf_fini(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){0};
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    size_t cap = (buf->cap != 0) ? buf->cap : BUF_CAP_MIN;
    uint8_t *data;

    if (len > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
        buf->failed = true;
        return NULL;
    }
    while (cap - buf->len < len) {
        cap *= 2;
    }
    if (cap != buf->cap) {
        data = mem_realloc(buf->data, cap);
        if (data == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
    uint8_t *room = buf_reserve(buf, len);

    if (room == NULL || len == 0) {
        return;
    }
    memcpy(room, data, len);
    buf->len += len;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    uint8_t *room;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    room = buf_reserve(buf, (size_t)len + 1);
    if (room == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf((char *)room, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}
