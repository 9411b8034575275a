/* A start request: one sealed memfd with a fixed header and then strings, each with
 * its zero byte: code, program, layers, runtime, grants, environment. Written by the daemon, read
 * by the launcher (limits, mounts) and by the environment's init (program, variables).
 *
 * The same form carries the launcher's own options. */
#ifndef RUNTIME_REQUEST_H
#define RUNTIME_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/failure.h"

#define REQUEST_BYTES_MAX (1u << 20)
#define REQUEST_ENV_MAX 1024
#define REQUEST_GRANTS_MAX 32
#define REQUEST_NAME_MAX 128
#define REQUEST_PROGRAM_MAX 1024

/* The descriptor that the program finds its socket on. */
#define REQUEST_PROGRAM_FD 3

struct request_limits {
    uint32_t memory_mb;
    uint32_t tmp_mb;
    uint32_t pids_max;
    uint32_t files_max;
    uint32_t cpu_percent;
};

struct request {
    struct request_limits limits;
    const char *code;
    const char *program;
    const char *layers;  /* "" = none */
    const char *runtime; /* "" = none */
    bool has_door;
    const char *grants[REQUEST_GRANTS_MAX];
    size_t grant_count;
    char *env[REQUEST_ENV_MAX + 4]; /* with PAWL_FD and what door.c adds; NULL at the end */
    size_t env_count;
    void *map; /* everything above points into it */
    size_t map_bytes;
};

struct environment_spec;

/* A sealed memfd (close-on-exec), or a negative error. */
int request_write(const struct environment_spec *spec);

/* Maps `memfd`, which stays the caller's, and checks every byte of it: the daemon is
 * trusted, but a launcher with capabilities believes nobody. FAILURE_E_SET if it is
 * not a request. */
int request_read(struct request *ret_request, int memfd, struct failure *failure);
void request_fini(struct request *request);

/* Letters, digits, '-', '_'; 1 to REQUEST_NAME_MAX of them. */
bool request_is_name(const char *name);

struct launcher_options;

/* The same for the launcher's options; paths must be absolute. */
int request_write_options(const struct launcher_options *options);

struct request_options {
    char data_dir[512];
    char cache_dir[512];
    char cgroup[REQUEST_NAME_MAX + 1];
    uint64_t cache_bytes_max;
    uint32_t cpu_weight;
    bool is_sandboxed;
};

int request_read_options(struct request_options *ret_options, int memfd, struct failure *failure);

#endif /* RUNTIME_REQUEST_H */
