#include "journal/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/core/operation.h"
#include "journal/layout.h"
#include "journal/object.h"
#include "journal/place.h"
#include "journal/segment.h"
#include "journal/verify_parts.h"

void verify_problem(struct checker *checker, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    checker->counts.problems++;
    checker->verify->problem(checker->verify->arg, text);
}

void verify_exec_problem(struct checker *checker, const char *what)
{
    char text[ID_TEXT_LEN + 1];

    id_format(&checker->exec_id, text);
    verify_problem(checker, "execution %s: %s (after record %" PRIu64 ")", text, what,
                   checker->head.last_record);
}

/* --- one execution --------------------------------------------------------------------- */

static bool has_row(struct checker *checker, enum view_table table, struct bytes key,
                    struct bytes value)
{
    MDB_val mdb_key = env_val(key.data, key.len);
    MDB_val found;

    return mdb_get(checker->txn, checker->views.tables[table], &mdb_key, &found) == 0 &&
           bytes_equal(env_bytes(found), value);
}

static void want_row(struct checker *checker, enum view_table table, struct bytes key,
                     struct bytes value, const char *what)
{
    checker->wanted[table]++;
    if (!has_row(checker, table, key, value)) {
        verify_exec_problem(checker, what);
    }
}

static void want_listed(struct checker *checker, const struct journal_head *head,
                        const struct id *function_id)
{
    uint8_t key[KEY_STATUS_BYTES];

    want_row(checker, VIEW_INDEX,
             key_listed(key, head->tenant, function_id, 0, head->start_ms, &head->exec_id),
             bytes_of(&head->status, 1), "its row in `index` is missing or wrong");
    if (head->status != EXEC_SUCCEEDED) {
        want_row(checker, VIEW_STATUS,
                 key_listed(key, head->tenant, function_id, head->status, head->start_ms,
                            &head->exec_id),
                 bytes_of("", 0), "its row in `status` is missing");
    }
}

/* A name that another execution had first is that one's. */
static void want_name(struct checker *checker, const struct journal_head *head)
{
    uint8_t key[KEY_NAME_BYTES];
    MDB_val found;
    struct bytes name = key_name(key, head->tenant, &head->function_id, &head->name_hash);
    MDB_val mdb_key = env_val(name.data, name.len);

    if (id_is_none(&head->name_hash)) {
        return;
    }
    if (mdb_get(checker->txn, checker->views.tables[VIEW_NAME], &mdb_key, &found) != 0) {
        verify_exec_problem(checker, "its name is missing");
    } else if (bytes_equal(env_bytes(found), bytes_of(head->exec_id.bytes, 16))) {
        checker->wanted[VIEW_NAME]++;
    }
}

static void want_rows(struct checker *checker, const struct journal_head *head)
{
    static const struct id no_function;
    uint8_t key[KEY_TIMED_BYTES];
    int64_t expires_ms = head_expires_ms(head);

    want_name(checker, head);
    if (!head->is_brief) {
        want_listed(checker, head, &no_function);
    }
    if (!head->is_brief && !id_is_none(&head->function_id)) {
        want_listed(checker, head, &head->function_id);
    }
    if (head->wake_ms != 0) {
        want_row(checker, VIEW_DUE, key_timed(key, head->wake_ms, &head->exec_id), bytes_of("", 0),
                 "its row in `due` is missing");
    }
    if (expires_ms != 0) {
        want_row(checker, VIEW_EXPIRE, key_timed(key, expires_ms, &head->exec_id), bytes_of("", 0),
                 "its row in `expire` is missing");
    }
}

int verify_frame(void *arg, struct bytes frame)
{
    struct checker *checker = arg;
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;
    const char *wrong;

    checker->counts.frames++;
    if (!frame_parse(frame, &header, &opening, &sealed)) {
        verify_exec_problem(checker, "a frame cannot be read");
        return 0;
    }
    if (!id_equal(&header.exec_id, &checker->exec_id)) {
        verify_exec_problem(checker, "a frame of another execution is among its own");
        return 0;
    }
    if (!head_is_next(&checker->head, &header)) {
        verify_exec_problem(checker, "a frame does not follow the last one");
    }
    wrong = checker->verify->visit_frame(checker->verify->arg, frame, checker->head.chain);
    if (wrong != NULL) {
        verify_exec_problem(checker, wrong);
    }
    if (opening.title.len > 0 && checker->title.data != NULL &&
        !bytes_equal(opening.title, checker->title)) {
        verify_exec_problem(checker, "its title is not that of its first frame");
    }
    head_advance(&checker->head, &header, &opening);
    return 0;
}

