/* The code cache: unpacks archives in confined child processes, knows what it holds,
 * and when it is full removes what no environment uses, oldest first. */
#ifndef RUNTIME_UNPACK_H
#define RUNTIME_UNPACK_H

#include <sys/types.h>

#include "engine/base/list.h"
#include "runtime/base.h"
#include "runtime/cell.h"
#include "runtime/message.h"
#include "runtime/watch.h"

#define UNPACKS_MAX 64 /* at once */
#define UNPACK_CODES_MAX 65536

/* `bytes`: what the archives' files hold. */
struct unpack_end {
    const char *error; /* NULL: the code is there */
    bool was_there;
    uint64_t bytes;
};

typedef void (*unpack_done_cb)(void *arg, uint64_t id, const struct unpack_end *end);

struct unpacks {
    const struct base *base;
    const struct cells *cells;
    int loop;
    struct watch sweeper; /* the child that empties the "gone" directory */
    pid_t sweeper_pid;
    bool has_swept_all; /* nothing was added since it began */
    struct list running;
    size_t running_count;
    struct list codes; /* in the cache, least recently asked for first */
    size_t code_count;
    uint64_t bytes;
    uint64_t bytes_max; /* 0: the cache is a tmpfs that limits itself */
    unsigned next_number;
    unpack_done_cb done;
    void *arg;
};

void unpacks_init(struct unpacks *unpacks);

/* Takes the descriptors over: archives, each lying over those before it. Ends with one
 * `done`, perhaps at once. */
void unpacks_start(struct unpacks *unpacks, uint64_t id, const char *code,
                   struct message_fds *memfds);

/* Kills all children; their ends are still noticed by the loop. */
void unpacks_kill_all(struct unpacks *unpacks);

#endif /* RUNTIME_UNPACK_H */
