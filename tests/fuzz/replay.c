/* Runs a fuzz target without a fuzzer: every file of its corpus, and copies of each
 * with bytes changed, cut off, repeated, by a seed that is printed.
 *
 *     replay_NAME DIRECTORY [SEED] */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/prng.h"
#include "tests/fuzz/target.h"

#define INPUT_MAX 65536U
#define CHANGED_COPIES 100
#define CHANGES_MAX 8U

static uint8_t input[INPUT_MAX];
static uint8_t changed[2 * INPUT_MAX];

/* A copy of its own size on the heap, so that a byte read beyond it is noticed. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc((size > 0) ? size : 1);

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t change_once(struct prng *prng, uint8_t *data, size_t size)
{
    size_t at = prng_below(prng, (uint32_t)size + 1);

    switch (prng_below(prng, 5)) {
    case 0:
        return at; /* cut off */
    case 1:        /* repeat the front */
        memmove(data + size, data, (at < INPUT_MAX - size) ? at : 0);
        return (at < INPUT_MAX - size) ? size + at : size;
    case 2:
        data[at] = (uint8_t)(prng_below(prng, 2) * 0xFF);
        break;
    case 3:
        data[at] = (uint8_t)prng_next(prng);
        break;
    default:
        data[at] ^= (uint8_t)(1U << prng_below(prng, 8));
        break;
    }
    return (at == size && size < INPUT_MAX) ? size + 1 : size;
}

static void run_changed(struct prng *prng, size_t size)
{
    uint32_t changes = 1 + prng_below(prng, CHANGES_MAX);

    memcpy(changed, input, size);
    for (uint32_t i = 0; i < changes; i++) {
        size = change_once(prng, changed, size);
    }
    run(changed, size);
}

static void run_file(struct prng *prng, int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t size = (fd >= 0) ? read(fd, input, sizeof input) : -1;

    if (size < 0) {
        perror(name);
        abort();
    }
    (void)close(fd);
    run(input, (size_t)size);
    for (int i = 0; i < CHANGED_COPIES; i++) {
        run_changed(prng, (size_t)size);
    }
}

static int run_directory(struct prng *prng, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (dir == NULL) {
        perror(path);
        return 0;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            run_file(prng, dirfd(dir), entry->d_name);
            count++;
        }
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    struct prng prng = {.state = (argc > 2) ? strtoull(argv[2], NULL, 10) : 20261123};
    uint64_t seed = prng.state;
    int count;

    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY [SEED]\n", argv[0]);
        return 2;
    }
    run(input, 0);
    count = run_directory(&prng, argv[1]);
    (void)printf("%d files, %d changed copies of each, seed %" PRIu64 "\n", count, CHANGED_COPIES,
                 seed);
    return (count > 0) ? 0 : 1;
}