/* The title of `b` points into a frame that is gone; it was compared there. */
static bool is_same(const struct journal_head *a, const struct journal_head *b)
{
    return a->tenant == b->tenant && id_equal(&a->function_id, &b->function_id) &&
           id_equal(&a->name_hash, &b->name_hash) && a->status == b->status && a->kind == b->kind &&
           a->is_brief == b->is_brief && a->revision == b->revision &&
           a->retention_days == b->retention_days && a->title_epoch == b->title_epoch &&
           a->start_ms == b->start_ms && a->end_ms == b->end_ms && a->wake_ms == b->wake_ms &&
           a->last_event == b->last_event && a->last_record == b->last_record &&
           memcmp(a->chain, b->chain, sizeof a->chain) == 0 && a->title.len == b->title.len;
}

static int check_execution(struct checker *checker, MDB_val key, MDB_val value)
{
    struct journal_head head;
    uint64_t record = 1;
    int r;

    checker->counts.executions++;
    checker->head = (struct journal_head){0};
    if (key.mv_size != sizeof checker->exec_id.bytes) {
        verify_problem(checker, "views: a key of `head` is no execution");
        return 0;
    }
    memcpy(checker->exec_id.bytes, key.mv_data, sizeof checker->exec_id.bytes);
    if (!head_parse(&checker->exec_id, env_bytes(value), &head)) {
        verify_exec_problem(checker, "its head cannot be read");
        return 0;
    }
    if (head.is_brief) { /* that is all there is */
        want_rows(checker, &head);
        return 0;
    }
    checker->title = head.title;
    r = segment_read(&checker->views, checker->txn, &checker->exec_id, &record, INT64_MAX,
                     &checker->spare, verify_frame, checker);
    if (r == ERR_CORRUPT) {
        verify_exec_problem(checker, "its frames cannot be read to their end");
    } else if (r != 0) {
        return r;
    } else if (!is_same(&head, &checker->head)) {
        verify_exec_problem(checker, "its head does not say what its frames say");
    }
    checker->title = (struct bytes){0};
    checker->head = head;
    want_rows(checker, &head);
    return 0;
}

/* --- tables ------------------------------------------------------------------------------ */

typedef int (*row_check)(struct checker *checker, MDB_val key, MDB_val value);

static int check_table(struct checker *checker, enum view_table table, row_check check)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_open(checker->txn, checker->views.tables[table], &cursor);
    int r = 0;

    while (rc == 0 && r == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        r = (rc == 0) ? check(checker, key, value) : 0;
    }
    return (rc == 0 || rc == MDB_NOTFOUND) ? r : env_err(&checker->views.env, rc, "walk");
}

static int check_object(struct checker *checker, MDB_val key, MDB_val row)
{
    struct bytes value = {0};
    int r = object_value(&checker->views, checker->txn, env_bytes(row), &checker->spare, &value);

    checker->counts.objects++;
    if (r == ERR_CORRUPT) {
        verify_problem(checker, "views: object %.*s is not whole", (int)key.mv_size,
                       (const char *)key.mv_data);
        return 0;
    }
    if (r == 0) {
        checker->wanted[VIEW_PIECE] += (value.len >= VIEW_VALUE_BYTES)
                                           ? (value.len + VIEW_VALUE_BYTES - 1) / VIEW_VALUE_BYTES
                                           : 0;
        checker->verify->visit_object(checker->verify->arg, env_bytes(key), value);
    }
    return r;
}

/* Rows of an execution follow each other, so each is looked up once. */
static int check_owner(struct checker *checker, MDB_val key, MDB_val value)
{
    MDB_val found;
    MDB_val owner = env_val(key.mv_data, sizeof checker->exec_id.bytes);

    (void)value;
    if (key.mv_size != KEY_SEGMENT_BYTES) {
        verify_problem(checker, "views: a key of `segment` has a wrong length");
        return 0;
    }
    if (memcmp(key.mv_data, checker->exec_id.bytes, sizeof checker->exec_id.bytes) == 0) {
        return 0;
    }
    memcpy(checker->exec_id.bytes, key.mv_data, sizeof checker->exec_id.bytes);
    if (mdb_get(checker->txn, checker->views.tables[VIEW_HEAD], &owner, &found) != 0) {
        verify_exec_problem(checker, "it has frames but no head");
    }
    return 0;
}

