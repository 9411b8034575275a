/* A guest: the other end of an environment that speaks not the native protocol but
 * Lambda's Runtime API, on the door of its own loopback. That is HTTP, which is served
 * further up; so the pool is given operations that open a guest for an environment's door,
 * and the guest tells the place what its runtime says.
 *
 * The runtime asks for each invocation, so a place with a guest has room for as many as
 * are asked for (and its concurrency allows): what Lambda calls the end of an invocation,
 * the next GET /next, is when the next one may come.
 *
 * All calls are from the loop's thread. */
#ifndef ENGINE_DRIVER_GUEST_H
#define ENGINE_DRIVER_GUEST_H

#include "engine/driver/pool.h"

struct place;

struct guest_ops {
    void *arg;
    /* Serves `listener`, which it takes over in any case, until close(). NULL: it cannot. */
    void *(*open)(void *arg, struct place *place, int listener);
    /* The answer to one that was asked for; `number` names the invocation from here on. */
    void (*invoke)(void *guest, uint64_t number, const struct wire_invoke *invoke);
    /* After guest_sends() has said GUEST_PAUSE. */
    void (*resume)(void *guest, uint64_t number);
    /* The caller has its answer, or does not want one: what the runtime still says of this
     * invocation is not heard. */
    void (*forget)(void *guest, uint64_t number);
    /* The environment is gone. guest_on_closed() follows, later, from the loop; nothing is
     * told before it. */
    void (*close)(void *guest);
};

/* How a runtime ends an invocation. */
struct guest_end {
    struct wire_complete complete;
    struct bytes document;   /* of an ordinary invoke that failed: what the runtime posted */
    bool is_error;           /* of a durable one: the invocation failed, not the execution */
    struct bytes error_type; /* then */
};

const struct function_revision *guest_revision(const struct place *place);

/* The runtime asks for an invocation; the first time it says that its init is done. False:
 * it must not: it speaks the native protocol, or its environment is ending. */
bool guest_asks(struct place *place);
/* The connection on which it had asked is gone. */
void guest_asks_no_more(struct place *place);

/* A part of a response that is streamed. */
enum guest_reply {
    GUEST_MORE,
    GUEST_PAUSE, /* no more until resume() */
    GUEST_KEEP,  /* the caller wants it as a whole: with guest_completes() */
};
enum guest_reply guest_sends(struct place *place, uint64_t number, struct bytes part);

/* False: there is no such invocation (any more). */
bool guest_completes(struct place *place, uint64_t number, const struct guest_end *end);

/* It had asked, but the connection went before the invocation came: nobody has got that, and
 * it ends with the environment. */
void guest_loses(struct place *place);

/* The runtime could not start and will exit: who waits gets this error. */
void guest_fails_init(struct place *place, struct bytes type, struct bytes message);

void guest_on_closed(struct place *place);

#endif /* ENGINE_DRIVER_GUEST_H */
