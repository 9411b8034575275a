#include "engine/driver/gate.h"

#include <assert.h>

void gates_init(struct gates *gates, uint32_t limit)
{
    *gates = (struct gates){.limit = limit};
    list_init(&gates->blocked);
    list_init(&gates->held);
    list_init(&gates->ready);
}

uint32_t gates_unreserved(const struct gates *gates)
{
    return (gates->reserved_total < gates->limit) ? gates->limit - (uint32_t)gates->reserved_total
                                                  : 0;
}

bool gate_has_room(const struct gates *gates, const struct gate *gate, bool is_single)
{
    if (gate->is_reserved) {
        return gate->running < gate->reserved;
    }
    return !is_single || gates->shared_running < gates_unreserved(gates);
}

/* --- counting ------------------------------------------------------------------------ */

static void count(struct gates *gates, struct gate_pass *pass)
{
    struct gate *gate = pass->gate;
    uint32_t single = pass->is_single ? 1 : 0;

    pass->is_admitted = true;
    gate->running++;
    gate->running_single += single;
    gates->shared_running += gate->is_reserved ? 0 : single;
}

static void uncount(struct gates *gates, struct gate_pass *pass)
{
    struct gate *gate = pass->gate;
    uint32_t single = pass->is_single ? 1 : 0;

    assert(gate->running > 0 && gate->running_single >= single);
    pass->is_admitted = false;
    pass->gate = NULL;
    gate->running--;
    gate->running_single -= single;
    gates->shared_running -= gate->is_reserved ? 0 : single;
}

/* --- standing in line ------------------------------------------------------------------ */

static struct gate_pass *first_of(const struct gate *gate)
{
    return container_of(gate->waiting.next, struct gate_pass, link);
}

static void stand(struct gates *gates, struct gate *gate)
{
    list_remove(&gate->queue);
    if (gate->waiting_count > 0) {
        list_push_back(gate->is_reserved ? &gates->held : &gates->blocked, &gate->queue);
    }
}

static void look_at(struct gates *gates, struct gate *gate)
{
    list_remove(&gate->queue);
    list_push_back(&gates->ready, &gate->queue);
}

/* Somebody's turn has come to be looked at. */
static bool wake(struct gates *gates, struct gate *gate)
{
    if (gate->is_reserved) {
        if (gate->waiting_count > 0) {
            look_at(gates, gate);
        }
    } else if (!list_is_empty(&gates->blocked)) {
        look_at(gates, container_of(gates->blocked.next, struct gate, queue));
    }
    return !list_is_empty(&gates->ready);
}

static struct gate_pass *take_first(struct gate *gate)
{
    struct gate_pass *pass = first_of(gate);

    list_remove(&pass->link);
    gate->waiting_count--;
    return pass;
}

/* --- coming and going -------------------------------------------------------------------- */

void gate_enter(struct gates *gates, struct gate *gate, struct gate_pass *pass)
{
    list_init(&pass->link);
    pass->gate = gate;
    count(gates, pass);
}

void gate_wait(struct gates *gates, struct gate *gate, struct gate_pass *pass)
{
    if (gate->waiting.next == NULL) {
        list_init(&gate->waiting);
        list_init(&gate->queue);
    }
    pass->gate = gate;
    pass->is_admitted = false;
    list_push_back(&gate->waiting, &pass->link);
    if (gate->waiting_count++ == 0) {
        stand(gates, gate);
    }
}

bool gate_leave(struct gates *gates, struct gate_pass *pass)
{
    struct gate *gate = pass->gate;

    if (gate == NULL) {
        return false;
    }
    if (pass->is_admitted) {
        uncount(gates, pass);
        return wake(gates, gate);
    }
    pass->gate = NULL;
    list_remove(&pass->link);
    if (--gate->waiting_count == 0) {
        list_remove(&gate->queue);
    }
    return false;
}

bool gate_reserve(struct gates *gates, struct gate *gate, bool is_reserved, uint32_t reserved)
{
    gates->reserved_total -= gate->is_reserved ? gate->reserved : 0;
    gates->shared_running += gate->is_reserved ? gate->running_single : 0;
    gate->is_reserved = is_reserved;
    gate->reserved = reserved;
    gates->reserved_total += is_reserved ? reserved : 0;
    gates->shared_running -= is_reserved ? gate->running_single : 0;
    if (gate->waiting_count > 0) {
        look_at(gates, gate);
    }
    while (!list_is_empty(&gates->blocked)) { /* the shared part may have grown */
        look_at(gates, container_of(gates->blocked.next, struct gate, queue));
    }
    return !list_is_empty(&gates->ready);
}

/* A gate that had its turn stands at the end again: for one place of the shared part that
 * became free one gate is looked at. */
struct gate_pass *gates_next(struct gates *gates)
{
    while (!list_is_empty(&gates->ready)) {
        struct gate *gate = container_of(gates->ready.next, struct gate, queue);
        struct gate_pass *pass = first_of(gate);

        if (!gate_has_room(gates, gate, pass->is_single)) {
            stand(gates, gate);
            continue;
        }
        (void)take_first(gate);
        count(gates, pass);
        list_remove(&gate->queue);
        if (gate->waiting_count > 0) {
            list_push_back(&gates->ready, &gate->queue);
        }
        return pass;
    }
    return NULL;
}

struct gate_pass *gates_any(struct gates *gates)
{
    struct list *lists[] = {&gates->blocked, &gates->held, &gates->ready};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (!list_is_empty(lists[i])) {
            struct gate_pass *pass = take_first(container_of(lists[i]->next, struct gate, queue));

            if (pass->gate->waiting_count == 0) {
                list_remove(&pass->gate->queue);
            }
            pass->gate = NULL;
            return pass;
        }
    }
    return NULL;
}
