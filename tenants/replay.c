/* Entries are in two chains each: by signature, to be found, and by the second of their
 * date, to be forgotten together. */
#include "tenants/replay.h"

#include <assert.h>
#include <string.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define SECONDS 1024U /* a power of two, and more than both windows */
#define ENTRIES_MIN 1024U
#define ENTRIES_KEPT 16384U /* so many may stay allocated when all have expired */
#define NONE UINT32_MAX

struct entry {
    uint64_t signature;
    uint32_t first_ms; /* low bits of when it came */
    uint32_t next;     /* of the same bucket, or free */
    uint32_t next_in_second;
};

struct second {
    int64_t date_s;
    uint32_t first;
};

struct replay {
    struct replay_budget *budget;
    struct entry *entries;
    uint32_t *buckets; /* as many as entries */
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
    uint32_t free;
    int64_t horizon_s; /* this and before is too old */
    int64_t oldest_s;  /* no entry is dated before */
    struct second seconds[SECONDS];
};

int replay_create(struct replay **ret_replay, struct replay_budget *budget, int64_t start_s)
{
    struct replay *replay = mem_calloc(1, sizeof *replay);

    if (replay == NULL) {
        return ERR(ERR_NOMEM, "memory of used signatures");
    }
    replay->budget = budget;
    replay->horizon_s = start_s - 1;
    replay->oldest_s = start_s;
    replay->free = NONE;
    for (size_t i = 0; i < SECONDS; i++) {
        replay->seconds[i].first = NONE;
    }
    *ret_replay = replay;
    return 0;
}

static void release(struct replay *replay)
{
    mem_free(replay->entries);
    mem_free(replay->buckets);
    replay->entries = NULL;
    replay->buckets = NULL;
    replay->budget->entries -= replay->capacity;
    replay->capacity = 0;
    replay->free = NONE;
}

void replay_destroy(struct replay *replay)
{
    if (replay != NULL) {
        release(replay);
        mem_free(replay);
    }
}

size_t replay_count(const struct replay *replay)
{
    return replay->count;
}

/* --- chains ---------------------------------------------------------------------------- */

static uint32_t *bucket_of(struct replay *replay, uint64_t signature)
{
    return &replay->buckets[signature & (replay->capacity - 1)];
}

static struct second *second_of(struct replay *replay, int64_t date_s)
{
    return &replay->seconds[(uint64_t)date_s & (SECONDS - 1)];
}

static void unlink_entry(struct replay *replay, uint32_t index)
{
    uint32_t *at = bucket_of(replay, replay->entries[index].signature);

    while (*at != index) {
        at = &replay->entries[*at].next;
    }
    *at = replay->entries[index].next;
    replay->entries[index].next = replay->free;
    replay->free = index;
    replay->count--;
}

static void forget_second(struct replay *replay, struct second *second)
{
    while (second->first != NONE) {
        uint32_t index = second->first;

        second->first = replay->entries[index].next_in_second;
        unlink_entry(replay, index);
    }
}

/* What is dated before `until_s` would not be accepted any more. */
static void expire(struct replay *replay, int64_t until_s)
{
    if (until_s - replay->oldest_s > (int64_t)SECONDS) {
        replay->oldest_s = until_s - (int64_t)SECONDS; /* each second once */
    }
    for (; replay->oldest_s < until_s; replay->oldest_s++) {
        struct second *second = second_of(replay, replay->oldest_s);

        if (second->date_s < until_s) {
            forget_second(replay, second);
        }
    }
    if (replay->count == 0 && replay->capacity > ENTRIES_KEPT) {
        release(replay);
    }
}

/* --- room ------------------------------------------------------------------------------ */

static bool may_grow(const struct replay *replay, uint32_t capacity)
{
    return capacity <= ENTRIES_MIN ||
           (capacity <= REPLAY_ENTRIES_MAX &&
            replay->budget->entries + (capacity - replay->capacity) <= REPLAY_BUDGET);
}

static void link_bucket(struct replay *replay, uint32_t index)
{
    uint32_t *bucket = bucket_of(replay, replay->entries[index].signature);

    replay->entries[index].next = *bucket;
    *bucket = index;
}

