/* The daemon's configuration: an ini file, every key of which is in config_keys.c and
 * docs/config.md. What is unknown, malformed or out of range is an error that names
 * file and line, and nothing of the file is taken.
 *
 *     [daemon]                      [limits]                   [journal]
 *     [sandbox]                     [http]                     [function NAME]
 *
 * Command-line options come after the file and win. */
#ifndef INVOKE_CONFIG_H
#define INVOKE_CONFIG_H

#include "engine/base/log.h"
#include "engine/driver/driver.h"
#include "invoke/http.h"
#include "journal/journal.h"
#include "runtime/launcher.h"

#define CONFIG_FUNCTIONS_MAX 1000U
#define CONFIG_GRANTS_MAX 16U /* of one function */

struct config_function {
    char name[65];
    struct grant grants[CONFIG_GRANTS_MAX];
    size_t grant_count;
};

/* Texts are owned. */
struct config {
    /* [daemon] */
    char *data;
    char *listen; /* NULL: no TCP */
    char *socket;
    char *region;
    uint32_t log_level; /* enum log_level */
    bool is_log_json;
    uint32_t drain_s;

    /* [limits] */
    struct core_limits core;
    struct pool_options pool;
    struct http_limits http;
    uint64_t guest_bytes_max; /* that all environments together make the daemon hold */
    uint32_t hot_max;
    uint64_t log_file_bytes_max;
    uint64_t payload_cache_bytes_max;

    /* [http] */
    char *tls_certificate; /* NULL: TCP without TLS */
    char *tls_key;
    uint32_t http_threads; /* 0: the main loop reads TCP too */

    /* [journal] */
    uint64_t log_map_bytes;
    uint64_t views_map_bytes;

    /* [sandbox] */
    uint32_t isolation; /* enum isolation */
    char *cache_dir;
    uint64_t cache_bytes_max;
    uint32_t cpu_weight;

    /* [function NAME] */
    struct config_function *functions;
    size_t function_count;
};

/* The defaults; nothing is owned yet. */
void config_init(struct config *ret_config);
void config_fini(struct config *config);

/* Reads `path` over what is there. ERR_INVALID with file, line and a sentence; then the
 * configuration is good for config_fini() alone. `is_optional`: no file is no error. */
int config_read(struct config *config, const char *path, bool is_optional);

/* For struct pool_options: `arg` is the configuration. */
size_t config_grants(void *arg, const char *function, const struct grant **ret_grants);

/* Takes over from `fresh` (which is left with the old values, for config_fini()) what
 * may change while the daemon runs, and logs the keys that need a restart. */
void config_reload(struct config *config, struct config *fresh);

/* A certificate has its key, and a key its certificate: ERR_INVALID. */
int config_check_tls(const struct config *config);

/* A grant that holds the data directory, or lies in it, would show a function every
 * key: ERR_INVALID. `data` exists. */
int config_check_grants(const struct config *config, const char *data);

#endif /* INVOKE_CONFIG_H */
