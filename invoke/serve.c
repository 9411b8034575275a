#include "invoke/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/doors.h"
#include "invoke/guest.h"
#include "invoke/harden.h"
#include "invoke/moment.h"

#define KILL_AFTER_MS 2000 /* of answers that nobody takes, once the driver is closed */

struct server {
    const struct options *options;
    struct config config;
    uv_loop_t loop;
    struct launcher *launcher;
    struct journal *journal;
    struct keyring *keyring;
    struct verifier *verifier;
    struct driver *driver;
    struct service service;
    struct guest_ops guests;
    struct doors doors;
    uv_signal_t term;
    uv_signal_t interrupt;
    uv_signal_t hangup;
    bool is_ending;
    bool are_doors_closed;
    bool is_driver_closed;
};

/* --- the data directory ------------------------------------------------------------------ */

static int check_directory(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return ERR(ERR_INVALID, "%s is not a directory", path);
    }
    if (info.st_uid != geteuid()) {
        return ERR(ERR_INVALID,
                   "the data directory %s belongs to user %u: run as that user, or "
                   "give another one with --data",
                   path, (unsigned)info.st_uid);
    }
    if ((info.st_mode & 0077U) != 0) {
        log_warn("others could enter the data directory %s: its mode is now 0700", path);
        if (chmod(path, 0700) != 0) {
            return ERR(ERR_INVALID, "chmod %s: %s", path, strerror(errno));
        }
    }
    return 0;
}

/* The socket's directory, unless it is there. */
static int make_socket_directory(const char *socket)
{
    const char *slash = strrchr(socket, '/');
    char path[PATH_MAX];
    size_t len = (slash != NULL) ? (size_t)(slash - socket) : 0;
    struct stat info;

    if (len == 0 || len >= sizeof path) {
        return 0; /* the root, or here */
    }
    memcpy(path, socket, len);
    path[len] = '\0';
    return (stat(path, &info) == 0) ? 0 : options_make_directory(path);
}

/* The journal takes its lock for good when it is opened. Asking first is not a promise
 * but a better sentence: another daemon's launcher would be waited for in vain. */
static int check_lock(const char *data)
{
    char path[PATH_MAX];
    int fd;
    bool is_taken;

    if (snprintf(path, sizeof path, "%s/lock", data) >= (int)sizeof path) {
        return ERR(ERR_INVALID, "the path of the data directory is too long: %.64s", data);
    }
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return 0; /* not there yet, or the journal will say */
    }
    is_taken = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return is_taken ? ERR(ERR_INVALID, "another daemon uses %s: stop that one first", data) : 0;
}

static int prepare_places(const struct config *config)
{
    struct stat info;
    int r = 0;

    if (stat(config->data, &info) != 0) {
        r = options_make_directory(config->data);
    }
    r = (r == 0) ? check_directory(config->data) : r;
    r = (r == 0) ? check_lock(config->data) : r;
    r = (r == 0) ? make_socket_directory(config->socket) : r;
    return (r == 0) ? config_check_grants(config, config->data) : r;
}

/* --- opening --------------------------------------------------------------------------------- */

/* The journal is memory that is read from a file: what the disk cannot give back is a
 * signal. */
static void on_bus_error(int signal)
{
    static const char text[] = "pawl: SIGBUS: a page of the journal cannot be read; ending so "
                               "that a restart reads it again\n";

    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(SERVE_EXIT_MEMORY);
}

static int catch_bus_errors(void)
{
    struct sigaction action = {.sa_handler = on_bus_error};

    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, NULL) != 0) {
        return ERR(ERR_SYSTEM, "sigaction: %s", strerror(errno));
    }
    return 0;
}

static int start_launcher(struct server *server)
{
    const struct launcher_options options = {.data_dir = server->config.data,
                                             .cache_dir = server->config.cache_dir,
                                             .isolation = (enum isolation)server->config.isolation,
                                             .cache_bytes_max = server->config.cache_bytes_max,
                                             .cpu_weight = server->config.cpu_weight};

    return launcher_start(&server->launcher, &options);
}

