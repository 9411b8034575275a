#include "runtime/request.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/err.h"
#include "runtime/launcher.h"

#define REQUEST_VERSION 2u
#define REQUEST_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct header {
    uint32_t version;
    uint32_t bytes; /* of the strings behind the header */
    uint32_t grant_count;
    uint32_t env_count;
    uint32_t has_door;
    struct request_limits limits;
};

static int write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n <= 0) {
            return ERR(ERR_SYSTEM, "write memfd: %s", strerror(errno));
        }
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int seal_bytes(const char *name, struct bytes bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    if (fd < 0) {
        return ERR(ERR_SYSTEM, "memfd_create: %s", strerror(errno));
    }
    r = write_all(fd, bytes.data, bytes.len);
    if (r == 0 && fcntl(fd, F_ADD_SEALS, REQUEST_SEALS) != 0) {
        r = ERR(ERR_SYSTEM, "seal memfd: %s", strerror(errno));
    }
    if (r != 0) {
        (void)close(fd);
        return r;
    }
    return fd;
}

static void add_string(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text) + 1);
}

static void add_strings(struct buf *buf, const struct environment_spec *spec, struct header *header)
{
    add_string(buf, spec->code);
    add_string(buf, (spec->program != NULL) ? spec->program : "bootstrap");
    add_string(buf, (spec->layers != NULL) ? spec->layers : "");
    add_string(buf, (spec->runtime != NULL) ? spec->runtime : "");
    for (size_t i = 0; i < spec->grant_count; i++) {
        add_string(buf, spec->grants[i].path);
    }
    for (const char *const *name = spec->env; name != NULL && *name != NULL; name++) {
        add_string(buf, *name);
        header->env_count++;
    }
}

int request_write(const struct environment_spec *spec)
{
    struct buf buf = {0};
    struct header header = {.version = REQUEST_VERSION,
                            .grant_count = (uint32_t)spec->grant_count,
                            .has_door = spec->has_door ? 1 : 0,
                            .limits = {.memory_mb = spec->memory_mb,
                                       .tmp_mb = spec->tmp_mb,
                                       .pids_max = spec->pids_max,
                                       .files_max = spec->files_max,
                                       .cpu_percent = spec->cpu_percent}};
    int r;

    buf_append(&buf, &header, sizeof header);
    add_strings(&buf, spec, &header);
    if (buf.failed) {
        r = ERR(ERR_NOMEM, "start request");
    } else if (buf.len > REQUEST_BYTES_MAX || header.env_count > REQUEST_ENV_MAX ||
               header.grant_count > REQUEST_GRANTS_MAX) {
        r = ERR(ERR_LIMIT, "start request of %zu bytes, %u variables, %u grants", buf.len,
                header.env_count, header.grant_count);
    } else {
        header.bytes = (uint32_t)(buf.len - sizeof header);
        memcpy(buf.data, &header, sizeof header);
        r = seal_bytes("pawl-start", buf_bytes(&buf));
    }
    buf_fini(&buf);
    return r;
}

/* --- reading ----------------------------------------------------------------------- */

static bool is_part(const char *start, size_t len)
{
    return len > 0 && !(len == 1 && start[0] == '.') &&
           !(len == 2 && start[0] == '.' && start[1] == '.');
}

/* Every part is a name: no "", ".", "..". */
static bool has_plain_parts(const char *path)
{
    while (true) {
        size_t len = strcspn(path, "/");

        if (!is_part(path, len)) {
            return false;
        }
        if (path[len] == '\0') {
            return true;
        }
        path += len + 1;
    }
}

bool request_is_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(name);

    return len > 0 && len <= REQUEST_NAME_MAX && strspn(name, allowed) == len;
}

struct cursor {
    char *at;
    char *end;
};

static char *next_string(struct cursor *cursor)
{
    char *start = cursor->at;
    char *end = memchr(start, '\0', (size_t)(cursor->end - start));

    if (end == NULL) {
        return NULL;
    }
    cursor->at = end + 1;
    return start;
}

