#include <inttypes.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "journal/batch.h"
#include "journal/object.h"
#include "journal/verify_parts.h"

#define TAIL_BYTES_MAX ((size_t)32 << 20)

static int check_piece(void *arg, const struct log_piece *piece)
{
    struct checker *checker = arg;
    bool is_start = checker->piece == checker->pieces;

    if (checker->next_lsn != 0 && piece->lsn != checker->next_lsn) {
        verify_problem(checker, "log: LSN %" PRIu64 " follows %" PRIu64, piece->lsn,
                       checker->next_lsn - 1);
    }
    if (piece->kind < JOURNAL_FRAME || piece->kind > JOURNAL_DELETE) {
        verify_problem(checker, "log: LSN %" PRIu64 " is of unknown kind %u", piece->lsn,
                       piece->kind);
    }
    if (checker->next_lsn == 0 && piece->lsn <= checker->applied) {
        is_start = piece->piece == 0; /* its beginning may be trimmed */
    } else if (is_start ? piece->piece != 0
                        : (piece->piece != checker->piece || piece->pieces != checker->pieces ||
                           piece->kind != checker->kind)) {
        verify_problem(checker, "log: LSN %" PRIu64 " is not the piece that should follow",
                       piece->lsn);
    }
    checker->next_lsn = piece->lsn + 1;
    checker->kind = piece->kind;
    checker->piece = (uint16_t)(piece->piece + 1);
    checker->pieces = piece->pieces;
    checker->counts.entries++;
    checker->counts.tail += (piece->lsn > checker->applied) ? 1 : 0;
    return 0;
}

int verify_log(struct checker *checker)
{
    uint64_t first = hot_log_first(checker->log);
    uint64_t last = hot_log_last(checker->log);
    int r = hot_log_read(checker->log, 0, check_piece, checker);

    if (r != 0) {
        return r;
    }
    if (checker->piece != checker->pieces) {
        verify_problem(checker, "log: its last entry lacks pieces");
    }
    if (checker->applied > last || (first > 0 && checker->applied + 1 < first)) {
        verify_problem(checker,
                       "the views end at LSN %" PRIu64 ", the log holds %" PRIu64 " to %" PRIu64,
                       checker->applied, first, last);
    }
    return 0;
}

/* --- the tail: what is in the log only ------------------------------------------------- */

struct tail_exec {
    struct table_node node;
    struct journal_head head; /* after the frames seen so far */
};

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
        verify_problem(checker, "log: LSN %" PRIu64 " cannot be read", entry->lsn);
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
    (void)verify_frame(checker, batch_data(batch, entry));
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
        verify_problem(checker, "log: LSN %" PRIu64 " is an object without a proper key",
                       entry->lsn);
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

int verify_tail_objects(struct checker *checker)
{
    return check_tail(checker, visit_tail_object);
}

int verify_tail_frames(struct checker *checker)
{
    return check_tail(checker, check_tail_entry);
}

void verify_free_tail(struct checker *checker)
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
