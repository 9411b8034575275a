/* The way out to the daemon: frames gather in a buffer, and whichever thread finds
 * nobody writing writes all that is there. Under load one system call carries the
 * frames of many threads; alone, a thread writes its own frame at once. */
#ifndef SDK_LIB_OUT_H
#define SDK_LIB_OUT_H

#include <pthread.h>

#include "sdk/wire/frame.h"

struct out {
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t drained;
    struct buf pending;
    struct buf writing; /* the writer's */
    bool is_writing;
    bool is_broken; /* the daemon is gone: frames are dropped */
};

int out_init(struct out *out, int fd);
void out_fini(struct out *out);

/* Between the two, the caller appends frames to the buffer that is returned. It is
 * locked meanwhile; nothing is sent yet. */
struct buf *out_lock(struct out *out);
void out_unlock(struct out *out);

/* Sends what has gathered, or leaves it to the thread that is sending. */
void out_flush(struct out *out);

/* The daemon is gone. */
void out_break(struct out *out);

#endif /* SDK_LIB_OUT_H */
