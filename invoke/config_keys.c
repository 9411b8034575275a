#include "invoke/config_keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/mem.h"

#define AT(member) offsetof(struct config, member)
#define YEAR_S 31622400
#define DAY_MS 86400000
#define MB_MAX (1U << 24) /* 16 TiB */

/* clang-format off */
const struct config_key config_keys[] = {
    {"daemon", "data", CONFIG_TEXT, AT(data), 0, 0, NULL, false},
    {"daemon", "listen", CONFIG_TEXT, AT(listen), 0, 0, NULL, false},
    {"daemon", "socket", CONFIG_TEXT, AT(socket), 0, 0, NULL, false},
    {"daemon", "region", CONFIG_TEXT, AT(region), 0, 0, NULL, false},
    {"daemon", "log_level", CONFIG_WORD, AT(log_level), 0, 0, "debug info warn error", true},
    {"daemon", "log_json", CONFIG_FLAG, AT(is_log_json), 0, 0, NULL, true},
    {"daemon", "drain_s", CONFIG_NUMBER, AT(drain_s), 0, 3600, NULL, false},

    {"limits", "executions_max", CONFIG_NUMBER, AT(core.executions_max), 1, 10000000, NULL, false},
    {"limits", "executions_idle_max", CONFIG_NUMBER, AT(hot_max), 1, 10000000, NULL, false},
    {"limits", "operations_max", CONFIG_NUMBER, AT(core.operations_max), 1, 10000000, NULL, false},
    {"limits", "events_max", CONFIG_NUMBER, AT(core.events_max), 10, 100000000, NULL, false},
    {"limits", "history_mb_max", CONFIG_MEGABYTES, AT(core.history_bytes_max), 1, 65536, NULL,
     false},
    {"limits", "commands_waiting_max", CONFIG_NUMBER, AT(core.waiting_max), 1, 1000000, NULL,
     false},
    {"limits", "failures_max", CONFIG_NUMBER, AT(core.failures_max), 1, 1000, NULL, false},
    {"limits", "failure_backoff_s", CONFIG_NUMBER, AT(core.failure_backoff_s), 1, YEAR_S, NULL,
     false},
    {"limits", "failure_backoff_s_max", CONFIG_NUMBER, AT(core.failure_backoff_max_s), 1, YEAR_S,
     NULL, false},
    {"limits", "environments_max", CONFIG_NUMBER, AT(pool.environments_max), 1, 100000, NULL,
     false},
    {"limits", "environments_each_max", CONFIG_NUMBER, AT(pool.environments_each_max), 1, 100000,
     NULL, false},
    {"limits", "concurrency_max", CONFIG_NUMBER, AT(pool.concurrency_max), 1, 1000000, NULL,
     false},
    {"limits", "invocations_waiting_max", CONFIG_NUMBER, AT(pool.waiting_max), 1, 100000000, NULL,
     false},
    {"limits", "environment_idle_ms", CONFIG_NUMBER, AT(pool.idle_ms), 1, DAY_MS, NULL, false},
    {"limits", "environment_init_again_ms", CONFIG_NUMBER, AT(pool.init_again_ms), 0, DAY_MS, NULL,
     false},
    {"limits", "environment_init_ms", CONFIG_NUMBER, AT(pool.init_ms), 1, DAY_MS, NULL, false},
    {"limits", "environment_grace_ms", CONFIG_NUMBER, AT(pool.grace_ms), 1, DAY_MS, NULL, false},
    {"limits", "log_file_mb_max", CONFIG_MEGABYTES, AT(log_file_bytes_max), 1, MB_MAX, NULL,
     false},
    {"limits", "payload_cache_mb_max", CONFIG_MEGABYTES, AT(payload_cache_bytes_max), 1, MB_MAX,
     NULL, false},
    {"limits", "connections_max", CONFIG_NUMBER, AT(http.connections_max), 1, 1000000, NULL,
     false},
    {"limits", "connections_per_address_max", CONFIG_NUMBER, AT(http.per_address_max), 1, 1000000,
     NULL, false},
    {"limits", "pipeline_max", CONFIG_NUMBER, AT(http.pipeline_max), 1, 1000, NULL, false},
    {"limits", "header_ms", CONFIG_NUMBER, AT(http.header_ms), 100, DAY_MS, NULL, false},
    {"limits", "idle_ms", CONFIG_NUMBER, AT(http.idle_ms), 100, DAY_MS, NULL, false},
    {"limits", "body_bytes_per_s", CONFIG_NUMBER, AT(http.body_bytes_per_s), 1, 1000000000, NULL,
     false},
    {"limits", "buffered_mb_max", CONFIG_MEGABYTES, AT(http.buffered_bytes_max), 8, MB_MAX, NULL,
     false},
    {"limits", "unread_mb_max", CONFIG_MEGABYTES, AT(http.unread_bytes_max), 8, MB_MAX, NULL,
     false},
    {"limits", "environments_held_mb_max", CONFIG_MEGABYTES, AT(guest_bytes_max), 8, MB_MAX, NULL,
     false},

    {"http", "tls_certificate", CONFIG_TEXT, AT(tls_certificate), 0, 0, NULL, true},
    {"http", "tls_key", CONFIG_TEXT, AT(tls_key), 0, 0, NULL, true},
    {"http", "threads", CONFIG_NUMBER, AT(http_threads), 0, HTTP_THREADS_MAX, NULL, false},

    {"journal", "log_map_mb", CONFIG_MEGABYTES, AT(log_map_bytes), 16, MB_MAX, NULL, false},
    {"journal", "views_map_mb", CONFIG_MEGABYTES, AT(views_map_bytes), 16, MB_MAX, NULL, false},

    {"sandbox", "isolation", CONFIG_WORD, AT(isolation), 0, 0, "sandbox none", false},
    {"sandbox", "cache_dir", CONFIG_TEXT, AT(cache_dir), 0, 0, NULL, false},
    {"sandbox", "cache_mb", CONFIG_MEGABYTES, AT(cache_bytes_max), 1, MB_MAX, NULL, false},
    {"sandbox", "cpu_weight", CONFIG_NUMBER, AT(cpu_weight), 1, 10000, NULL, false},
    {0},
};
/* clang-format on */

