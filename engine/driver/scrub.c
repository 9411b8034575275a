/* Opening and checking every frame of every execution, some at a time, while the
 * daemon serves: `pawl verify` with a daemon. Damage is named, never repaired. */
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define EACH 64U /* executions in one turn of the loop */
#define DAMAGED_MAX 1000U

struct scrub {
    struct driver *driver;
    uv_timer_t timer;
    struct journal_wait wait;
    struct journal_list list;
    uint64_t checked;
    uint32_t damaged;
    uint32_t seen; /* in this turn */
    struct id ids[EACH];
    struct buf json;
    void *arg;
    driver_scrub_cb cb;
};

static int visit_head(void *arg, const struct journal_head *head)
{
    struct scrub *scrub = arg;

    if (scrub->seen == EACH) {
        return 1;
    }
    scrub->ids[scrub->seen++] = head->exec_id;
    scrub->list.from_start_ms = head->start_ms;
    scrub->list.from_exec_id = head->exec_id;
    return 0;
}

static int visit_record(void *arg, const struct record *record, uint64_t record_no)
{
    (void)arg;
    (void)record;
    (void)record_no;
    return 0;
}

static void check(struct scrub *scrub, const struct id *exec_id)
{
    int r = view_walk(scrub->driver, exec_id, visit_record, NULL);
    char text[ID_TEXT_LEN + 1];

    if (r == JOURNAL_NOT_FOUND) {
        return; /* expired meanwhile */
    }
    scrub->checked++;
    if (r < 0 && scrub->damaged++ < DAMAGED_MAX) {
        id_format(exec_id, text);
        json_element(&scrub->json);
        json_text(&scrub->json, text);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct scrub *scrub = handle->data;

    buf_append_text(&scrub->json, "],");
    buf_printf(&scrub->json, "\"Checked\":%llu}", (unsigned long long)scrub->checked);
    scrub->cb(scrub->arg, buf_bytes(&scrub->json));
    buf_fini(&scrub->json);
    mem_free(scrub);
}

static void on_turn(uv_timer_t *timer)
{
    struct scrub *scrub = timer->data;
    int r;

    scrub->seen = 0;
    r = journal_read_list(scrub->driver->journal, &scrub->list, visit_head, scrub);
    for (uint32_t i = 0; i < scrub->seen; i++) {
        check(scrub, &scrub->ids[i]);
    }
    if (r == 1 && !scrub->driver->is_closing) {
        (void)uv_timer_start(timer, on_turn, 1, 0);
        return;
    }
    uv_close((uv_handle_t *)timer, on_closed);
}

/* All that was committed when it was asked for is looked at. */
static void on_applied(struct journal_wait *wait)
{
    struct scrub *scrub = container_of(wait, struct scrub, wait);

    (void)uv_timer_start(&scrub->timer, on_turn, 0, 0);
}

void driver_scrub(struct driver *driver, void *arg, driver_scrub_cb cb)
{
    static const char none[] = "{\"Checked\":0,\"Damaged\":[\"out of memory\"]}";
    struct scrub *scrub = mem_calloc(1, sizeof *scrub);

    if (scrub == NULL) {
        cb(arg, bytes_of_text(none));
        return;
    }
    scrub->driver = driver;
    scrub->arg = arg;
    scrub->cb = cb;
    scrub->list.tenant = TENANT_DEFAULT;
    scrub->list.is_oldest_first = true;
    buf_append_text(&scrub->json, "{\"Damaged\":[");
    (void)uv_timer_init(driver->loop, &scrub->timer);
    scrub->timer.data = scrub;
    journal_wait_applied(driver->journal, &scrub->wait, journal_last_lsn(driver->journal),
                         on_applied);
}
