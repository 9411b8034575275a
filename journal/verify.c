#include "journal/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/base/table.h"
#include "engine/core/operation.h"
#include "journal/batch.h"
#include "journal/head.h"
#include "journal/layout.h"
#include "journal/log.h"
#include "journal/object.h"
#include "journal/place.h"
#include "journal/segment.h"
#include "journal/views.h"

#define TAIL_BYTES_MAX ((size_t)32 << 20)

struct checker {
    const struct verify *verify;
    struct verify_counts counts;
    struct hot_log *log;
    struct views views;
    bool has_views;
    int lock_fd;
    MDB_txn *txn; /* of the views */
    uint64_t applied;
    uint64_t wanted[VIEW_TABLES]; /* rows that the heads and objects ask for */
    struct buf spare;

    /* Of the execution that is being read. */
    struct id exec_id;
    struct journal_head head; /* by the frames so far */
    struct bytes title;       /* by the row; none while the log is read */

    /* Of the log. */
    uint64_t next_lsn;
    uint8_t kind;
    uint16_t piece;
    uint16_t pieces;

    struct table tail; /* struct tail_exec: those with frames in the log only */
};

struct tail_exec {
    struct table_node node;
    struct journal_head head; /* after the frames seen so far */
};

static void problem(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void problem(struct checker *checker, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    checker->counts.problems++;
    checker->verify->problem(checker->verify->arg, text);
}

static void exec_problem(struct checker *checker, const char *what)
{
    char text[ID_TEXT_LEN + 1];

    id_format(&checker->exec_id, text);
    problem(checker, "execution %s: %s (after record %" PRIu64 ")", text, what,
            checker->head.last_record);
}

/* --- the log ------------------------------------------------------------------------- */

static int check_piece(void *arg, const struct log_piece *piece)
{
    struct checker *checker = arg;
    bool is_start = checker->piece == checker->pieces;

    if (checker->next_lsn != 0 && piece->lsn != checker->next_lsn) {
        problem(checker, "log: LSN %" PRIu64 " follows %" PRIu64, piece->lsn,
                checker->next_lsn - 1);
    }
    if (piece->kind < JOURNAL_FRAME || piece->kind > JOURNAL_DELETE) {
        problem(checker, "log: LSN %" PRIu64 " is of unknown kind %u", piece->lsn, piece->kind);
    }
    if (checker->next_lsn == 0 && piece->lsn <= checker->applied) {
        is_start = piece->piece == 0; /* its beginning may be trimmed */
    } else if (is_start ? piece->piece != 0
                        : (piece->piece != checker->piece || piece->pieces != checker->pieces ||
                           piece->kind != checker->kind)) {
        problem(checker, "log: LSN %" PRIu64 " is not the piece that should follow", piece->lsn);
    }
    checker->next_lsn = piece->lsn + 1;
    checker->kind = piece->kind;
    checker->piece = (uint16_t)(piece->piece + 1);
    checker->pieces = piece->pieces;
    checker->counts.entries++;
    checker->counts.tail += (piece->lsn > checker->applied) ? 1 : 0;
    return 0;
}

static int check_log(struct checker *checker)
{
    uint64_t first = hot_log_first(checker->log);
    uint64_t last = hot_log_last(checker->log);
    int r = hot_log_read(checker->log, 0, check_piece, checker);

    if (r != 0) {
        return r;
    }
    if (checker->piece != checker->pieces) {
        problem(checker, "log: its last entry lacks pieces");
    }
    if (checker->applied > last || (first > 0 && checker->applied + 1 < first)) {
        problem(checker, "the views end at LSN %" PRIu64 ", the log holds %" PRIu64 " to %" PRIu64,
                checker->applied, first, last);
    }
    return 0;
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
        exec_problem(checker, what);
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
        exec_problem(checker, "its name is missing");
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

static int check_frame(void *arg, struct bytes frame)
{
    struct checker *checker = arg;
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;
    const char *wrong;

    checker->counts.frames++;
    if (!frame_parse(frame, &header, &opening, &sealed)) {
        exec_problem(checker, "a frame cannot be read");
        return 0;
    }
    if (!id_equal(&header.exec_id, &checker->exec_id)) {
        exec_problem(checker, "a frame of another execution is among its own");
        return 0;
    }
    if (!head_is_next(&checker->head, &header)) {
        exec_problem(checker, "a frame does not follow the last one");
    }
    wrong = checker->verify->visit_frame(checker->verify->arg, frame, checker->head.chain);
    if (wrong != NULL) {
        exec_problem(checker, wrong);
    }
    if (opening.title.len > 0 && checker->title.data != NULL &&
        !bytes_equal(opening.title, checker->title)) {
        exec_problem(checker, "its title is not that of its first frame");
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
        problem(checker, "views: a key of `head` is no execution");
        return 0;
    }
    memcpy(checker->exec_id.bytes, key.mv_data, sizeof checker->exec_id.bytes);
    if (!head_parse(&checker->exec_id, env_bytes(value), &head)) {
        exec_problem(checker, "its head cannot be read");
        return 0;
    }
    if (head.is_brief) { /* that is all there is */
        want_rows(checker, &head);
        return 0;
    }
    checker->title = head.title;
    r = segment_read(&checker->views, checker->txn, &checker->exec_id, &record, INT64_MAX,
                     &checker->spare, check_frame, checker);
    if (r == ERR_CORRUPT) {
        exec_problem(checker, "its frames cannot be read to their end");
    } else if (r != 0) {
        return r;
    } else if (!is_same(&head, &checker->head)) {
        exec_problem(checker, "its head does not say what its frames say");
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
        problem(checker, "views: object %.*s is not whole", (int)key.mv_size,
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
        problem(checker, "views: a key of `segment` has a wrong length");
        return 0;
    }
    if (memcmp(key.mv_data, checker->exec_id.bytes, sizeof checker->exec_id.bytes) == 0) {
        return 0;
    }
    memcpy(checker->exec_id.bytes, key.mv_data, sizeof checker->exec_id.bytes);
    if (mdb_get(checker->txn, checker->views.tables[VIEW_HEAD], &owner, &found) != 0) {
        exec_problem(checker, "it has frames but no head");
    }
    return 0;
}

static int check_damaged(struct checker *checker, MDB_val key, MDB_val value)
{
    (void)value;
    problem(checker, "views: LSN %" PRIu64 " is kept as damaged",
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
            problem(checker, "views: `%s` has %zu rows, %" PRIu64 " belong there", tables[i].name,
                    stat.ms_entries, checker->wanted[tables[i].table]);
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

/* --- the tail: what is in the log only ------------------------------------------------- */

static struct tail_exec *find_tail_exec(struct checker *checker, const struct id *exec_id)
{
    struct table_node *node = table_first(&checker->tail, id_hash(exec_id));

    for (; node != NULL; node = table_next(node)) {
        struct tail_exec *exec = container_of(node, struct tail_exec, node);

        if (id_equal(&exec->head.exec_id, exec_id)) {
            return exec;
        }
    }
    return NULL;
}

/* Starts where the views end. */
static struct tail_exec *add_tail_exec(struct checker *checker, const struct id *exec_id)
{
    struct tail_exec *exec = mem_calloc(1, sizeof *exec);
    MDB_val key = env_val(exec_id->bytes, sizeof exec_id->bytes);
    MDB_val value;

    if (exec == NULL) {
        return NULL;
    }
    if (mdb_get(checker->txn, checker->views.tables[VIEW_HEAD], &key, &value) != 0 ||
        !head_parse(exec_id, env_bytes(value), &exec->head)) {
        exec->head = (struct journal_head){.exec_id = *exec_id};
        checker->counts.executions++;
    }
    if (table_insert(&checker->tail, &exec->node, id_hash(exec_id)) != 0) {
        mem_free(exec);
        return NULL;
    }
    return exec;
}

static int check_tail_entry(struct checker *checker, const struct batch *batch,
                            const struct batch_entry *entry)
{
    struct tail_exec *exec;

    if (entry->is_damaged) {
        problem(checker, "log: LSN %" PRIu64 " cannot be read", entry->lsn);
        return 0;
    }
    if (entry->kind != JOURNAL_FRAME) {
        return 0;
    }
    exec = find_tail_exec(checker, &entry->exec_id);
    if (exec == NULL) {
        exec = add_tail_exec(checker, &entry->exec_id);
    }
    if (exec == NULL) {
        return ERR(ERR_NOMEM, "executions of the log's tail");
    }
    checker->exec_id = entry->exec_id;
    checker->head = exec->head;
    (void)check_frame(checker, batch_data(batch, entry));
    exec->head = checker->head;
    return 0;
}

static int visit_tail_object(struct checker *checker, const struct batch *batch,
                             const struct batch_entry *entry)
{
    struct bytes data = batch_data(batch, entry);
    struct bytes key;
    struct bytes value;

    if (entry->is_damaged || entry->kind == JOURNAL_FRAME) {
        return 0;
    }
    if (!object_split(entry->kind, data, &key, &value)) {
        problem(checker, "log: LSN %" PRIu64 " is an object without a proper key", entry->lsn);
    } else if (entry->kind == JOURNAL_PUT) {
        checker->verify->visit_object(checker->verify->arg, key, value);
    }
    return 0;
}

typedef int (*entry_check)(struct checker *checker, const struct batch *batch,
                           const struct batch_entry *entry);

static int check_tail(struct checker *checker, entry_check check)
{
    uint64_t to = hot_log_last(checker->log);
    uint64_t done = checker->applied;
    struct batch batch = {0};
    int r = 0;

    while (r == 0 && done < to) {
        r = batch_read(&batch, checker->log, done + 1, to, TAIL_BYTES_MAX);
        for (size_t i = 0; r == 0 && i < batch.count; i++) {
            r = check(checker, &batch, &batch.entries[i]);
        }
        done = batch.last_lsn;
    }
    batch_fini(&batch);
    return r;
}

static void free_tail(struct checker *checker)
{
    size_t bucket = 0;
    struct table_node *node = table_walk(&checker->tail, &bucket, NULL);

    while (node != NULL) {
        struct table_node *next = table_walk(&checker->tail, &bucket, node);

        mem_free(container_of(node, struct tail_exec, node));
        node = next;
    }
    table_fini(&checker->tail);
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
        problem(checker, "`log` and `views` are not of one journal");
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
        r = check_log(checker);
    }
    if (r == 0) {
        r = check_tail(checker, visit_tail_object);
    }
    if (r == 0) {
        r = check_views(checker);
    }
    return (r == 0) ? check_tail(checker, check_tail_entry) : r;
}

static void close_all(struct checker *checker)
{
    free_tail(checker);
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