const struct config_key *config_key_find(const char *section, const char *name)
{
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (strcmp(key->section, section) == 0 && strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

/* --- setting ----------------------------------------------------------------------------- */

static void *place(const struct config_key *key, struct config *config)
{
    return (char *)config + key->offset;
}

static const char *set_text(char **text, const char *value)
{
    char *copy = (value[0] != '\0') ? mem_dup(value, strlen(value)) : NULL;

    if (copy == NULL) {
        return (value[0] != '\0') ? "there is not enough memory for it" : "it must not be empty";
    }
    mem_free(*text);
    *text = copy;
    return NULL;
}

static const char *set_flag(bool *flag, const char *value)
{
    *flag = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;
    return (*flag || strcmp(value, "no") == 0 || strcmp(value, "false") == 0)
               ? NULL
               : "it must be yes or no";
}

static const char *read_number(const struct config_key *key, const char *value, uint64_t *ret)
{
    static char text[96]; /* configuration is read by one thread, one error at a time */
    uint64_t number = 0;
    size_t digits = strspn(value, "0123456789");

    for (size_t i = 0; i < digits && i < 18; i++) {
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    if (digits == 0 || digits > 18 || value[digits] != '\0' || number < key->min ||
        number > key->max) {
        (void)snprintf(text, sizeof text, "it must be a number from %" PRIu64 " to %" PRIu64,
                       key->min, key->max);
        return text;
    }
    *ret = number;
    return NULL;
}

static const char *set_word(const struct config_key *key, uint32_t *which, const char *value)
{
    static char text[96];
    uint32_t n = 0;
    size_t len = strlen(value);

    for (const char *word = key->words; *word != '\0'; n++) {
        size_t word_len = strcspn(word, " ");

        if (word_len == len && memcmp(word, value, len) == 0) {
            *which = n;
            return NULL;
        }
        word += word_len + ((word[word_len] == ' ') ? 1 : 0);
    }
    (void)snprintf(text, sizeof text, "it must be one of: %s", key->words);
    return text;
}

const char *config_key_set(const struct config_key *key, struct config *config, const char *value)
{
    const char *problem;
    uint64_t number = 0;

    switch (key->kind) {
    case CONFIG_TEXT:
        return set_text(place(key, config), value);
    case CONFIG_FLAG:
        return set_flag(place(key, config), value);
    case CONFIG_WORD:
        return set_word(key, place(key, config), value);
    case CONFIG_NUMBER:
    case CONFIG_MEGABYTES:
    default:
        problem = read_number(key, value, &number);
        if (problem == NULL && key->kind == CONFIG_NUMBER) {
            *(uint32_t *)place(key, config) = (uint32_t)number;
        } else if (problem == NULL) {
            *(uint64_t *)place(key, config) = number << 20;
        }
        return problem;
    }
}

/* --- reloading ----------------------------------------------------------------------------- */

static size_t size_of(const struct config_key *key)
{
    switch (key->kind) {
    case CONFIG_TEXT:
        return sizeof(char *);
    case CONFIG_FLAG:
        return sizeof(bool);
    case CONFIG_MEGABYTES:
        return sizeof(uint64_t);
    case CONFIG_NUMBER:
    case CONFIG_WORD:
    default:
        return sizeof(uint32_t);
    }
}

static bool is_same_text(const char *a, const char *b)
{
    return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

bool config_key_differs(const struct config_key *key, const struct config *a,
                        const struct config *b)
{
    const char *in_a = (const char *)a + key->offset;
    const char *in_b = (const char *)b + key->offset;

    if (key->kind == CONFIG_TEXT) {
        return !is_same_text(*(char *const *)(const void *)in_a,
                             *(char *const *)(const void *)in_b);
    }
    return memcmp(in_a, in_b, size_of(key)) != 0;
}

void config_key_swap(const struct config_key *key, struct config *a, struct config *b)
{
    char kept[sizeof(uint64_t)];

    memcpy(kept, place(key, a), size_of(key));
    memcpy(place(key, a), place(key, b), size_of(key));
    memcpy(place(key, b), kept, size_of(key));
}
