#include "engine/driver/slot.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/fleet.h"

void slot_give(struct place *place, struct invocation *invocation)
{
    uint16_t slot = place->free_slots[place->concurrency - ++place->running_count];

    assert(place->slots[slot] == NULL);
    place->slots[slot] = invocation;
    invocation->place = place;
    invocation->number = ++place->turns * PLACE_CONCURRENCY_MAX + slot;
    list_push_back(&place->running, &invocation->link);
    place->pool->stats.running++;
}

void slot_take(struct place *place, struct invocation *invocation)
{
    uint16_t slot = (uint16_t)(invocation->number % PLACE_CONCURRENCY_MAX);

    place->slots[slot] = NULL;
    place->free_slots[place->concurrency - place->running_count--] = slot;
    invocation->place = NULL;
    list_remove(&invocation->link);
    deadlines_remove(&place->pool->deadlines, DEADLINE_INVOCATION, &invocation->timeout);
    place->pool->stats.running--;
}

struct invocation *slot_find(const struct place *place, uint64_t number)
{
    struct invocation *invocation;
    size_t slot = number % PLACE_CONCURRENCY_MAX;

    if (slot >= place->concurrency) {
        return NULL;
    }
    invocation = place->slots[slot];
    return (invocation != NULL && invocation->number == number && invocation->is_sent) ? invocation
                                                                                       : NULL;
}

bool slot_was_used(const struct place *place, uint64_t number)
{
    uint64_t turn = number / PLACE_CONCURRENCY_MAX;

    return turn >= 1 && turn <= place->turns;
}

struct invocation *slot_only(const struct place *place)
{
    struct invocation *invocation;

    if (place->running_count != 1) {
        return NULL;
    }
    invocation = container_of(place->running.next, struct invocation, link);
    return invocation->is_sent ? invocation : NULL;
}

int slots_alloc(struct place *place)
{
    place->slots = mem_calloc(place->concurrency, sizeof(struct invocation *));
    place->free_slots = mem_calloc(place->concurrency, sizeof *place->free_slots);
    if (place->slots == NULL || place->free_slots == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < place->concurrency; i++) {
        place->free_slots[i] = (uint16_t)(place->concurrency - 1 - i);
    }
    return 0;
}