static void on_launcher_lost(void *arg)
{
    (void)arg;
    log_error("the launcher has died, and every environment with it; ending so that a restart "
              "runs them again");
    _exit(SERVE_EXIT_LAUNCHER);
}

static bool has_file(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat info;

    return snprintf(path, sizeof path, "%s/%s", directory, name) < (int)sizeof path &&
           lstat(path, &info) == 0;
}

/* New keys beside old data would hide that the old ones are lost. */
static int open_keys(struct server *server)
{
    const char *data = server->config.data;

    if (journal_last_lsn(server->journal) > 0 && !has_file(data, "root.key") &&
        !has_file(data, "keyring")) {
        return ERR(ERR_INVALID,
                   "%s holds a journal, and its keys are missing: put the files root.key and "
                   "keyring back from their backup; without them nothing in it can be read",
                   data);
    }
    return keyring_open(&server->keyring, data, NULL);
}

static int open_journal(struct server *server)
{
    const struct journal_options options = {.log_map_bytes = server->config.log_map_bytes,
                                            .views_map_bytes = server->config.views_map_bytes};

    return journal_open(&server->journal, &server->loop, server->config.data, &options);
}

static int open_driver(struct server *server)
{
    const struct config *config = &server->config;
    struct driver_options options;

    driver_options_default(&options);
    options.core = config->core;
    options.pool = config->pool;
    options.pool.region = config->region;
    options.pool.grants = config_grants;
    options.pool.grants_arg = &server->config;
    server->guests = guest_door(&server->service);
    options.pool.guests = &server->guests;
    options.log_file_bytes_max = config->log_file_bytes_max;
    options.payload_cache_bytes_max = config->payload_cache_bytes_max;
    options.hot_max = config->hot_max;
    options.drain_s = config->drain_s;
    options.region = config->region;
    return driver_open(&server->driver, &server->loop, config->data, server->journal,
                       server->keyring, server->launcher, server->verifier, &options);
}

static int open_service(struct server *server)
{
    server->service = (struct service){.loop = &server->loop,
                                       .guest_budget.max = server->config.guest_bytes_max,
                                       .driver = server->driver,
                                       .journal = server->journal,
                                       .verifier = server->verifier,
                                       .region = server->config.region,
                                       .sandbox = launcher_summary(server->launcher)};
    return service_init(&server->service);
}

