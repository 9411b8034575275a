/* Lines gather in memory, one buffer a function, and are written by libuv's threads
 * some time later, all of a function's in one write; so what is on the way of an
 * invocation is a copy of bytes. Two things can make a reader wait for a writer, and
 * only these: reading, and closing.
 *
 * Where a line stands is told as a position since the file that was the oldest when
 * the daemon first looked; it stays true when the files are rotated. */
#include "engine/driver/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/table.h"

#define FLUSH_MS 50
#define FLUSH_BYTES ((size_t)256 * 1024) /* written sooner */
#define PENDING_BYTES_MAX                                                                          \
    ((size_t)32 * 1024 * 1024) /* what cannot be written is lost beyond it                         \
                                */
#define READ_BYTES_MAX ((size_t)1024 * 1024)
#define MESSAGE_BYTES_MAX ((size_t)128 * 1024) /* escaped six-fold it is still read at once */
#define NAME_BYTES_MAX 140U
#define FILES_MAX 100000U
#define PATH_BYTES_MAX (NAME_BYTES_MAX + 16)
#define TIME_LEN 24 /* 2026-11-23T09:29:22.123Z */

struct log_file {
    struct table_node by_name;
    struct bytes name; /* owned */
    struct list dirty; /* has news since the last write */
    struct list writing;
    struct buf filling; /* of the loop's thread */
    struct buf pending; /* under the lock, like what follows */
    uint64_t old_start; /* position at which the rotated file starts */
    uint64_t start;     /* and the current one */
    uint64_t size;
    bool is_known; /* these were read from the disk */
    bool has_complained;
    uint64_t lost; /* lines; of the loop's thread, like what follows */
    bool has_news;
};

struct logs {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_work_t work;
    uv_mutex_t lock;
    int dir;
    uint64_t file_bytes_max;
    struct table files;
    struct log_file *last; /* looked up most recently */
    struct list dirty;
    struct list writing; /* under the lock */
    struct list follows;
    size_t filling_bytes;
    size_t working_bytes; /* handed to the writer */
    int64_t second;       /* whose text `time` holds */
    char time[TIME_LEN + 1];
    bool is_working;
    bool is_timer_set;
    bool is_closing;
    bool is_timer_closed;
};

/* --- files ---------------------------------------------------------------------------- */

static void make_path(const struct log_file *file, const char *suffix, char path[PATH_BYTES_MAX])
{
    (void)snprintf(path, PATH_BYTES_MAX, "%.*s.jsonl%s", (int)file->name.len,
                   (const char *)file->name.data, suffix);
}

static int open_file(const struct logs *logs, const struct log_file *file, const char *suffix,
                     int flags)
{
    char path[PATH_BYTES_MAX];

    make_path(file, suffix, path);
    return openat(logs->dir, path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static uint64_t size_of(const struct logs *logs, const struct log_file *file, const char *suffix)
{
    struct stat st;
    char path[PATH_BYTES_MAX];

    make_path(file, suffix, path);
    return (fstatat(logs->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) ? (uint64_t)st.st_size : 0;
}

/* A line that a crash has cut off must not swallow the next one. */
static void end_torn_line(const struct logs *logs, struct log_file *file)
{
    int fd = open_file(logs, file, "", O_RDWR | O_APPEND);
    char last = '\n';

    if (fd < 0) {
        return;
    }
    if (file->size > 0 && pread(fd, &last, 1, (off_t)file->size - 1) == 1 && last != '\n' &&
        write(fd, "\n", 1) == 1) {
        file->size++;
    }
    (void)close(fd);
}

static void know(const struct logs *logs, struct log_file *file)
{
    if (file->is_known) {
        return;
    }
    file->is_known = true;
    file->start = size_of(logs, file, ".1");
    file->size = size_of(logs, file, "");
    end_torn_line(logs, file);
}

static void complain(struct log_file *file, const char *what)
{
    if (!file->has_complained) {
        file->has_complained = true;
        log_warn("the log of function %.*s: %s: %s", (int)file->name.len,
                 (const char *)file->name.data, what, strerror(errno));
    }
}

static void rotate(const struct logs *logs, struct log_file *file)
{
    char from[PATH_BYTES_MAX];
    char to[PATH_BYTES_MAX];

    make_path(file, "", from);
    make_path(file, ".1", to);
    if (renameat(logs->dir, from, logs->dir, to) != 0) {
        complain(file, "rotate");
        return;
    }
    file->old_start = file->start;
    file->start += file->size;
    file->size = 0;
}

static void write_all(struct log_file *file, int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            complain(file, "write");
            return;
        }
        file->size += (uint64_t)n;
        bytes = bytes_of(bytes.data + n, bytes.len - (size_t)n);
    }
    file->has_complained = false;
}

/* Under the lock. What cannot be written is dropped: it is a log. */
static void write_file(const struct logs *logs, struct log_file *file, struct bytes bytes)
{
    int fd;

    if (bytes.len == 0) {
        return;
    }
    know(logs, file);
    if (file->size > 0 && file->size + bytes.len > logs->file_bytes_max) {
        rotate(logs, file);
    }
    fd = open_file(logs, file, "", O_WRONLY | O_APPEND | O_CREAT);
    if (fd < 0) {
        complain(file, "open");
        return;
    }
    write_all(file, fd, bytes);
    (void)close(fd);
}

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
    return name.len > 0 && name.len <= NAME_BYTES_MAX;
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

        write_file(logs, file, buf_bytes(&file->pending));
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
    (void)close(logs->dir);
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

static void put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void format_time(int64_t time_ms, char text[TIME_LEN + 1])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
        tm = (struct tm){.tm_mday = 1, .tm_year = 8099};
    }
    memcpy(text, "0000-00-00T00:00:00.000Z", TIME_LEN + 1);
    put_digits(text, tm.tm_year + 1900, 4);
    put_digits(text + 5, tm.tm_mon + 1, 2);
    put_digits(text + 8, tm.tm_mday, 2);
    put_digits(text + 11, tm.tm_hour, 2);
    put_digits(text + 14, tm.tm_min, 2);
    put_digits(text + 17, tm.tm_sec, 2);
    put_digits(text + 20, (int)(time_ms % 1000), 3);
}