/* An absolute path without dots. */
static bool is_plain_path(const char *path)
{
    return path[0] == '/' && strlen(path) < REQUEST_PROGRAM_MAX &&
           (path[1] == '\0' || has_plain_parts(path + 1));
}

static int read_grants(struct request *request, struct cursor *cursor, uint32_t count,
                       struct failure *failure)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *path = next_string(cursor);

        if (path == NULL || !is_plain_path(path)) {
            return failure_text(failure, "a grant is not an absolute path without dots");
        }
        request->grants[i] = path;
    }
    request->grant_count = count;
    return 0;
}

/* The last entry is ours: no function may point its runtime to another descriptor. */
static int read_env(struct request *request, struct cursor *cursor, uint32_t count,
                    struct failure *failure)
{
    static char program_fd[] = "PAWL_FD=3";
    size_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        char *entry = next_string(cursor);

        if (entry == NULL || strchr(entry, '=') == NULL || entry[0] == '=') {
            return failure_text(failure, "an environment variable has no name");
        }
        if (strncmp(entry, "PAWL_FD=", 8) != 0) {
            request->env[kept++] = entry;
        }
    }
    request->env[kept++] = program_fd;
    request->env[kept] = NULL;
    request->env_count = kept;
    return 0;
}

static int read_additions(struct request *request, struct cursor *cursor, struct failure *failure)
{
    request->layers = next_string(cursor);
    request->runtime = (request->layers != NULL) ? next_string(cursor) : NULL;
    if (request->layers == NULL ||
        (request->layers[0] != '\0' && !request_is_name(request->layers))) {
        return failure_text(failure, "the layers have no name");
    }
    if (request->runtime == NULL ||
        (request->runtime[0] != '\0' && !is_plain_path(request->runtime))) {
        return failure_text(failure, "the runtime is not an absolute path without dots");
    }
    return 0;
}

static int read_strings(struct request *request, const struct header *header,
                        struct failure *failure)
{
    char *start = (char *)request->map + sizeof *header;
    struct cursor cursor = {.at = start, .end = start + header->bytes};
    int r;

    request->code = next_string(&cursor);
    request->program = (request->code != NULL) ? next_string(&cursor) : NULL;
    if (request->code == NULL || !request_is_name(request->code)) {
        return failure_text(failure, "the code has no name");
    }
    if (request->program == NULL || strlen(request->program) >= REQUEST_PROGRAM_MAX ||
        !has_plain_parts(request->program)) {
        return failure_text(failure, "the program is not a path below the code's root");
    }
    r = read_additions(request, &cursor, failure);
    if (r == 0) {
        r = read_grants(request, &cursor, header->grant_count, failure);
    }
    return (r == 0) ? read_env(request, &cursor, header->env_count, failure) : r;
}

/* Sealed, so what is checked now cannot change later. */
static int check_memfd(int memfd, size_t bytes_min, size_t *ret_bytes, struct failure *failure)
{
    int seals = fcntl(memfd, F_GET_SEALS);
    struct stat st;

    if (seals < 0 || (seals & REQUEST_SEALS) != REQUEST_SEALS || fstat(memfd, &st) != 0) {
        return failure_text(failure, "a request is not in a sealed memfd");
    }
    if (st.st_size < (off_t)bytes_min || st.st_size > (off_t)REQUEST_BYTES_MAX) {
        return failure_text(failure, "a request has %lld bytes", (long long)st.st_size);
    }
    *ret_bytes = (size_t)st.st_size;
    return 0;
}