/* Everything below the doors. */
static int open_engine(struct server *server)
{
    int r = launcher_attach(server->launcher, &server->loop, server, on_launcher_lost);

    r = (r == 0) ? open_journal(server) : r;
    r = (r == 0) ? open_keys(server) : r;
    r = (r == 0) ? verifier_create(&server->verifier, server->config.data, server->config.region,
                                   moment_now_ms())
                 : r;
    r = (r == 0) ? open_driver(server) : r;
    r = (r == 0) ? open_service(server) : r;
    return (r == 0) ? doors_open(&server->doors, &server->service, &server->config) : r;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void on_launcher_closed(void *arg)
{
    struct server *server = arg;

    server->launcher = NULL;
    uv_close((uv_handle_t *)&server->term, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
    uv_close((uv_handle_t *)&server->hangup, NULL);
}

static void on_journal_closed(void *arg)
{
    struct server *server = arg;

    server->journal = NULL;
    launcher_close(server->launcher, server, on_launcher_closed);
}

/* What the handlers still have is answered by the driver as it closes, to the doors. */
static void go_on_ending(struct server *server)
{
    if (server->is_driver_closed && server->are_doors_closed) {
        journal_close(server->journal, server, on_journal_closed);
    }
}

static void on_doors_closed(void *arg)
{
    struct server *server = arg;

    server->are_doors_closed = true;
    go_on_ending(server);
}

static void on_driver_closed(void *arg)
{
    struct server *server = arg;

    server->is_driver_closed = true;
    if (!server->are_doors_closed) {
        doors_kill_after(&server->doors, KILL_AFTER_MS);
    }
    go_on_ending(server);
}

static void on_end_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;

    if (server->is_ending) {
        log_warn("ending at once");
        _exit(128 + number);
    }
    server->is_ending = true;
    log_info("ending: running functions have %" PRIu32 " s", server->config.drain_s);
    service_end_streams(&server->service);
    doors_close(&server->doors, server, on_doors_closed);
    driver_close(server->driver, server, on_driver_closed);
}

/* --- running ------------------------------------------------------------------------------------
 */

static void on_hangup(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    struct config fresh;
    int r = options_configure(server->options, &fresh);

    (void)number;
    r = (r == 0) ? config_check_grants(&fresh, server->config.data) : r;
    if (r == 0) {
        config_reload(&server->config, &fresh);
        log_set_level((enum log_level)server->config.log_level);
        log_set_json(server->config.is_log_json);
        r = doors_reload(&server->doors, &server->config);
        log_info("the configuration was read again%s",
                 (r == 0) ? "" : ", the TLS certificate stays as it was");
    } else {
        log_error("the configuration stays as it was");
    }
    config_fini(&fresh);
}

static int watch_signal(struct server *server, uv_signal_t *handle, uv_signal_cb cb, int number)
{
    int r = uv_signal_init(&server->loop, handle);

    handle->data = server;
    r = (r == 0) ? uv_signal_start(handle, cb, number) : r;
    return (r == 0) ? 0 : ERR(ERR_SYSTEM, "watch signal %d: %s", number, uv_strerror(r));
}

static int watch_signals(struct server *server)
{
    int r = watch_signal(server, &server->term, on_end_signal, SIGTERM);

    r = (r == 0) ? watch_signal(server, &server->interrupt, on_end_signal, SIGINT) : r;
    return (r == 0) ? watch_signal(server, &server->hangup, on_hangup, SIGHUP) : r;
}

static void print_ready(const struct server *server)
{
    (void)printf("ready socket=%s listen=%s data=%s %s\n", server->config.socket,
                 doors_address(&server->doors), server->config.data,
                 launcher_summary(server->launcher));
    (void)fflush(stdout);
}

static int start(struct server *server)
{
    int r = prepare_places(&server->config);

    r = (r == 0) ? catch_bus_errors() : r;
    r = (r == 0) ? start_launcher(server) : r; /* before any thread, database or key */
    r = (r == 0) ? harden_process() : r;
    if (r == 0 && uv_loop_init(&server->loop) != 0) {
        r = ERR(ERR_SYSTEM, "make the event loop");
    }
    r = (r == 0) ? open_engine(server) : r;
    return (r == 0) ? watch_signals(server) : r;
}

static void release(struct server *server)
{
    (void)uv_loop_close(&server->loop);
    keyring_close(server->keyring);
    verifier_destroy(server->verifier);
    config_fini(&server->config);
    mem_free(server);
}

/* Who started us may be gone before we could ask to be told. */
static int follow_supervisor(const char *supervisor)
{
    char parent[24];

    if (supervisor == NULL) {
        return 0;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0) {
        return ERR(ERR_SYSTEM, "follow the supervisor: %s", strerror(errno));
    }
    (void)snprintf(parent, sizeof parent, "%ld", (long)getppid());
    return (strcmp(parent, supervisor) == 0) ? 0 : ERR(ERR_SYSTEM, "the supervisor is gone");
}

int serve_main(const struct options *options)
{
    static struct server *server; /* what a refusal leaves open is not lost, it ends with us */
    int r;

    if (options->is_list_points) {
        return crash_list_points() ? 0 : SERVE_EXIT_REFUSED;
    }
    server = mem_calloc(1, sizeof *server);
    if (server == NULL) {
        return SERVE_EXIT_REFUSED;
    }
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    server->options = options;
    r = options_configure(options, &server->config);
    if (r != 0) {
        config_fini(&server->config);
        mem_free(server);
        return SERVE_EXIT_USAGE;
    }
    log_set_level((enum log_level)server->config.log_level);
    log_set_json(server->config.is_log_json);
    r = follow_supervisor(options->supervisor);
    r = (r == 0) ? start(server) : r;
    if (r != 0) {
        return SERVE_EXIT_REFUSED; /* the process ends, and the launcher with it */
    }
    print_ready(server);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    release(server);
    return 0;
}
