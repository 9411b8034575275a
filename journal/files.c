#include <errno.h>
#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "journal/internal.h"
#include "journal/place.h"

/* Opening the directory of a journal: checks and lock first, then the two
 * environments, then whether they belong together; last the tail is applied. */

static int make_identity(struct id *ret_identity)
{
    if (getrandom(ret_identity->bytes, sizeof ret_identity->bytes, 0) !=
        (ssize_t)sizeof ret_identity->bytes) {
        return ERR(ERR_SYSTEM, "random numbers: %s", strerror(errno));
    }
    return 0;
}

/* The log and the views belong together, or one of them is new and the other empty. */
static int match_identities(struct journal *journal)
{
    struct env *log = hot_log_env(journal->log);
    struct env *views = &journal->views.env;
    struct id log_id;
    struct id views_id;
    uint64_t applied = 0;
    int r = env_get_identity(log, &log_id);

    if (r == 0) {
        r = env_get_identity(views, &views_id);
    }
    if (r == 0) {
        r = views_get_applied(&journal->views, &applied);
    }
    if (r != 0 || (id_equal(&log_id, &views_id) && !id_is_none(&log_id))) {
        return r;
    }
    if ((!id_is_none(&log_id) && !id_is_none(&views_id)) || applied > 0 ||
        hot_log_last(journal->log) > 0) {
        return ERR(ERR_INVALID,
                   "%s: `log` and `views` are not of one journal: restore both from one backup",
                   journal->dir);
    }
    r = id_is_none(&log_id) ? make_identity(&log_id) : 0;
    if (r == 0) {
        r = env_set_identity(log, &log_id);
    }
    return (r == 0) ? env_set_identity(views, &log_id) : r;
}

/* The log begins where the views end, or before. */
static int check_tail(struct journal *journal)
{
    uint64_t first = hot_log_first(journal->log);
    uint64_t last = hot_log_last(journal->log);
    uint64_t applied = 0;
    int r = views_get_applied(&journal->views, &applied);

    if (r == 0 && (applied > last || (first > 0 && applied + 1 < first))) {
        r = ERR(ERR_CORRUPT,
                "%s: the views end at LSN %" PRIu64 ", the log holds %" PRIu64 " to %" PRIu64
                ": restore both from one backup",
                journal->dir, applied, first, last);
    }
    return r;
}

static int open_log(struct journal *journal, uint64_t map_bytes)
{
    char *path = place_join(journal->dir, "log");
    int r = (path != NULL) ? hot_log_open(&journal->log, path, map_bytes, false)
                           : ERR(ERR_NOMEM, "path of the log");

    mem_free(path);
    return r;
}

static int open_views(struct journal *journal, uint64_t map_bytes)
{
    char *path = place_join(journal->dir, "views");
    int r = (path != NULL) ? views_open(&journal->views, path, map_bytes, false)
                           : ERR(ERR_NOMEM, "path of the views");

    mem_free(path);
    return r;
}

static int open_place(struct journal *journal, const struct journal_options *options)
{
    int r = place_make_dir(journal->dir);

    if (r == 0) {
        r = place_check(journal->dir);
    }
    if (r == 0) {
        r = place_lock(journal->dir, &journal->lock_fd);
    }
    if (r == 0) {
        r = ballast_init(&journal->ballast, journal->dir, options->ballast_bytes);
        journal->has_ballast = r == 0;
    }
    return (r == 0) ? place_sync_dir(journal->dir) : r;
}

int journal_open_files(struct journal *journal, const struct journal_options *options)
{
    int r = open_place(journal, options);

    if (r == 0) {
        r = open_log(journal, options->log_map_bytes);
    }
    if (r == 0) {
        r = open_views(journal, options->views_map_bytes);
    }
    if (r == 0) {
        r = match_identities(journal);
    }
    if (r == 0) {
        r = check_tail(journal);
    }
    return (r == 0) ? applier_recover(journal->log, &journal->views, &journal->last_lsn) : r;
}

void journal_close_files(struct journal *journal)
{
    hot_log_close(journal->log);
    views_close(&journal->views);
    if (journal->has_ballast) {
        ballast_fini(&journal->ballast);
    }
    if (journal->lock_fd >= 0) {
        (void)close(journal->lock_fd);
    }
}
