#include "tests/journal/fixture.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/mem.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void remove_tree(const char *dir)
{
    assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.options = {.log_map_bytes = (uint64_t)256 << 20,
                                      .views_map_bytes = (uint64_t)1 << 30,
                                      .ballast_bytes = 4096}};
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_journal.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
}

void fixture_open(struct fixture *f)
{
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(journal_open(&f->journal, &f->loop, f->dir, &f->options), 0);
    f->is_open = true;
}

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->is_open = false;
}

void fixture_close(struct fixture *f)
{
    journal_close(f->journal, f, note_close);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_false(f->is_open);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

void fixture_fini(struct fixture *f)
{
    if (f->is_open) {
        fixture_close(f);
    }
    remove_tree(f->dir);
}

int fixture_set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);

    assert_non_null(f);
    fixture_init(f);
    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_tear_down(void **state)
{
    fixture_fini(*state);
    mem_free(*state);
    return 0;
}

static void count_call(struct journal_append *req)
{
    container_of(req, struct put, append)->calls++;
}

void put_entry(struct fixture *f, struct put *put, enum journal_entry_kind kind)
{
    assert_false(put->data.failed);
    put->append.kind = kind;
    put->append.data = buf_bytes(&put->data);
    journal_append(f->journal, &put->append, count_call);
}

void put_object(struct fixture *f, struct put *put, const char *key, const void *value, size_t len)
{
    uint8_t key_len[2] = {(uint8_t)strlen(key), (uint8_t)(strlen(key) >> 8)};

    put->data.len = 0;
    buf_append(&put->data, key_len, sizeof key_len);
    buf_append_text(&put->data, key);
    if (value != NULL) {
        buf_append(&put->data, value, len);
    }
    put_entry(f, put, (value != NULL) ? JOURNAL_PUT : JOURNAL_DELETE);
}

void put_fini(struct put *put)
{
    buf_fini(&put->data);
}

void wait_puts(struct fixture *f, const struct put *puts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (puts[i].calls == 0) {
            (void)uv_run(&f->loop, UV_RUN_ONCE);
        }
        assert_int_equal(puts[i].calls, 1);
    }
}

struct applied {
    struct journal_wait wait;
    bool is_done;
};

static void note_applied(struct journal_wait *wait)
{
    container_of(wait, struct applied, wait)->is_done = true;
}

void wait_applied(struct fixture *f)
{
    struct applied applied = {.is_done = false};

    journal_wait_applied(f->journal, &applied.wait, journal_last_lsn(f->journal), note_applied);
    while (!applied.is_done) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_true(journal_applied_lsn(f->journal) >= applied.wait.lsn);
}

void put_object_now(struct fixture *f, const char *key, const void *value, size_t len)
{
    struct put put = {.calls = 0};

    put_object(f, &put, key, value, len);
    wait_puts(f, &put, 1);
    wait_applied(f);
    put_fini(&put);
}

/* --- executions ---------------------------------------------------------------------- */

static void random_bytes(struct prng *prng, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)prng_next(prng);
    }
}

void made_init(struct made *made, struct prng *prng, int64_t start_ms)
{
    struct journal_head *head = &made->head;

    *made = (struct made){.is_gone = false};
    head->exec_id = id_make(start_ms, 0, (uint32_t)prng_next(prng), prng);
    head->tenant = TENANT + prng_below(prng, 2);
    head->function_id.bytes[0] = (uint8_t)(1 + prng_below(prng, 3));
    random_bytes(prng, head->name_hash.bytes, sizeof head->name_hash.bytes);
    head->start_ms = start_ms;
    head->kind = 1;
    head->title_epoch = 7;
    random_bytes(prng, made->title, sizeof made->title);
    head->title = bytes_of(made->title, 1 + prng_below(prng, TITLE_MAX));
}

void made_fini(struct made *made)
{
    buf_fini(&made->frames);
}

static struct frame_header header_of(const struct made *made, const struct made_step *step)
{
    const struct journal_head *head = &made->head;
    bool is_first = head->last_record == 0;

