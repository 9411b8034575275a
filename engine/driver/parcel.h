/* What a change stores: an archive, perhaps, and then a few objects.
 *
 *   - everything that can fail is done first: the archive is copied, objects are sealed,
 *     room for a window of chunks is allocated;
 *   - the launcher unpacks the archive: if it does not like it, nothing has happened;
 *   - size object, chunks and objects are appended in this order, at most a window at a
 *     time; the last one is what makes the change count;
 *   - `done` is called once, from the loop, when all of it is durable, or when the archive
 *     was not taken, with the sentence that says why.
 *
 * An appended entry cannot fail, so neither can a change once its archive was unpacked. */
#ifndef ENGINE_DRIVER_PARCEL_H
#define ENGINE_DRIVER_PARCEL_H

#include "engine/driver/functions.h"

#define PARCEL_OBJECTS_MAX 3U

struct parcel;
struct parcel_slot;

struct parcel_events {
    /* The archive was unpacked: a sentence if the change cannot be. May be NULL. */
    const char *(*check)(struct parcel *parcel);
    void (*done)(struct parcel *parcel, const char *error);
};

struct parcel {
    struct functions *functions;
    const struct parcel_events *events;
    struct code *code; /* of the archive; referenced. NULL: there is none */
    uint8_t *archive;  /* mapped */
    int memfd;         /* until the launcher has it; else -1 */
    bool is_reserved;  /* it is a deletion: also when the journal is full */
    bool is_canceled;  /* stores no more than was begun; then `done` */
    struct buf objects[PARCEL_OBJECTS_MAX];
    uint32_t object_count;
    uint32_t pieces; /* of code; in front of the objects */
    uint32_t next;
    uint32_t in_flight;
    struct parcel_slot *slots;
    uint32_t slot_count;
};

void parcel_init(struct parcel *parcel, struct functions *functions,
                 const struct parcel_events *events);
void parcel_fini(struct parcel *parcel);

int parcel_take_archive(struct parcel *parcel, struct bytes archive);
int parcel_add_object(struct parcel *parcel, const struct object_key *key, struct bytes plain);
/* Room for what is to be stored: the last thing that can fail before the launcher. */
int parcel_make_slots(struct parcel *parcel);

/* From here on it ends by `done`; with an archive parcel_unpack() comes first, which may
 * still refuse. Without one nothing refuses. */
int parcel_unpack(struct parcel *parcel);
void parcel_store(struct parcel *parcel);

#endif /* ENGINE_DRIVER_PARCEL_H */
