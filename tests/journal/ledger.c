#include "tests/journal/ledger.h"

struct slot {
    struct journal_append append;
    struct buf frame;
    uint32_t number;
    uint32_t execution;
    uint32_t step;
    struct made made;
    struct prng prng;
};

static struct journal *loaded;
static struct load current;
static uint64_t steps_begun;
static struct slot slots[LEDGER_SLOTS];

static void begin_execution(struct made *made, struct prng *prng, uint64_t seed, uint32_t slot,
                            uint32_t execution)
{
    prng->state = seed * 1000003 + slot * 10007 + execution;
    made_init(made, prng, 1000 + (int64_t)execution);
}

static void next_frame(struct made *made, struct prng *prng, uint32_t step, struct buf *ret_frame)
{
    struct made_step next = {.status = EXEC_RUNNING,
                             .events = 1 + prng_below(prng, 3),
                             .notes = 1,
                             .time_ms = 2000,
                             .wake_ms = prng_below(prng, 5),
                             .payload = 50 + prng_below(prng, 400)};

    if (prng_below(prng, 50) == 0) {
        next.payload = 40000; /* in pieces */
    }
    if (step == LEDGER_STEPS) {
        next.status = EXEC_SUCCEEDED;
        next.wake_ms = 0;
    }
    made_step(made, prng, &next, ret_frame);
}

/* --- the load -------------------------------------------------------------------------- */

static void acknowledge(const struct slot *slot)
{
    struct ack ack = {.slot = slot->number, .execution = slot->execution, .step = slot->step};

    current.acknowledge(current.arg, &ack);
}

static void append_step(struct slot *slot);

static void on_durable(struct journal_append *req)
{
    struct slot *slot = container_of(req, struct slot, append);

    if (!current.is_too_early) {
        acknowledge(slot);
    }
    append_step(slot);
}

static void append_step(struct slot *slot)
{
    if (current.steps_max != 0 && steps_begun == current.steps_max) {
        return;
    }
    steps_begun++;
    if (slot->step == LEDGER_STEPS) {
        slot->execution++;
        slot->step = 0;
    }
    if (slot->step == 0) {
        made_fini(&slot->made);
        begin_execution(&slot->made, &slot->prng, current.seed, slot->number, slot->execution);
    }
    slot->step++;
    slot->frame.len = 0;
    next_frame(&slot->made, &slot->prng, slot->step, &slot->frame);
    slot->append.kind = JOURNAL_FRAME;
    slot->append.data = buf_bytes(&slot->frame);
    journal_append(loaded, &slot->append, on_durable);
    if (current.is_too_early) {
        acknowledge(slot);
    }
}

void load_start(struct journal *journal, const struct load *load)
{
    loaded = journal;
    current = *load;
    steps_begun = 0;
    for (uint32_t i = 0; i < LEDGER_SLOTS; i++) {
        slots[i].number = i;
        append_step(&slots[i]);
    }
}

/* --- the check ------------------------------------------------------------------------- */

void ledger_note(struct ledger *ledger, const struct ack *ack)
{
    assert_true(ack->slot < LEDGER_SLOTS);
    ledger->execution[ack->slot] = ack->execution;
    ledger->step[ack->slot] = ack->step;
    ledger->acks++;
}

static int collect(void *arg, struct bytes frame)
{
    buf_append(arg, frame.data, frame.len);
    return 0;
}

/* How many steps of the execution are there: each must be what was written. */
static uint32_t count_steps(struct fixture *f, uint64_t seed, uint32_t slot, uint32_t execution)
{
    struct made made;
    struct prng prng;
    struct buf found = {0};
    struct buf frame = {0};
    uint32_t steps = 0;
    int r;

    begin_execution(&made, &prng, seed, slot, execution);
    r = journal_read_frames(f->journal, &made.head.exec_id, 1, collect, &found);
    assert_true(r == 0 || r == JOURNAL_NOT_FOUND);
    while (made.frames.len < found.len && steps < LEDGER_STEPS) {
        steps++;
        frame.len = 0;
        next_frame(&made, &prng, steps, &frame);
        assert_true(made.frames.len <= found.len);
        assert_memory_equal(found.data, made.frames.data, made.frames.len);
    }
    assert_int_equal(found.len, made.frames.len);
    if (steps > 0) {
        assert_made(f, &made);
    }
    made_fini(&made);
    buf_fini(&found);
    buf_fini(&frame);
    return steps;
}

static uint32_t steps_wanted(const struct ledger *ledger, uint32_t slot, uint32_t execution)
{
    if (execution < ledger->execution[slot]) {
        return LEDGER_STEPS;
    }
    return (execution == ledger->execution[slot]) ? ledger->step[slot] : 0;
}

/* One execution further than acknowledged: what was begun must be sound, too. */
uint64_t ledger_count_lost(struct fixture *f, uint64_t seed, const struct ledger *ledger)
{
    uint64_t lost = 0;

    for (uint32_t slot = 0; slot < LEDGER_SLOTS; slot++) {
        for (uint32_t n = 0; n <= ledger->execution[slot] + 1; n++) {
            lost += (count_steps(f, seed, slot, n) < steps_wanted(ledger, slot, n)) ? 1 : 0;
        }
    }
    return lost;
}