static int check_limits(const struct request_limits *limits, struct failure *failure)
{
    if (limits->memory_mb < 8 || limits->memory_mb > 1u << 24 || limits->tmp_mb > 1u << 24) {
        return failure_text(failure, "memory of %u MB or /tmp of %u MB is out of bounds",
                            limits->memory_mb, limits->tmp_mb);
    }
    if (limits->pids_max < 1 || limits->pids_max > 1u << 20 || limits->files_max < 8 ||
        limits->files_max > 1u << 20 || limits->cpu_percent > 1u << 20) {
        return failure_text(failure, "a limit of processes, files or CPU is out of bounds");
    }
    return 0;
}

static int read_map(struct request *request, struct failure *failure)
{
    struct header header;
    int r;

    memcpy(&header, request->map, sizeof header);
    if (header.version != REQUEST_VERSION || header.bytes != request->map_bytes - sizeof header ||
        header.grant_count > REQUEST_GRANTS_MAX || header.env_count > REQUEST_ENV_MAX) {
        return failure_text(failure, "a request has a wrong header");
    }
    request->limits = header.limits;
    request->has_door = header.has_door != 0;
    r = check_limits(&request->limits, failure);
    return (r == 0) ? read_strings(request, &header, failure) : r;
}

int request_read(struct request *ret_request, int memfd, struct failure *failure)
{
    size_t bytes = 0;
    int r;

    memset(ret_request, 0, sizeof *ret_request);
    r = check_memfd(memfd, sizeof(struct header), &bytes, failure);
    if (r != 0) {
        return r;
    }
    ret_request->map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, memfd, 0);
    if (ret_request->map == MAP_FAILED) {
        ret_request->map = NULL;
        return failure_errno(failure, "map a request");
    }
    ret_request->map_bytes = bytes;
    r = read_map(ret_request, failure);
    if (r != 0) {
        request_fini(ret_request);
    }
    return r;
}

void request_fini(struct request *request)
{
    if (request->map != NULL) {
        (void)munmap(request->map, request->map_bytes);
        request->map = NULL;
    }
}

/* --- options ----------------------------------------------------------------------- */

static bool copy_text(char *target, size_t size, const char *text)
{
    return (size_t)snprintf(target, size, "%s", text) < size;
}

int request_write_options(const struct launcher_options *options)
{
    struct request_options form;

    memset(&form, 0, sizeof form);
    assert(options->data_dir != NULL && options->cache_dir != NULL && options->cgroup != NULL);
    if (!copy_text(form.data_dir, sizeof form.data_dir, options->data_dir) ||
        !copy_text(form.cache_dir, sizeof form.cache_dir, options->cache_dir) ||
        !copy_text(form.cgroup, sizeof form.cgroup, options->cgroup)) {
        return ERR(ERR_INVALID, "a directory's name is longer than %zu bytes",
                   sizeof form.data_dir - 1);
    }
    form.cache_bytes_max = options->cache_bytes_max;
    form.cpu_weight = options->cpu_weight;
    form.is_sandboxed = options->isolation == ISOLATION_SANDBOX;
    return seal_bytes("pawl-options", bytes_of(&form, sizeof form));
}

int request_read_options(struct request_options *ret_options, int memfd, struct failure *failure)
{
    size_t bytes = 0;
    int r = check_memfd(memfd, sizeof *ret_options, &bytes, failure);

    if (r != 0) {
        return r;
    }
    if (bytes != sizeof *ret_options ||
        pread(memfd, ret_options, sizeof *ret_options, 0) != (ssize_t)sizeof *ret_options) {
        return failure_text(failure, "the launcher's options are cut short");
    }
    ret_options->data_dir[sizeof ret_options->data_dir - 1] = '\0';
    ret_options->cache_dir[sizeof ret_options->cache_dir - 1] = '\0';
    ret_options->cgroup[sizeof ret_options->cgroup - 1] = '\0';
    if (ret_options->data_dir[0] != '/' || ret_options->cache_dir[0] != '/' ||
        !request_is_name(ret_options->cgroup)) {
        return failure_text(failure, "the launcher's options name no absolute directories");
    }
    return 0;
}
