#include "journal/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "journal/place.h"

static bool fill_file(const char *path, uint64_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int error;

    if (fd < 0) {
        return false;
    }
    error = posix_fallocate(fd, 0, (off_t)bytes);
    if (error == 0 && fsync(fd) != 0) {
        error = errno;
    }
    (void)close(fd);
    if (error != 0) {
        (void)unlink(path);
    }
    return error == 0;
}

static bool has_room(const struct ballast *ballast, uint64_t bytes)
{
    struct statvfs fs;

    return statvfs(ballast->dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= bytes;
}

static void free_paths(struct ballast *ballast)
{
    mem_free(ballast->dir);
    mem_free(ballast->path);
}

int ballast_init(struct ballast *ballast, const char *dir, uint64_t bytes)
{
    struct stat stat_of;
    int error;

    *ballast = (struct ballast){
        .bytes = bytes, .dir = mem_dup(dir, strlen(dir)), .path = place_join(dir, "ballast")};
    if (ballast->dir == NULL || ballast->path == NULL) {
        free_paths(ballast);
        return ERR(ERR_NOMEM, "path of the ballast");
    }
    error = pthread_mutex_init(&ballast->mutex, NULL);
    if (error != 0) {
        free_paths(ballast);
        return ERR(ERR_SYSTEM, "mutex: %s", strerror(error));
    }
    ballast->is_whole = stat(ballast->path, &stat_of) == 0 && (uint64_t)stat_of.st_size == bytes;
    ballast_restore(ballast);
    if (!ballast_is_whole(ballast)) {
        log_warn("%s: the disk has less than %" PRIu64 " bytes left: new work is refused", dir,
                 2 * bytes);
    }
    return 0;
}

void ballast_fini(struct ballast *ballast)
{
    (void)pthread_mutex_destroy(&ballast->mutex);
    free_paths(ballast);
}

bool ballast_is_whole(const struct ballast *ballast)
{
    return ballast->is_whole;
}

bool ballast_release(struct ballast *ballast)
{
    bool is_given_up;

    (void)pthread_mutex_lock(&ballast->mutex);
    is_given_up = ballast->is_whole && !has_room(ballast, ballast->bytes);
    if (is_given_up) {
        ballast->is_whole = false;
        (void)unlink(ballast->path);
    }
    (void)pthread_mutex_unlock(&ballast->mutex);
    return is_given_up;
}

void ballast_restore(struct ballast *ballast)
{
    if (ballast->is_whole) {
        return;
    }
    (void)pthread_mutex_lock(&ballast->mutex);
    if (!ballast->is_whole && has_room(ballast, 2 * ballast->bytes)) {
        ballast->is_whole = fill_file(ballast->path, ballast->bytes);
    }
    (void)pthread_mutex_unlock(&ballast->mutex);
}
