#include "invoke/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/config_keys.h"

struct option_row {
    const char *name;
    const char *value; /* what the help calls it; NULL: a flag, whose value is "yes" */
    const char *section;
    const char *key;
    const char *help; /* NULL: hidden */
};

static const struct option_row rows[] = {
    {"data", "DIR", "daemon", "data", "the data directory"},
    {"socket", "PATH", "daemon", "socket", "the unix socket for clients of this user"},
    {"listen", "ADDRESS", "daemon", "listen",
     "also TCP, on a loopback address such as 127.0.0.1:9100,\n"
     "                            or with TLS on any"},
    {"tls-cert", "FILE", "http", "tls_certificate", "TCP speaks TLS, with this certificate (PEM)"},
    {"tls-key", "FILE", "http", "tls_key", "and this key of it"},
    {"config", "FILE", NULL, NULL, "the configuration (default: pawl.ini in the data directory)"},
    {"region", "NAME", "daemon", "region", "the region in ARNs (default us-east-1)"},
    {"isolation", "KIND", "sandbox", "isolation",
     "sandbox (default), or none: functions are then\n"
     "                            ordinary processes of yours"},
    {"cache-dir", "DIR", "sandbox", "cache_dir", "where code is unpacked, best a tmpfs"},
    {"drain", "S", "daemon", "drain_s", "seconds that running functions get at the end (30)"},
    {"log-level", "LEVEL", "daemon", "log_level", "debug, info (default), warn or error"},
    {"log-json", NULL, "daemon", "log_json", "log lines are JSON"},
    {"plain", NULL, NULL, NULL, "dev: deploy ordinary functions, not durable ones"},
    {"help", NULL, NULL, NULL, "show this help"},
    {"version", NULL, NULL, NULL, "show the version"},
    {"supervised", "PID", NULL, NULL, NULL},
    {"list-crash-points", NULL, NULL, NULL, NULL},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* --- parsing ---------------------------------------------------------------------------- */

static int row_of(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *options_get(const struct options *options, const char *name)
{
    int row = row_of(name);

    assert(row >= 0);
    return options->given[row];
}

/* Complaints are getopt_long()'s own: "pawl serve: unrecognized option '--x'". */
static bool parse_all(struct options *options, int argc, char **argv)
{
    struct option table[ROWS + 1] = {{0}};
    int row = 0;
    int r;

    static_assert(ROWS <= OPTIONS_GIVEN_MAX, "struct options has a place for each");
    for (size_t i = 0; i < ROWS; i++) {
        table[i] =
            (struct option){.name = rows[i].name,
                            .has_arg = (rows[i].value != NULL) ? required_argument : no_argument};
    }
    optind = 0; /* from the start, whoever has parsed before */
    while ((r = getopt_long(argc, argv, "", table, &row)) == 0) {
        if (options->given[row] != NULL) {
            (void)fprintf(stderr, "%s: --%s was given twice\n", argv[0], rows[row].name);
            return false;
        }
        options->given[row] = (rows[row].value != NULL) ? optarg : "yes";
    }
    return r == -1;
}

bool options_parse(struct options *options, int argc, char **argv)
{
    static char names[2][12] = {"pawl serve", "pawl dev"};
    bool is_dev = strcmp(argv[0], "dev") == 0;

    *options = (struct options){.program = is_dev ? "dev" : "serve"};
    argv[0] = names[is_dev ? 1 : 0];
    if (!parse_all(options, argc, argv)) {
        return false;
    }
    options->config_path = options_get(options, "config");
    options->is_help = options_get(options, "help") != NULL;
    options->is_version = options_get(options, "version") != NULL;
    options->supervisor = options_get(options, "supervised");
    options->is_list_points = options_get(options, "list-crash-points") != NULL;
    options->is_plain = options_get(options, "plain") != NULL;
    options->operands = argv + optind;
    options->operand_count = argc - optind;
    if (!is_dev && options->operand_count > 0) {
        (void)fprintf(stderr, "%s: '%s' is not an option: see 'pawl serve --help'\n", argv[0],
                      options->operands[0]);
        return false;
    }
    return true;
}

void options_print_help(const struct options *options)
{
    bool is_dev = strcmp(options->program, "dev") == 0;

    (void)printf("Usage: pawl %s [OPTIONS]%s\n\n", options->program,
                 is_dev ? " [PROGRAM|DIR]..." : "");
    (void)printf("%s", is_dev ? "Runs the daemon for development, on ~/.pawl/dev, and restarts it "
                                "when it ends by\naccident. Each PROGRAM or DIR is deployed as a "
                                "function of its name, and again\nwhenever it changes.\n"
                              : "Runs the daemon in the foreground. One line, 'ready ...', on "
                                "stdout says that it\nserves; everything else is on stderr. "
                                "SIGTERM ends it in order, SIGHUP reads the\nconfiguration again. "
                                "docs/config.md has every key of the file.\n");
    (void)printf("\nOptions:\n");
    for (size_t i = 0; i < ROWS; i++) {
        bool is_shown = rows[i].help != NULL && (is_dev || strcmp(rows[i].name, "plain") != 0);
        char left[40];

        (void)snprintf(left, sizeof left, "--%s%s%s", rows[i].name,
                       (rows[i].value != NULL) ? " " : "",
                       (rows[i].value != NULL) ? rows[i].value : "");
        if (is_shown) {
            (void)printf("  %-22s%s\n", left, rows[i].help);
        }
    }
}

/* --- places ------------------------------------------------------------------------------ */

int options_make_directory(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof part) {
        return ERR(ERR_INVALID, "the path of a directory is empty or too long: %.64s", path);
    }
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return ERR(ERR_INVALID, "make the directory %s: %s", part, strerror(errno));
        }
    }
    return 0;
}