static const char *time_text(struct logs *logs, int64_t time_ms)
{
    if (time_ms < 0) {
        time_ms = 0;
    }
    if (time_ms / 1000 != logs->second) {
        logs->second = time_ms / 1000;
        format_time(time_ms, logs->time);
    }
    put_digits(logs->time + 20, (int)(time_ms % 1000), 3);
    return logs->time;
}

static void put_member(struct buf *buf, struct bytes key, struct bytes value)
{
    if (value.len > 0) {
        buf_append(buf, key.data, key.len);
        json_quoted(buf, value);
    }
}

#define KEY(text) bytes_of((text), sizeof(text) - 1)

/* Readers rely on the order: the time stands first, members are not spaced. */
static void put_line(struct logs *logs, struct buf *buf, const struct log_entry *entry)
{
    struct bytes message = entry->message;

    if (message.len > MESSAGE_BYTES_MAX) {
        message.len = MESSAGE_BYTES_MAX;
    }
    buf_append(buf, "{\"time\":\"", 9);
    buf_append(buf, time_text(logs, entry->time_ms), TIME_LEN);
    buf_append(buf, "\"", 1);
    put_member(buf, KEY(",\"requestId\":"), entry->request_id);
    put_member(buf, KEY(",\"execution\":"), entry->execution);
    put_member(buf, KEY(",\"level\":"), entry->level);
    put_member(buf, KEY(",\"operationId\":"), entry->operation_id);
    buf_append(buf, ",\"message\":", 11);
    json_quoted(buf, message);
    buf_append(buf, "}\n", 2);
}

static void put_loss(struct logs *logs, struct log_file *file, int64_t time_ms)
{
    char text[80];
    struct log_entry entry = {.time_ms = time_ms, .level = bytes_of_text("WARN")};

    (void)snprintf(text, sizeof text, "%" PRIu64 " lines were lost: they came too fast",
                   file->lost);
    entry.message = bytes_of_text(text);
    file->lost = 0;
    put_line(logs, &file->filling, &entry);
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
    put_line(logs, &file->filling, entry);
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
    write_file(logs, file, buf_bytes(&file->pending));
    file->pending.len = 0;
    write_file(logs, file, buf_bytes(&file->filling));
    logs->filling_bytes -= file->filling.len;
    file->filling.len = 0; /* it stays dirty: other followers have not heard of this yet */
}

struct piece {
    uint8_t *data;
    size_t len;
    bool is_old;  /* of the rotated file */
    bool is_last; /* of its file */
};

