/* A file of preallocated space. When the disk is full it is given up, so that
 * ends, stops and deletes can still be committed; made again when there is room. */
#ifndef JOURNAL_BALLAST_H
#define JOURNAL_BALLAST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The threads of the writer and the applier change it. */
struct ballast {
    pthread_mutex_t mutex;
    char *dir;
    char *path;
    uint64_t bytes;
    _Atomic bool is_whole; /* changed under `mutex` */
};

/* Makes the file when the disk has room for it, else warns. */
int ballast_init(struct ballast *ballast, const char *dir, uint64_t bytes);
void ballast_fini(struct ballast *ballast);

bool ballast_is_whole(const struct ballast *ballast);

/* True when it was given up: it was there, and the disk has less left than its size.
 * Where a map is full and not the disk, it would help nobody. */
bool ballast_release(struct ballast *ballast);

/* Tries to make it again, when twice its size is free. */
void ballast_restore(struct ballast *ballast);

#endif /* JOURNAL_BALLAST_H */
