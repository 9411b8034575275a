/* Mail between the loops of two threads, in one direction.
 *
 *     sender                     |  lock  |                    receiver
 *     http_mail_write() -> out --flush--> in --http_post_take()--> todo -> http_post_next()
 *
 * A letter is a part of what it is about, so posting one never allocates and there are never
 * more letters than there are requests: what is written on one that has not been taken yet is
 * added to it. Letters are gathered for a turn of the sender's loop and handed over at its end,
 * under one lock and with at most one wake-up; the receiver takes all that is there under one
 * lock. What either side has told before it flushes, the other sees after it has taken. */
#ifndef INVOKE_HTTP_MAIL_H
#define INVOKE_HTTP_MAIL_H

#include <uv.h>

#include "engine/base/bytes.h"
#include "engine/base/list.h"

struct http_mail {
    struct list out; /* the sender's */
    unsigned written;
    struct buf written_bytes;

    struct list in; /* under the lock */
    unsigned sent;
    struct buf sent_bytes;

    struct list todo; /* the receiver's */
    unsigned got;
    struct buf got_bytes;
    bool is_deaf; /* the receiver's too: what comes is dropped under the lock */
};

struct http_post {
    struct list out; /* the sender's */

    uv_mutex_t lock;
    struct list in;
    unsigned orders;
    bool is_closed;   /* nobody will be woken */
    uv_async_t *wake; /* of the receiver's loop */

    struct list todo; /* the receiver's */
};

void http_post_init(struct http_post *post, uv_async_t *wake);
void http_post_fini(struct http_post *post);

void http_mail_init(struct http_mail *mail);
void http_mail_fini(struct http_mail *mail);

/* --- the sender ---------------------------------------------------------------- */

/* Adds flags and bytes to a letter. http_post_flush() hands over all that were written. */
void http_mail_write(struct http_post *post, struct http_mail *mail, unsigned flags,
                     struct bytes bytes);
void http_post_flush(struct http_post *post);

/* Tells the receiver something that is about no letter, at once. */
void http_post_order(struct http_post *post, unsigned flags);

/* Nothing of this letter is to arrive, nor has the receiver got it. */
void http_mail_withdraw(struct http_post *post, struct http_mail *mail);

/* --- the receiver -------------------------------------------------------------- */

/* Takes all that has been handed over. Returns the orders. */
unsigned http_post_take(struct http_post *post);

/* The next letter to be read, or NULL. What it says is in `got` and `got_bytes`, to be
 * emptied by whoever reads it. */
struct http_mail *http_post_next(struct http_post *post);

/* Its bytes have been read. */
void http_mail_empty(struct http_mail *mail);

/* The receiver wants no more of this letter. */
void http_mail_ignore(struct http_mail *mail);

/* The receiver's handle is about to be closed. */
void http_post_close(struct http_post *post);

#endif /* INVOKE_HTTP_MAIL_H */
