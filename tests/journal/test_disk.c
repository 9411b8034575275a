/* A disk that fills up under a journal, and is given space again: a small tmpfs in a
 * mount namespace of its own. Skipped (77) where that is not allowed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/journal/fixture.h"

#define DISK "/tmp/test_journal_disk"
#define BALLAST ((uint64_t)256 << 10)
#define COUNT 400
#define FILLS 12

static void open_on_disk(struct fixture *f)
{
    *f = (struct fixture){.options = {.log_map_bytes = (uint64_t)64 << 20,
                                      .views_map_bytes = (uint64_t)64 << 20,
                                      .ballast_bytes = BALLAST}};
    (void)snprintf(f->dir, sizeof f->dir, DISK "/journal");
    fixture_open(f);
}

static uint64_t bytes_free(void)
{
    struct statvfs fs;

    assert_int_equal(statvfs(DISK, &fs), 0);
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Leaves about `left` bytes. */
static void fill_disk(uint64_t left)
{
    int fd = open(DISK "/filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_true(bytes_free() > left);
    assert_int_equal(posix_fallocate(fd, 0, (off_t)(bytes_free() - left)), 0);
    assert_int_equal(close(fd), 0);
}

static void make_step(struct prng *prng, struct put *put)
{
    struct made made;
    struct made_step step = {.status = EXEC_SUCCEEDED, .events = 1, .notes = 1, .payload = 3000};

    *put = (struct put){.calls = 0};
    made_init(&made, prng, 1000);
    made_step(&made, prng, &step, &put->data);
    made_fini(&made);
}

static size_t count_done(const struct put *puts)
{
    size_t count = 0;

    for (int i = 0; i < COUNT; i++) {
        assert_true(puts[i].calls <= 1);
        count += (size_t)puts[i].calls;
    }
    return count;
}

/* The disk is full while the burst is written: it is refused in time, nothing is
 * lost, what was there is read, and when there is space it all goes through. */
static void fill_and_free(uint64_t left, uint64_t seed)
{
    static struct put puts[COUNT];
    struct fixture f;
    struct prng prng = {.state = seed};
    struct journal_stats stats;
    struct buf found = {0};

    open_on_disk(&f);
    put_object_now(&f, "before", "value", 5);
    fill_disk(left);
    for (int i = 0; i < COUNT; i++) {
        make_step(&prng, &puts[i]);
        put_entry(&f, &puts[i], JOURNAL_FRAME);
    }
    while (!journal_is_full(f.journal)) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_int_equal(journal_get_object(f.journal, bytes_of_text("before"), &found), 0);
    buf_fini(&found);
    assert_int_equal(unlink(DISK "/filler"), 0);
    wait_puts(&f, puts, COUNT);
    assert_int_equal(count_done(puts), COUNT);
    wait_applied(&f);
    while (journal_is_full(f.journal)) {
        uv_sleep(1); /* the writer makes the ballast again by itself */
    }
    journal_get_stats(f.journal, &stats);
    assert_int_equal(stats.executions, COUNT);
    fixture_close(&f);
    open_on_disk(&f);
    journal_get_stats(f.journal, &stats);
    assert_int_equal(stats.executions, COUNT);
    fixture_close(&f);
    for (int i = 0; i < COUNT; i++) {
        put_fini(&puts[i]);
    }
    remove_tree(DISK "/journal");
}

static void test_a_full_disk_refuses_and_goes_on_when_there_is_space(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < FILLS; i++) {
        fill_and_free(i * 37000, i + 1);
    }
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t len = (fd >= 0) ? write(fd, text, strlen(text)) : -1;

    if (fd >= 0) {
        (void)close(fd);
    }
    return (len > 0) ? 0 : -1;
}

/* Its files belong to a group as well, which must be known in the namespace. */
static int map_self(unsigned uid, unsigned gid)
{
    char users[64];
    char groups[64];

    (void)snprintf(users, sizeof users, "0 %u 1", uid);
    (void)snprintf(groups, sizeof groups, "0 %u 1", gid);
    if (write_text("/proc/self/uid_map", users) != 0 ||
        write_text("/proc/self/setgroups", "deny") != 0) {
        return -1;
    }
    return write_text("/proc/self/gid_map", groups);
}

static int enter_namespaces(void)
{
    unsigned uid = getuid();
    unsigned gid = getgid();

    if (unshare(CLONE_NEWNS | ((uid != 0) ? CLONE_NEWUSER : 0)) != 0) {
        return -1;
    }
    if (uid != 0 && map_self(uid, gid) != 0) {
        return -1;
    }
    if (mkdir(DISK, 0700) != 0 && errno != EEXIST) {
        return -1;
    }
    return (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0)
               ? mount("disk", DISK, "tmpfs", 0, "size=8m")
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_disk_refuses_and_goes_on_when_there_is_space),
    };

    if (enter_namespaces() != 0) {
        (void)fprintf(stderr, "skipped: no tmpfs of our own: %s\n", strerror(errno));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