static int read_piece(const struct logs *logs, const struct log_file *file, uint64_t position,
                      struct piece *ret_piece)
{
    bool is_old = position < file->start;
    uint64_t offset = position - (is_old ? file->old_start : file->start);
    uint64_t left = is_old ? file->start - position : file->start + file->size - position;
    size_t len = (left < READ_BYTES_MAX) ? (size_t)left : READ_BYTES_MAX;
    uint8_t *data;
    ssize_t n;
    int fd;

    *ret_piece = (struct piece){.is_old = is_old, .is_last = len == left};
    fd = open_file(logs, file, is_old ? ".1" : "", O_RDONLY);
    if (fd < 0) {
        return (errno == ENOENT) ? 0 : ERR(ERR_IO, "read a log: %s", strerror(errno));
    }
    data = mem_realloc(NULL, len + 1);
    n = (data != NULL) ? pread(fd, data, len, (off_t)offset) : -1;
    (void)close(fd);
    if (n < 0) {
        mem_free(data);
        return (data == NULL) ? ERR(ERR_NOMEM, "read a log")
                              : ERR(ERR_IO, "read a log: %s", strerror(errno));
    }
    ret_piece->data = data;
    ret_piece->len = (size_t)n;
    return 0;
}

struct filter {
    struct buf execution; /* the member as it stands in a line; empty: any */
    char since[TIME_LEN + 1];
};

static bool matches(const struct filter *filter, struct bytes line)
{
    if (line.len < 9 + TIME_LEN || line.data[0] != '{' || line.data[line.len - 2] != '}' ||
        memcmp(line.data + 9, filter->since, TIME_LEN) < 0) {
        return false;
    }
    return filter->execution.len == 0 ||
           memmem(line.data, line.len, filter->execution.data, filter->execution.len) != NULL;
}

/* Returns how much was taken; `ret_is_ended`: the visitor wants no more. */
static size_t visit_lines(const struct piece *piece, const struct filter *filter, logs_visit visit,
                          void *arg, bool *ret_is_ended)
{
    size_t done = 0;
    const uint8_t *feed;

    *ret_is_ended = false;
    while (!*ret_is_ended && (feed = memchr(piece->data + done, '\n', piece->len - done)) != NULL) {
        struct bytes line = bytes_of(piece->data + done, (size_t)(feed - piece->data) - done + 1);

        done += line.len;
        if (matches(filter, line)) {
            *ret_is_ended = visit(arg, line) != 0;
        }
    }
    return done;
}

/* A rest without a line feed can only be torn, where nothing is written any more. */
static size_t skip_torn(const struct piece *piece, size_t done)
{
    if (piece->len == READ_BYTES_MAX && done == 0) {
        return piece->len;
    }
    return (piece->is_old && piece->is_last) ? piece->len : done;
}

static int read_and_visit(struct logs *logs, struct log_file *file, const struct filter *filter,
                          uint64_t *position, logs_visit visit, void *arg)
{
    struct piece piece;
    uint64_t end;
    bool is_ended;
    size_t done;
    int r;

    uv_mutex_lock(&logs->lock);
    flush_file(logs, file);
    know(logs, file);
    end = file->start + file->size;
    if (*position < file->old_start) {
        *position = file->old_start;
    } else if (*position > end) {
        *position = end;
    }
    r = read_piece(logs, file, *position, &piece);
    if (r == 0 && piece.data == NULL) { /* somebody has removed the file */
        *position = (*position < file->start) ? file->start : end;
    }
    uv_mutex_unlock(&logs->lock);
    if (r != 0 || piece.data == NULL) {
        return (r == 0 && *position < end) ? 1 : r;
    }
    done = visit_lines(&piece, filter, visit, arg, &is_ended);
    *position += is_ended ? done : skip_torn(&piece, done);
    mem_free(piece.data);
    return (*position < end && (is_ended || !piece.is_last || piece.is_old)) ? 1 : 0;
}

int logs_read(struct logs *logs, struct bytes function, struct bytes execution, int64_t since_ms,
              uint64_t *position, logs_visit visit, void *arg)
{
    struct log_file *file = get_file(logs, function);
    struct filter filter = {.execution = {0}};
    int r;

    if (file == NULL) {
        return 0; /* no such name: nothing was logged */
    }
    format_time((since_ms > 0) ? since_ms : 0, filter.since);
    put_member(&filter.execution, KEY("\"execution\":"), execution);
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
    logs->file_bytes_max = file_bytes_max;
    logs->second = -1;
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
    r = open_dir(data_dir, &logs->dir);
    if (r == 0 && uv_mutex_init(&logs->lock) != 0) {
        (void)close(logs->dir);
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
