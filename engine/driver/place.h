/* A place: one environment with room for some invocations, from the wish to start it
 * until nothing of it is left.
 *
 *     UNPACKING --> STARTING --> READY --> CLOSING --+
 *         |            |           |          |      |
 *         +------------+-----------+----------+--> KILLED --> ENDED
 *
 * STARTING waits for HELLO, or for a runtime's first question, READY takes invocations, CLOSING
 * lets those that run end within a grace, KILLED waits for the launcher to say that nothing is
 * alive. */
#ifndef ENGINE_DRIVER_PLACE_H
#define ENGINE_DRIVER_PLACE_H

#include "engine/driver/link.h"
#include "engine/driver/output.h"
#include "engine/driver/pool.h"

enum place_state {
    PLACE_UNPACKING,
    PLACE_STARTING,
    PLACE_READY,
    PLACE_CLOSING,
    PLACE_KILLED,
    PLACE_ENDED,
    PLACE_STATES,
};

#define PLACE_CONCURRENCY_MAX 1024U
#define PLACE_CAUSE_MAX 320
#define PLACE_TYPE_MAX 128
#define PLACE_MESSAGE_MAX (PLACE_CAUSE_MAX + 64)

struct lane;

struct place {
    struct pool *pool;
    struct lane *lane; /* NULL once nothing of it is left */
    struct function_revision *revision;
    enum place_state state;
    uint64_t number; /* never used again */
    struct table_node by_number;
    struct list link;       /* of its lane */
    struct list room;       /* of the lane's places with room; alone if it has none */
    struct list idle;       /* of the pool's idle ones, the longest idle first */
    struct list idle_fleet; /* likewise of its fleet's */
    struct heap_node due;   /* for HELLO, for the grace, or to be reaped */
    struct turn_job failing;
    struct environment *environment;
    struct link connection;
    struct output output;
    void *guest;        /* of its door, if it has one: guest.h */
    uint32_t asking;    /* invocations that its runtime has asked for and not got */
    bool is_guest;      /* it speaks the Runtime API */
    bool is_native;     /* it has said HELLO */
    bool has_left;      /* it is a guest, and did not wait for what it had asked for */
    bool is_returning;  /* a guest with nothing to run that has not asked again */
    bool is_late;       /* though it had time to: who waits gets another environment */
    bool takes_several; /* a guest that was seen to take more than one at once */
    int64_t heard_ms;   /* when a guest last asked, or got what it had asked for */
    bool has_connection;
    bool has_output;
    bool is_suppressed;  /* its init has the function's timeout */
    bool is_provisioned; /* started ahead of need */
    bool is_coming;      /* its start has neither succeeded nor failed */
    unsigned open_handles;
    /* An invocation's number is its turn here times PLACE_CONCURRENCY_MAX, plus its slot. */
    struct invocation **slots;
    uint16_t *free_slots;
    uint32_t concurrency;
    uint32_t running_count;
    uint64_t turns;
    struct list running;
    int64_t started_ms; /* epoch */
    int64_t started_us; /* of uv_hrtime() */
    int64_t init_us;    /* until HELLO; 0 once it was reported */
    int64_t ready_ms;   /* of HELLO; 0 = there was none. Of deadlines_now_ms() */
    int64_t since_ms;   /* idle since, likewise */
    /* Why it was killed: the error of what runs in it, or waits for it. */
    const char *cause_type;
    char init_error_type[PLACE_TYPE_MAX];
    char cause[PLACE_CAUSE_MAX];
};

static inline uint32_t place_concurrency(const struct function_revision *revision)
{
    uint32_t wanted = (revision->config.concurrency > 0) ? revision->config.concurrency : 1;

    return (wanted < PLACE_CONCURRENCY_MAX) ? wanted : PLACE_CONCURRENCY_MAX;
}

/* Starts an environment for the lane; what goes wrong later ends what waits for it.
 * `is_provisioned`: nobody waits for it, it is to be ready. NULL: no memory. */
struct place *place_create(struct lane *lane, struct function_revision *revision,
                           bool is_provisioned);

static inline bool place_has_room(const struct place *place)
{
    return place->state == PLACE_READY && place->running_count < place->concurrency &&
           (!place->is_guest || place->asking > 0);
}

/* A guest that may take more at once than it has, and will ask by itself: another environment
 * would not help. A new one has the time that another would need to come; later, on a busy
 * machine, one that was seen to take several is slow to ask for want of processors. */
bool place_asks_soon(const struct place *place, bool is_busy, int64_t now_ms);

/* Only where there is room. Calls on_placed. */
void place_put(struct place *place, struct invocation *invocation);
void place_send(struct place *place, struct invocation *invocation, enum wire_type type,
                struct bytes body);
/* The same of a place with a guest. */
void place_invoke_guest(struct place *place, struct invocation *invocation,
                        const struct wire_invoke *invoke);
void place_cancel(struct place *place, struct invocation *invocation, const char *reason);
void place_on_timeout(struct place *place, struct invocation *invocation);

/* `cause_type` NULL: it is not needed any more. The first cause counts. */
void place_kill(struct place *place, const char *cause_type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void place_on_due(struct place *place);
/* It ended in its init, and that was the first try: Lambda runs the init once more when an
 * invocation is there, within the function's timeout ("suppressed init"). */
bool place_may_init_again(const struct place *place);
/* Nothing runs in it and nobody waits for it: it may be reaped. */
void place_be_idle(struct place *place);

#endif /* ENGINE_DRIVER_PLACE_H */