static int check_damaged(struct checker *checker, MDB_val key, MDB_val value)
{
    (void)value;
    verify_problem(checker, "views: LSN %" PRIu64 " is kept as damaged",
                   (key.mv_size >= 8) ? get_u64be(key.mv_data) : 0);
    return 0;
}

/* Every row that is asked for was found, so as many as asked for means no others. */
static void check_counts(struct checker *checker)
{
    static const struct {
        enum view_table table;
        const char *name;
    } tables[] = {{VIEW_DUE, "due"},       {VIEW_NAME, "name"},     {VIEW_INDEX, "index"},
                  {VIEW_STATUS, "status"}, {VIEW_EXPIRE, "expire"}, {VIEW_PIECE, "piece"}};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        MDB_stat stat = {0};

        (void)mdb_stat(checker->txn, checker->views.tables[tables[i].table], &stat);
        if (stat.ms_entries != checker->wanted[tables[i].table]) {
            verify_problem(checker, "views: `%s` has %zu rows, %" PRIu64 " belong there",
                           tables[i].name, stat.ms_entries, checker->wanted[tables[i].table]);
        }
    }
}

static int check_views(struct checker *checker)
{
    int r = check_table(checker, VIEW_OBJECT, check_object);

    if (r == 0) {
        r = check_table(checker, VIEW_HEAD, check_execution);
    }
    if (r == 0) {
        checker->exec_id = (struct id){0};
        r = check_table(checker, VIEW_SEGMENT, check_owner);
    }
    if (r == 0) {
        r = check_table(checker, VIEW_DAMAGED, check_damaged);
    }
    check_counts(checker);
    return r;
}

/* --- the whole ------------------------------------------------------------------------- */

static int open_both(struct checker *checker, const char *dir)
{
    char *log_path = place_join(dir, "log");
    char *views_path = place_join(dir, "views");
    int r = ERR_NOMEM;

    if (log_path == NULL || views_path == NULL) {
        (void)ERR(ERR_NOMEM, "paths of a journal");
    } else {
        r = hot_log_open(&checker->log, log_path, 0, true);
        if (r == 0) {
            r = views_open(&checker->views, views_path, 0, true);
            checker->has_views = r == 0;
        }
    }
    mem_free(log_path);
    mem_free(views_path);
    return r;
}

static int check_identities(struct checker *checker)
{
    struct id log_id;
    struct id views_id;
    int r = env_get_identity(hot_log_env(checker->log), &log_id);

    if (r == 0) {
        r = env_get_identity(&checker->views.env, &views_id);
    }
    if (r == 0 && !id_equal(&log_id, &views_id)) {
        verify_problem(checker, "`log` and `views` are not of one journal");
    }
    return (r == 0) ? views_get_applied(&checker->views, &checker->applied) : r;
}

static int check_all(struct checker *checker)
{
    int r = check_identities(checker);

    if (r == 0) {
        r = env_err(&checker->views.env,
                    mdb_txn_begin(checker->views.env.mdb, NULL, MDB_RDONLY, &checker->txn),
                    "begin read");
    }
    if (r == 0) {
        r = verify_log(checker);
    }
    if (r == 0) {
        r = verify_tail_objects(checker);
    }
    if (r == 0) {
        r = check_views(checker);
    }
    return (r == 0) ? verify_tail_frames(checker) : r;
}

static void close_all(struct checker *checker)
{
    verify_free_tail(checker);
    env_abort(&checker->txn);
    buf_fini(&checker->spare);
    if (checker->has_views) {
        views_close(&checker->views);
    }
    hot_log_close(checker->log);
    (void)close(checker->lock_fd);
}

int journal_verify(const char *dir, const struct verify *verify, struct verify_counts *ret_counts)
{
    struct checker checker = {.verify = verify};
    int r = place_lock(dir, &checker.lock_fd);

    if (r != 0) {
        return r;
    }
    r = open_both(&checker, dir);
    if (r == 0) {
        r = check_all(&checker);
    }
    close_all(&checker);
    if (r == 0) {
        *ret_counts = checker.counts;
    }
    return r;
}