/* Called when every entry is in use. */
static bool grow(struct replay *replay)
{
    uint32_t before = replay->capacity;
    uint32_t capacity = (before > 0) ? 2 * before : ENTRIES_MIN;
    struct entry *entries;
    uint32_t *buckets;

    if (!may_grow(replay, capacity)) {
        return false;
    }
    buckets = mem_calloc(capacity, sizeof *buckets);
    entries = (buckets != NULL) ? mem_realloc(replay->entries, capacity * sizeof *entries) : NULL;
    if (entries == NULL) {
        mem_free(buckets);
        return false;
    }
    mem_free(replay->buckets);
    replay->budget->entries += capacity - before;
    replay->entries = entries;
    replay->buckets = buckets;
    replay->capacity = capacity;
    memset(buckets, 0xff, capacity * sizeof *buckets); /* NONE */
    for (uint32_t i = 0; i < before; i++) {
        link_bucket(replay, i);
    }
    for (uint32_t i = before; i < capacity; i++) {
        entries[i].next = replay->free;
        replay->free = i;
    }
    return true;
}

/* Of the seconds that hold something, the first. */
static void forget_oldest(struct replay *replay)
{
    struct second *oldest = NULL;

    for (size_t i = 0; i < SECONDS; i++) {
        struct second *second = &replay->seconds[i];

        if (second->first != NONE && (oldest == NULL || second->date_s < oldest->date_s)) {
            oldest = second;
        }
    }
    assert(oldest != NULL);
    if (oldest->date_s > replay->horizon_s) {
        replay->horizon_s = oldest->date_s;
    }
    forget_second(replay, oldest);
}

/* --- noting ---------------------------------------------------------------------------- */

static const struct entry *find(struct replay *replay, uint64_t signature)
{
    uint32_t index = (replay->capacity > 0) ? *bucket_of(replay, signature) : NONE;

    while (index != NONE && replay->entries[index].signature != signature) {
        index = replay->entries[index].next;
    }
    return (index != NONE) ? &replay->entries[index] : NULL;
}

static void add(struct replay *replay, uint64_t signature, int64_t date_s, int64_t now_ms)
{
    struct second *second = second_of(replay, date_s);
    uint32_t index = replay->free;
    struct entry *entry = &replay->entries[index];

    if (second->date_s != date_s) {
        forget_second(replay, second); /* of a clock that was elsewhere */
        second->date_s = date_s;
        index = replay->free;
        entry = &replay->entries[index];
    }
    replay->free = entry->next;
    *entry = (struct entry){
        .signature = signature, .first_ms = (uint32_t)now_ms, .next_in_second = second->first};
    second->first = index;
    link_bucket(replay, index);
    replay->count++;
}

/* A clock that was set back must not make everything too old until it has caught up. */
static void follow_clock(struct replay *replay, int64_t now_s)
{
    if (replay->horizon_s > now_s + REPLAY_WINDOW_S) {
        replay->horizon_s = now_s - 1;
    }
    expire(replay, now_s - REPLAY_WINDOW_S);
    if (replay->oldest_s > now_s) {
        replay->oldest_s = now_s - REPLAY_WINDOW_S;
    }
}

enum replay_verdict replay_note(struct replay *replay, uint64_t signature, int64_t date_s,
                                int64_t now_ms, uint32_t *ret_age_ms)
{
    const struct entry *seen;

    follow_clock(replay, now_ms / 1000);
    seen = find(replay, signature);
    if (seen != NULL) {
        *ret_age_ms = (uint32_t)now_ms - seen->first_ms;
        return REPLAY_SEEN;
    }
    if (date_s <= replay->horizon_s) {
        return REPLAY_TOO_OLD;
    }
    if (replay->free == NONE && !grow(replay)) {
        if (replay->count == 0) {
            return REPLAY_NOMEM;
        }
        forget_oldest(replay);
        if (date_s <= replay->horizon_s) {
            return REPLAY_TOO_OLD;
        }
    }
    add(replay, signature, date_s, now_ms);
    return REPLAY_NEW;
}
