#include "runtime/etc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_BYTES_MAX (4u << 20)

static const struct {
    const char *name;
    const char *text;
} files[] = {
    {"passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"
               "pawl:x:1000:1000:function:/tmp:/bin/sh\n"
               "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\npawl:x:1000:\nnogroup:x:65534:\n"},
    {"hosts", "127.0.0.1 localhost pawl\n::1 localhost\n"},
    {"hostname", "pawl\n"},
    {"host.conf", "multi on\n"},
    {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
                      "protocols: files\n"},
    {"resolv.conf", ""},
};

static int write_file(int dir, const char *name, const char *text, struct failure *failure)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t len = strlen(text);
    int r = 0;

    if (fd < 0) {
        return failure_errno(failure, "make /etc/%s", name);
    }
    if (write(fd, text, len) != (ssize_t)len) {
        r = failure_errno(failure, "write /etc/%s", name);
    }
    (void)close(fd);
    return r;
}

/* The loader finds libraries in the standard places without it, only slower. */
static void copy_loader_cache(int dir)
{
    int source = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    int target = openat(dir, "ld.so.cache", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    struct stat st;
    off_t done = 0;

    if (source >= 0 && target >= 0 && fstat(source, &st) == 0 && st.st_size <= CACHE_BYTES_MAX) {
        while (done < st.st_size && sendfile(target, source, &done, CACHE_BYTES_MAX) > 0) {
        }
        if (done < st.st_size) {
            (void)unlinkat(dir, "ld.so.cache", 0);
        }
    }
    if (source >= 0) {
        (void)close(source);
    }
    if (target >= 0) {
        (void)close(target);
    }
}

static int fill(int dir, struct failure *failure)
{
    int r = 0;

    for (size_t i = 0; i < sizeof files / sizeof *files && r == 0; i++) {
        r = write_file(dir, files[i].name, files[i].text, failure);
    }
    if (r == 0 && symlinkat("/usr/share/zoneinfo/Etc/UTC", dir, "localtime") != 0) {
        r = failure_errno(failure, "make /etc/localtime");
    }
    if (r == 0) {
        copy_loader_cache(dir);
    }
    return r;
}

int etc_write(const char *dir, struct failure *failure)
{
    int fd;
    int r;

    if (mkdir(dir, 0755) != 0) {
        return failure_errno(failure, "make /etc");
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failure_errno(failure, "open /etc");
    }
    r = fill(fd, failure);
    (void)close(fd);
    return r;
}
