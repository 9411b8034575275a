/* Lines gather in memory, one buffer a function, and are written by libuv's threads
 * some time later, all of a function's in one write; so what is on the way of an
 * invocation is a copy of bytes. Two things can make a reader wait for a writer, and
 * only these: reading, and closing. */
#include "engine/driver/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/log_file.h"
#include "engine/driver/log_line.h"
#include "engine/driver/log_piece.h"

#define FLUSH_MS 50
#define FLUSH_BYTES ((size_t)256 * 1024)             /* written sooner */
#define PENDING_BYTES_MAX ((size_t)32 * 1024 * 1024) /* what comes beyond it is lost */
#define FILES_MAX 100000U

struct logs {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_work_t work;
    uv_mutex_t lock;
    struct log_dir dir;
    struct table files;
    struct log_file *last; /* looked up most recently */
    struct list dirty;
    struct list writing; /* under the lock */
    struct list follows;
    size_t filling_bytes;
    size_t working_bytes; /* handed to the writer */
    struct log_clock clock;
    bool is_working;
    bool is_timer_set;
    bool is_closing;
    bool is_timer_closed;
};

/* --- names ---------------------------------------------------------------------------- */

/* It becomes the name of a file: letters, digits, '-' and '_', as Lambda has it. */
static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return name.len > 0 && name.len <= LOG_NAME_BYTES_MAX;
}

static struct log_file *find_file(const struct logs *logs, struct bytes name)
{
    struct table_node *node = table_first(&logs->files, table_hash(name));

    while (node != NULL) {
        struct log_file *file = container_of(node, struct log_file, by_name);

        if (bytes_equal(file->name, name)) {
            return file;
        }
        node = table_next(node);
    }
    return NULL;
}

static struct log_file *make_file(struct logs *logs, struct bytes name)
{
    struct log_file *file;
    uint8_t *owned;

    if (!is_name(name) || logs->files.count >= FILES_MAX) {
        return NULL;
    }
    file = mem_calloc(1, sizeof *file);
    owned = mem_dup(name.data, name.len);
    if (file == NULL || owned == NULL ||
        table_insert(&logs->files, &file->by_name, table_hash(name)) != 0) {
        mem_free(file);
        mem_free(owned);
        return NULL;
    }
    file->name = bytes_of(owned, name.len);
    list_init(&file->dirty);
    list_init(&file->writing);
    return file;
}

static struct log_file *get_file(struct logs *logs, struct bytes name)
{
    struct log_file *file = logs->last;

    if (file != NULL && bytes_equal(file->name, name)) {
        return file;
    }
    file = find_file(logs, name);
    if (file == NULL) {
        file = make_file(logs, name);
    }
    logs->last = file;
    return file;
}

/* --- writing in the background ------------------------------------------------------------ */

static void on_work(uv_work_t *work)
{
    struct logs *logs = container_of(work, struct logs, work);
    struct list *item;

    uv_mutex_lock(&logs->lock);
    while ((item = list_pop_front(&logs->writing)) != NULL) {
        struct log_file *file = container_of(item, struct log_file, writing);

        log_file_write(&logs->dir, file, buf_bytes(&file->pending));
        file->pending.len = 0;
    }
    uv_mutex_unlock(&logs->lock);
}

static void wake_followers(struct logs *logs)
{
    struct list now;
    struct list *item;

    list_init(&now);
    list_splice_back(&now, &logs->follows);
    while ((item = list_pop_front(&now)) != NULL) {
        struct logs_follow *follow = container_of(item, struct logs_follow, link);
        struct log_file *file = find_file(logs, follow->function);

        list_push_back(&logs->follows, item);
        if (file != NULL && file->has_news) {
            follow->wake(follow);
        }
    }
}

static void forget_news(struct logs *logs)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(&logs->files, &bucket, node)) != NULL) {
        container_of(node, struct log_file, by_name)->has_news = false;
    }
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct logs *logs)
{
    if (!logs->is_timer_set && !logs->is_working && !list_is_empty(&logs->dirty)) {
        logs->is_timer_set = true;
        (void)uv_timer_start(&logs->timer, on_timer, FLUSH_MS, 0);
    }
}

