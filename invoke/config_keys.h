/* The keys of the configuration, as a table. */
#ifndef INVOKE_CONFIG_KEYS_H
#define INVOKE_CONFIG_KEYS_H

#include "invoke/config.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_FLAG,
    CONFIG_NUMBER,    /* uint32_t */
    CONFIG_MEGABYTES, /* uint64_t, of bytes */
    CONFIG_WORD,      /* uint32_t: which of `words` */
};

struct config_key {
    const char *section;
    const char *name;
    enum config_kind kind;
    size_t offset; /* in struct config */
    uint64_t min;
    uint64_t max;
    const char *words; /* with blanks between */
    bool is_live;      /* SIGHUP changes it */
};

/* Ends with a NULL section. */
extern const struct config_key config_keys[];

/* NULL when there is none. */
const struct config_key *config_key_find(const char *section, const char *name);

/* Sets it. NULL, or what the value should be. */
const char *config_key_set(const struct config_key *key, struct config *config, const char *value);

bool config_key_differs(const struct config_key *key, const struct config *a,
                        const struct config *b);
void config_key_swap(const struct config_key *key, struct config *a, struct config *b);

#endif /* INVOKE_CONFIG_KEYS_H */