static int set_path(char **text, const char *format, const char *directory)
{
    char path[PATH_MAX];

    if (*text != NULL) {
        return 0;
    }
    if (snprintf(path, sizeof path, format, directory) >= (int)sizeof path) {
        return ERR(ERR_INVALID, "a path is too long: %.64s", directory);
    }
    *text = mem_dup(path, strlen(path));
    return (*text != NULL) ? 0 : ERR(ERR_NOMEM, "path");
}

static const char *home(void)
{
    const char *text = getenv("HOME");

    return (text != NULL && text[0] == '/') ? text : NULL;
}

static int default_data(const struct options *options, struct config *config)
{
    bool is_dev = strcmp(options->program, "dev") == 0;

    if (config->data != NULL) {
        return 0;
    }
    if (!is_dev && geteuid() == 0) {
        return set_path(&config->data, "%s", "/var/lib/pawl");
    }
    if (home() == NULL) {
        return ERR(ERR_INVALID, "no data directory: HOME is not set; give --data");
    }
    return set_path(&config->data, is_dev ? "%s/.pawl/dev" : "%s/.pawl/data", home());
}

static int default_socket(const struct options *options, struct config *config)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool is_dev = strcmp(options->program, "dev") == 0;

    if (config->socket != NULL) {
        return 0;
    }
    if (runtime != NULL && runtime[0] == '/') {
        return set_path(&config->socket, "%s/pawl/pawl.sock", runtime);
    }
    if (geteuid() == 0 && !is_dev) {
        return set_path(&config->socket, "%s/pawl/pawl.sock", "/run");
    }
    if (home() == NULL) {
        return ERR(ERR_INVALID, "no place for the socket: HOME is not set; give --socket");
    }
    return set_path(&config->socket, "%s/.pawl/pawl.sock", home());
}

/* Without a runtime directory of the user, the shared memory of the machine is a tmpfs
 * too; others may write there, so it must be ours. */
static int default_cache(struct config *config)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char path[64];
    struct stat info;

    if (config->cache_dir != NULL || geteuid() == 0 || (runtime != NULL && runtime[0] == '/')) {
        return 0; /* the launcher knows a place */
    }
    (void)snprintf(path, sizeof path, "/dev/shm/pawl-%u", (unsigned)geteuid());
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return ERR(ERR_INVALID, "no place to unpack code: %s: %s; give --cache-dir", path,
                   strerror(errno));
    }
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & 0077U) != 0) {
        return ERR(ERR_INVALID, "no place to unpack code: %s is not ours alone; give --cache-dir",
                   path);
    }
    return set_path(&config->cache_dir, "%s", path);
}

/* --- the configuration --------------------------------------------------------------------- */

static int apply(const struct options *options, struct config *config)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct config_key *key = NULL;
        const char *problem = NULL;

        if (rows[i].key != NULL && options->given[i] != NULL) {
            key = config_key_find(rows[i].section, rows[i].key);
            assert(key != NULL);
            problem = config_key_set(key, config, options->given[i]);
        }
        if (problem != NULL) {
            return ERR(ERR_INVALID, "--%s %s: %s", rows[i].name, options->given[i], problem);
        }
    }
    return 0;
}

/* pawl.ini of the data directory, unless another file is named. */
static int read_file(const struct options *options, struct config *config)
{
    char path[PATH_MAX];
    int r;

    if (options->config_path != NULL) {
        return config_read(config, options->config_path, false);
    }
    r = apply(options, config); /* --data says where the file is */
    r = (r == 0) ? default_data(options, config) : r;
    if (r != 0) {
        return r;
    }
    if (snprintf(path, sizeof path, "%s/pawl.ini", config->data) >= (int)sizeof path) {
        return ERR(ERR_INVALID, "the path of the data directory is too long: %.64s", config->data);
    }
    return config_read(config, path, true);
}

int options_configure(const struct options *options, struct config *config)
{
    int r;

    config_init(config);
    r = read_file(options, config);
    r = (r == 0) ? apply(options, config) : r;
    r = (r == 0) ? default_data(options, config) : r;
    r = (r == 0) ? default_socket(options, config) : r;
    r = (r == 0) ? default_cache(config) : r;
    r = (r == 0) ? config_check_tls(config) : r;
    return (r == 0) ? set_path(&config->region, "%s", "us-east-1") : r;
}