static void free_logs(struct logs *logs)
{
    struct table_node *node;
    size_t bucket = 0;

    if (!logs->is_timer_closed || logs->is_working) {
        return;
    }
    while ((node = table_walk(&logs->files, &bucket, NULL)) != NULL) {
        struct log_file *file = container_of(node, struct log_file, by_name);

        bucket = 0;
        table_remove(&logs->files, node);
        buf_fini(&file->filling);
        buf_fini(&file->pending);
        mem_free((void *)(uintptr_t)file->name.data);
        mem_free(file);
    }
    table_fini(&logs->files);
    uv_mutex_destroy(&logs->lock);
    (void)close(logs->dir.fd);
    mem_free(logs);
}

static void on_worked(uv_work_t *work, int status)
{
    struct logs *logs = container_of(work, struct logs, work);

    (void)status;
    logs->is_working = false;
    logs->working_bytes = 0;
    if (logs->is_closing) {
        free_logs(logs);
        return;
    }
    if (!list_is_empty(&logs->follows)) {
        wake_followers(logs);
    }
    set_timer(logs);
}

/* The buffers change places, so that no bytes are moved. */
static void hand_over(struct logs *logs, struct log_file *file)
{
    struct buf empty = file->pending;

    list_remove(&file->dirty);
    file->has_news = true;
    file->pending = file->filling;
    empty.len = 0;
    empty.failed = false;
    file->filling = empty;
    list_push_back(&logs->writing, &file->writing);
}

static void start_work(struct logs *logs)
{
    if (logs->is_working || list_is_empty(&logs->dirty)) {
        return;
    }
    if (!list_is_empty(&logs->follows)) {
        forget_news(logs);
    }
    uv_mutex_lock(&logs->lock);
    while (!list_is_empty(&logs->dirty)) {
        hand_over(logs, container_of(logs->dirty.next, struct log_file, dirty));
    }
    uv_mutex_unlock(&logs->lock);
    logs->working_bytes = logs->filling_bytes;
    logs->filling_bytes = 0;
    logs->is_working = true;
    (void)uv_queue_work(logs->loop, &logs->work, on_work, on_worked);
}

static void on_timer(uv_timer_t *timer)
{
    struct logs *logs = container_of(timer, struct logs, timer);

    logs->is_timer_set = false;
    start_work(logs);
}

/* --- lines -------------------------------------------------------------------------------- */

static void put_loss(struct logs *logs, struct log_file *file, int64_t time_ms)
{
    char text[80];
    struct log_entry entry = {.time_ms = time_ms, .level = bytes_of_text("WARN")};

    (void)snprintf(text, sizeof text, "%" PRIu64 " lines were lost: they came too fast",
                   file->lost);
    entry.message = bytes_of_text(text);
    file->lost = 0;
    log_line_put(&logs->clock, &file->filling, &entry);
}

void logs_append(struct logs *logs, const struct log_entry *entry)
{
    struct log_file *file = get_file(logs, entry->function);
    size_t before;

    if (file == NULL) {
        return;
    }
    if (logs->filling_bytes + logs->working_bytes > PENDING_BYTES_MAX) {
        file->lost++;
        return;
    }
    before = file->filling.len;
    if (file->lost > 0) {
        put_loss(logs, file, entry->time_ms);
    }
    log_line_put(&logs->clock, &file->filling, entry);
    if (file->filling.failed) { /* no memory: nothing of it, rather than a piece */
        file->filling.failed = false;
        file->filling.len = before;
        file->lost++;
        return;
    }
    logs->filling_bytes += file->filling.len - before;
    if (list_is_empty(&file->dirty)) {
        list_push_back(&logs->dirty, &file->dirty);
    }
    if (logs->filling_bytes > FLUSH_BYTES) {
        start_work(logs);
    }
    set_timer(logs);
}

/* --- reading ------------------------------------------------------------------------------ */

/* Under the lock: the writer has not begun, or is done. */
static void flush_file(struct logs *logs, struct log_file *file)
{
    log_file_write(&logs->dir, file, buf_bytes(&file->pending));
    file->pending.len = 0;
    log_file_write(&logs->dir, file, buf_bytes(&file->filling));
    logs->filling_bytes -= file->filling.len;
    file->filling.len = 0; /* it stays dirty: other followers have not heard of this yet */
}