    return (struct frame_header){
        .format = FRAME_FORMAT,
        .suite = FRAME_SUITE,
        .flags = (uint8_t)((is_first ? FRAME_FIRST : 0) | step->flags),
        .status = step->status,
        .key_epoch = 7,
        .tenant = head->tenant,
        .exec_id = head->exec_id,
        .first_event = head->last_event + 1,
        .events = step->events,
        .first_record = head->last_record + 1,
        .records = step->events + step->notes,
        .revision = 3,
        .time_ms = step->time_ms,
        .wake_ms = step->wake_ms,
        .opening_len = is_first ? FRAME_OPENING_BYTES + (uint32_t)head->title.len : 0,
        .sealed_len = (uint32_t)step->payload,
        .retention_days = step->retention_days,
    };
}

static void note_step(struct journal_head *head, const struct frame_header *header)
{
    bool was_ended = head->last_record > 0 && head->status != EXEC_RUNNING;

    head->last_event += header->events;
    head->last_record += header->records;
    head->status = header->status;
    head->revision = header->revision;
    head->retention_days = header->retention_days;
    head->wake_ms = header->wake_ms;
    memcpy(head->chain, header->chain, sizeof head->chain);
    if (header->status != EXEC_RUNNING && !was_ended) {
        head->end_ms = header->time_ms;
    }
}

static void append_opening(const struct journal_head *head, struct buf *frame)
{
    struct frame_opening opening = {.function_id = head->function_id,
                                    .name_hash = head->name_hash,
                                    .start_ms = head->start_ms,
                                    .kind = head->kind};
    uint8_t bytes[FRAME_OPENING_BYTES];

    frame_opening_put(&opening, bytes);
    buf_append(frame, bytes, sizeof bytes);
    buf_append(frame, head->title.data, head->title.len);
}

void made_step(struct made *made, struct prng *prng, const struct made_step *step,
               struct buf *ret_frame)
{
    struct frame_header header = header_of(made, step);
    uint8_t bytes[FRAME_HEADER_BYTES];
    size_t start = made->frames.len;
    uint8_t *sealed;

    random_bytes(prng, header.chain, sizeof header.chain);
    frame_header_put(&header, bytes);
    buf_append(&made->frames, bytes, sizeof bytes);
    if (made->head.last_record == 0) {
        append_opening(&made->head, &made->frames);
    }
    sealed = buf_reserve(&made->frames, step->payload);
    assert_non_null(sealed);
    random_bytes(prng, sealed, step->payload);
    made->frames.len += step->payload;
    buf_append(ret_frame, made->frames.data + start, made->frames.len - start);
    note_step(&made->head, &header);
}

static int collect(void *arg, struct bytes frame)
{
    buf_append(arg, frame.data, frame.len);
    return 0;
}

static void assert_head(const struct journal_head *found, const struct journal_head *known)
{
    assert_memory_equal(&found->exec_id, &known->exec_id, sizeof known->exec_id);
    assert_int_equal(found->tenant, known->tenant);
    assert_memory_equal(&found->function_id, &known->function_id, sizeof known->function_id);
    assert_memory_equal(&found->name_hash, &known->name_hash, sizeof known->name_hash);
    assert_int_equal(found->status, known->status);
    assert_int_equal(found->kind, known->kind);
    assert_int_equal(found->revision, known->revision);
    assert_int_equal(found->retention_days, known->retention_days);
    assert_int_equal(found->start_ms, known->start_ms);
    assert_int_equal(found->end_ms, known->end_ms);
    assert_int_equal(found->wake_ms, known->wake_ms);
    assert_int_equal(found->last_event, known->last_event);
    assert_int_equal(found->last_record, known->last_record);
    assert_memory_equal(found->chain, known->chain, sizeof known->chain);
    assert_int_equal(found->title_epoch, known->title_epoch);
    assert_true(bytes_equal(found->title, known->title));
}

void assert_made(struct fixture *f, const struct made *made)
{
    struct journal_head head;
    struct arena arena;
    struct buf frames = {0};
    struct id found;

    arena_init(&arena, 0);
    assert_int_equal(journal_get_head(f->journal, &made->head.exec_id, &arena, &head), 0);
    assert_head(&head, &made->head);
    arena_fini(&arena);
    assert_int_equal(journal_read_frames(f->journal, &made->head.exec_id, 1, collect, &frames), 0);
    assert_true(bytes_equal(buf_bytes(&frames), buf_bytes(&made->frames)));
    buf_fini(&frames);
    assert_int_equal(journal_find_name(f->journal, made->head.tenant, &made->head.function_id,
                                       &made->head.name_hash, &found),
                     0);
    assert_memory_equal(&found, &made->head.exec_id, sizeof found);
}
