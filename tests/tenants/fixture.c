#include "tests/tenants/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

static char last_error[256];
static long allocations_left = -1;

static void keep_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)snprintf(last_error, sizeof last_error, "%s", text);
}

static bool is_allocation_allowed(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

int fixture_setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.dir = "/tmp/pawl-tenants-XXXXXX"};
    if (mkdtemp(fixture.dir) == NULL) {
        return -1;
    }
    last_error[0] = '\0';
    err_set_sink(keep_error);
    *state = &fixture;
    return 0;
}

static void remove_files(struct fixture *fixture)
{
    DIR *dir = opendir(fixture->dir);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    (void)closedir(dir);
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture_fail_after(-1);
    keyring_close(fixture->keyring);
    remove_files(fixture);
    return rmdir(fixture->dir);
}

const char *fixture_path(struct fixture *fixture, const char *name)
{
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/%s", fixture->dir, name);
    return fixture->path;
}

void fixture_write(struct fixture *fixture, const char *name, mode_t mode, struct bytes content)
{
    const char *path = fixture_path(fixture, name);
    int fd;

    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.data, content.len), content.len);
    assert_int_equal(fchmod(fd, mode), 0); /* whatever the umask */
    assert_int_equal(close(fd), 0);
}

size_t fixture_read(struct fixture *fixture, const char *name, uint8_t *out, size_t max)
{
    int fd = open(fixture_path(fixture, name), O_RDONLY | O_CLOEXEC);
    ssize_t len;

    assert_true(fd >= 0);
    len = read(fd, out, max);
    assert_true(len >= 0);
    assert_int_equal(close(fd), 0);
    return (size_t)len;
}

void fixture_open(struct fixture *fixture)
{
    assert_int_equal(keyring_open(&fixture->keyring, fixture->dir, NULL), 0);
}

struct tenant_keys *fixture_tenant(struct fixture *fixture, uint64_t tenant)
{
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    struct tenant_keys *keys = NULL;

    assert_int_equal(tenant_keys_create(fixture->keyring, tenant, wrapped), 0);
    assert_int_equal(
        tenant_keys_open(&keys, fixture->keyring, tenant, bytes_of(wrapped, sizeof wrapped)), 0);
    return keys;
}

const char *fixture_error(void)
{
    return last_error;
}

void fixture_fail_after(long allocations)
{
    allocations_left = allocations;
    mem_set_hook((allocations >= 0) ? is_allocation_allowed : NULL);
}
