#include "invoke/http_mail.h"

#include <assert.h>

#define KEPT_BYTES_MAX ((size_t)64 << 10)

void http_post_init(struct http_post *post, uv_async_t *wake)
{
    int r;

    *post = (struct http_post){.wake = wake};
    list_init(&post->out);
    list_init(&post->in);
    list_init(&post->todo);
    r = uv_mutex_init(&post->lock); /* glibc's takes no memory */
    assert(r == 0);
    (void)r;
}

void http_post_fini(struct http_post *post)
{
    uv_mutex_destroy(&post->lock);
}

void http_mail_init(struct http_mail *mail)
{
    *mail = (struct http_mail){.written = 0};
    list_init(&mail->out);
    list_init(&mail->in);
    list_init(&mail->todo);
}

void http_mail_fini(struct http_mail *mail)
{
    buf_fini(&mail->written_bytes);
    buf_fini(&mail->sent_bytes);
    buf_fini(&mail->got_bytes);
}

static void empty(struct buf *buf)
{
    if (buf->cap > KEPT_BYTES_MAX) {
        buf_fini(buf);
    }
    buf->len = 0;
    buf->failed = false;
}

/* Mostly an exchange of pointers; bytes that could not be kept are remembered as missing. */
static void move_bytes(struct buf *to, struct buf *from)
{
    if (to->len == 0 && !to->failed) {
        struct buf other = *to;

        *to = *from;
        *from = other;
    } else {
        buf_append(to, from->data, from->len);
        to->failed |= from->failed;
    }
    empty(from);
}

/* --- the sender ---------------------------------------------------------------- */

void http_mail_write(struct http_post *post, struct http_mail *mail, unsigned flags,
                     struct bytes bytes)
{
    mail->written |= flags;
    if (bytes.len > 0) {
        buf_append(&mail->written_bytes, bytes.data, bytes.len);
    }
    if (list_is_empty(&mail->out)) {
        list_push_back(&post->out, &mail->out);
    }
}

static void hand_over(struct http_post *post, struct http_mail *mail)
{
    mail->sent |= mail->written;
    mail->written = 0;
    move_bytes(&mail->sent_bytes, &mail->written_bytes);
    if (list_is_empty(&mail->in)) {
        list_push_back(&post->in, &mail->in);
    }
}

/* Inside the lock: the handle is not closed before. */
static void wake(struct http_post *post)
{
    if (!post->is_closed) {
        (void)uv_async_send(post->wake);
    }
}

void http_post_flush(struct http_post *post)
{
    struct list *item;

    if (list_is_empty(&post->out)) {
        return;
    }
    uv_mutex_lock(&post->lock);
    while ((item = list_pop_front(&post->out)) != NULL) {
        hand_over(post, container_of(item, struct http_mail, out));
    }
    wake(post);
    uv_mutex_unlock(&post->lock);
}

void http_post_order(struct http_post *post, unsigned flags)
{
    uv_mutex_lock(&post->lock);
    post->orders |= flags;
    wake(post);
    uv_mutex_unlock(&post->lock);
}

void http_mail_withdraw(struct http_post *post, struct http_mail *mail)
{
    list_remove(&mail->out);
    mail->written = 0;
    empty(&mail->written_bytes);
    uv_mutex_lock(&post->lock);
    list_remove(&mail->in);
    mail->sent = 0;
    empty(&mail->sent_bytes);
    uv_mutex_unlock(&post->lock);
}

/* --- the receiver -------------------------------------------------------------- */

static void take(struct http_post *post, struct http_mail *mail)
{
    if (mail->is_deaf) {
        mail->sent = 0;
        empty(&mail->sent_bytes);
        return;
    }
    mail->got |= mail->sent;
    mail->sent = 0;
    move_bytes(&mail->got_bytes, &mail->sent_bytes);
    if (list_is_empty(&mail->todo)) {
        list_push_back(&post->todo, &mail->todo);
    }
}

unsigned http_post_take(struct http_post *post)
{
    struct list *item;
    unsigned orders;

    uv_mutex_lock(&post->lock);
    orders = post->orders;
    post->orders = 0;
    while ((item = list_pop_front(&post->in)) != NULL) {
        take(post, container_of(item, struct http_mail, in));
    }
    uv_mutex_unlock(&post->lock);
    return orders;
}

struct http_mail *http_post_next(struct http_post *post)
{
    struct list *item = list_pop_front(&post->todo);

    return (item != NULL) ? container_of(item, struct http_mail, todo) : NULL;
}

void http_mail_empty(struct http_mail *mail)
{
    empty(&mail->got_bytes);
}

void http_mail_ignore(struct http_mail *mail)
{
    mail->is_deaf = true;
    list_remove(&mail->todo);
    mail->got = 0;
    empty(&mail->got_bytes);
}

void http_post_close(struct http_post *post)
{
    uv_mutex_lock(&post->lock);
    post->is_closed = true;
    uv_mutex_unlock(&post->lock);
}
