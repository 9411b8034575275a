#include "invoke/config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/config_keys.h"

#define CACHE_BYTES_DEFAULT ((uint64_t)512 << 20)
#define CPU_WEIGHT_DEFAULT 10U /* of functions; the daemon has 100 */

void config_init(struct config *ret_config)
{
    struct driver_options options;

    driver_options_default(&options);
    *ret_config = (struct config){.log_level = LOG_INFO,
                                  .drain_s = options.drain_s,
                                  .core = options.core,
                                  .pool = options.pool,
                                  .http = http_limits_default,
                                  .guest_bytes_max = (uint64_t)1 << 30,
                                  .hot_max = options.hot_max,
                                  .log_file_bytes_max = options.log_file_bytes_max,
                                  .payload_cache_bytes_max = options.payload_cache_bytes_max,
                                  .isolation = ISOLATION_SANDBOX,
                                  .cache_bytes_max = CACHE_BYTES_DEFAULT,
                                  .cpu_weight = CPU_WEIGHT_DEFAULT};
}

static void free_functions(struct config *config)
{
    for (size_t i = 0; i < config->function_count; i++) {
        for (size_t j = 0; j < config->functions[i].grant_count; j++) {
            mem_free((void *)(uintptr_t)config->functions[i].grants[j].path);
        }
    }
    mem_free(config->functions);
    config->functions = NULL;
    config->function_count = 0;
}

void config_fini(struct config *config)
{
    mem_free(config->data);
    mem_free(config->listen);
    mem_free(config->socket);
    mem_free(config->region);
    mem_free(config->cache_dir);
    mem_free(config->tls_certificate);
    mem_free(config->tls_key);
    free_functions(config);
}

static const struct config_function *find_function(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->function_count; i++) {
        if (strcmp(config->functions[i].name, name) == 0) {
            return &config->functions[i];
        }
    }
    return NULL;
}

size_t config_grants(void *arg, const char *function, const struct grant **ret_grants)
{
    const struct config_function *found = find_function(arg, function);

    if (found == NULL) {
        return 0;
    }
    *ret_grants = found->grants;
    return found->grant_count;
}

void config_reload(struct config *config, struct config *fresh)
{
    struct config_function *functions = config->functions;
    size_t count = config->function_count;

    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (!config_key_differs(key, config, fresh)) {
            continue;
        }
        if (key->is_live) {
            config_key_swap(key, config, fresh);
            log_info("configuration: [%s] %s is changed", key->section, key->name);
        } else {
            log_warn("configuration: [%s] %s needs a restart", key->section, key->name);
        }
    }
    config->functions = fresh->functions;
    config->function_count = fresh->function_count;
    fresh->functions = functions;
    fresh->function_count = count;
}

int config_check_tls(const struct config *config)
{
    if ((config->tls_certificate == NULL) == (config->tls_key == NULL)) {
        return 0;
    }
    return ERR(ERR_INVALID, "[http] %s is given without %s: TLS needs both",
               (config->tls_key == NULL) ? "tls_certificate" : "tls_key",
               (config->tls_key == NULL) ? "tls_key" : "tls_certificate");
}

/* --- grants and the data directory ----------------------------------------------------------- */

/* Is `inner` the directory `outer`, or below it? Both are absolute and resolved. */
static bool is_within(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    if (strcmp(outer, "/") == 0) {
        return true;
    }
    return strncmp(inner, outer, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

static int check_grant(const struct config_function *function, const char *path, const char *data)
{
    char resolved[PATH_MAX];

    if (realpath(path, resolved) == NULL) {
        return (errno == ENOENT) ? 0 /* it may come; the launcher looks again */
                                 : ERR(ERR_INVALID, "[function %s] grants %s: %s", function->name,
                                       path, strerror(errno));
    }
    if (is_within(data, resolved) || is_within(resolved, data)) {
        return ERR(ERR_INVALID,
                   "[function %s] grants %s: it would show the function the data directory %s",
                   function->name, path, data);
    }
    return 0;
}

int config_check_grants(const struct config *config, const char *data)
{
    char resolved[PATH_MAX];
    int r = 0;

    if (realpath(data, resolved) == NULL) {
        return ERR(ERR_SYSTEM, "find %s: %s", data, strerror(errno));
    }
    for (size_t i = 0; r == 0 && i < config->function_count; i++) {
        const struct config_function *function = &config->functions[i];

        for (size_t j = 0; r == 0 && j < function->grant_count; j++) {
            r = check_grant(function, function->grants[j].path, resolved);
        }
    }
    return r;
}