static int read_and_visit(struct logs *logs, struct log_file *file, const struct log_filter *filter,
                          uint64_t *position, logs_visit visit, void *arg)
{
    struct log_piece piece;
    uint64_t end;
    bool is_ended;
    size_t done;
    int r;

    uv_mutex_lock(&logs->lock);
    flush_file(logs, file);
    log_file_know(&logs->dir, file);
    end = file->start + file->size;
    if (*position < file->old_start) {
        *position = file->old_start;
    } else if (*position > end) {
        *position = end;
    }
    r = log_piece_read(&logs->dir, file, *position, &piece);
    if (r == 0 && piece.data == NULL) { /* somebody has removed the file */
        *position = (*position < file->start) ? file->start : end;
    }
    uv_mutex_unlock(&logs->lock);
    if (r != 0 || piece.data == NULL) {
        return (r == 0 && *position < end) ? 1 : r;
    }
    done = log_piece_visit(&piece, filter, visit, arg, &is_ended);
    *position += is_ended ? done : log_piece_skip_torn(&piece, done);
    mem_free(piece.data);
    return (*position < end && (is_ended || !piece.is_last || piece.is_old)) ? 1 : 0;
}

int logs_read(struct logs *logs, struct bytes function, struct bytes execution, int64_t since_ms,
              uint64_t *position, logs_visit visit, void *arg)
{
    struct log_file *file = get_file(logs, function);
    struct log_filter filter = {.execution = {0}};
    int r;

    if (file == NULL) {
        return 0; /* no such name: nothing was logged */
    }
    log_line_time(since_ms, filter.since);
    log_line_put_execution(&filter.execution, execution);
    if (filter.execution.failed) {
        buf_fini(&filter.execution);
        return ERR(ERR_NOMEM, "read a log");
    }
    r = read_and_visit(logs, file, &filter, position, visit, arg);
    buf_fini(&filter.execution);
    return r;
}

void logs_follow(struct logs *logs, struct logs_follow *follow)
{
    list_push_back(&logs->follows, &follow->link);
}

void logs_unfollow(struct logs *logs, struct logs_follow *follow)
{
    (void)logs;
    list_remove(&follow->link);
}

/* --- opening and closing -------------------------------------------------------------------- */

static int open_dir(const char *data_dir, int *ret_dir)
{
    int data = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int dir;

    if (data < 0) {
        return ERR(ERR_IO, "open %s: %s", data_dir, strerror(errno));
    }
    if (mkdirat(data, "logs", 0700) != 0 && errno != EEXIST) {
        (void)close(data);
        return ERR(ERR_IO, "make %s/logs: %s", data_dir, strerror(errno));
    }
    dir = openat(data, "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    (void)close(data);
    if (dir < 0) {
        return ERR(ERR_IO, "open %s/logs: %s", data_dir, strerror(errno));
    }
    *ret_dir = dir;
    return 0;
}

static void init_logs(struct logs *logs, uv_loop_t *loop, uint64_t file_bytes_max)
{
    logs->loop = loop;
    logs->dir.file_bytes_max = file_bytes_max;
    logs->clock.second = -1;
    list_init(&logs->dirty);
    list_init(&logs->writing);
    list_init(&logs->follows);
    (void)uv_timer_init(loop, &logs->timer);
}

int logs_open(struct logs **ret_logs, uv_loop_t *loop, const char *data_dir,
              uint64_t file_bytes_max)
{
    struct logs *logs = mem_calloc(1, sizeof *logs);
    int r;

    if (logs == NULL) {
        return ERR(ERR_NOMEM, "logs");
    }
    r = open_dir(data_dir, &logs->dir.fd);
    if (r == 0 && uv_mutex_init(&logs->lock) != 0) {
        (void)close(logs->dir.fd);
        r = ERR(ERR_SYSTEM, "mutex");
    }
    if (r != 0) {
        mem_free(logs);
        return r;
    }
    init_logs(logs, loop, file_bytes_max);
    *ret_logs = logs;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct logs *logs = container_of(handle, struct logs, timer);

    logs->is_timer_closed = true;
    free_logs(logs);
}

/* The memory goes when the loop has let go of it. */
void logs_close(struct logs *logs)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    logs->is_closing = true;
    uv_mutex_lock(&logs->lock);
    while ((node = table_walk(&logs->files, &bucket, node)) != NULL) {
        flush_file(logs, container_of(node, struct log_file, by_name));
    }
    uv_mutex_unlock(&logs->lock);
    uv_close((uv_handle_t *)&logs->timer, on_timer_closed);
}
