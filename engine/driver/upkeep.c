/* What is done once a minute: executions whose retention is over are deleted, and so are
 * revisions of functions that nobody needs any more. */
#include "engine/base/log.h"
#include "engine/driver/state.h"

#define FIRST_MS 1000
#define EACH_MS 60000
#define EXPIRE_MAX 10000000U /* until the next time; in small steps, see the applier */
#define LOOKED_AT_MAX 10000U

struct user_search {
    uint32_t revision;
    uint32_t left;
    bool is_found;
};

static int visit_user(void *arg, const struct journal_head *head)
{
    struct user_search *search = arg;

    search->is_found = head->revision == search->revision || --search->left == 0;
    return search->is_found ? 1 : 0;
}

/* By an execution that may run again and is only in the journal; those in memory hold a
 * reference. With very many it is taken for needed, and asked about again later. */
static bool is_needed(void *arg, const struct function_revision *revision)
{
    const struct driver *driver = arg;
    struct user_search search = {.revision = revision->number, .left = LOOKED_AT_MAX};
    struct journal_list list = {.tenant = revision->function->tenant,
                                .function_id = revision->function->id,
                                .statuses = 1U << EXEC_RUNNING,
                                .is_oldest_first = true};

    return journal_read_list(driver->journal, &list, visit_user, &search) < 0 || search.is_found;
}

static void sweep(struct driver *driver)
{
    int count;

    if (journal_applied_lsn(driver->journal) < driver->opened_lsn) {
        return; /* the list does not have them all yet */
    }
    count = functions_sweep(driver->functions, driver, is_needed);
    if (count > 0) {
        log_info("%d old revisions of functions were removed", count);
    }
}

/* No execution that expires is hot: what has ended is forgotten within a moment, and 15
 * minutes is the least. */
static void on_time(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    journal_expire(driver->journal, driver_now_ms(), EXPIRE_MAX);
    sweep(driver);
    if (!driver->is_closing) {
        pool_tend_warm(driver->pool);
    }
}

void upkeep_start(struct driver *driver)
{
    driver->opened_lsn = journal_last_lsn(driver->journal);
    driver->upkeep_timer.data = driver;
    (void)uv_timer_start(&driver->upkeep_timer, on_time, FIRST_MS, EACH_MS);
}
