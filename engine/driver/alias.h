/* Aliases: names of versions, and what a qualifier leads to.
 *
 * An alias names one version, or $LATEST, and may give a share of the invokes to a second
 * version. It is a setting of its function (setting.h), so it goes with it. A version that
 * an alias names cannot be deleted. */
#ifndef ENGINE_DRIVER_ALIAS_H
#define ENGINE_DRIVER_ALIAS_H

#include "engine/driver/setting.h"

#define ALIAS_DESCRIPTION_MAX 256U

struct alias {
    struct bytes name; /* see alias_name_is_valid() */
    uint32_t version;  /* 0: $LATEST */
    uint32_t other;    /* 0: none; it and `version` are two published ones */
    double weight;     /* of `other`: 0 to 1 */
    struct bytes description;
    struct id revision_id; /* new with each change */
};

/* What it points to is valid as long as what setting_find() finds. */
bool alias_find(const struct function *function, struct bytes name, struct alias *ret_alias);
/* In the order of names, after `after`, or from the first one when `after.data` is NULL. */
bool alias_next(const struct function *function, struct bytes after, struct alias *ret_alias);

static inline bool alias_names_version(const struct alias *alias, uint32_t version)
{
    return version != 0 && (alias->version == version || alias->other == version);
}

/* Sets or deletes one: as setting_put(), and FUNCTION_NOT_FOUND also when a version that it
 * names is not there, FUNCTION_BUSY also while a version is being deleted. `revision_id` is
 * made, not taken. A name of other characters is ERR_INVALID. */
int alias_put(struct functions *functions, struct function *function, const struct alias *alias,
              int64_t now_ms, void *arg, setting_cb cb);
int alias_delete(struct functions *functions, struct function *function, struct bytes name,
                 void *arg, setting_cb cb);

/* What a qualifier leads to: an empty one and $LATEST to the newest revision, digits to that
 * version, another one to what the alias names: with weights, `chance` decides (UINT64_MAX:
 * the alias's own version). NULL: there is none. */
struct function_revision *function_resolve(const struct function *function, struct bytes qualifier,
                                           uint64_t chance);

#endif /* ENGINE_DRIVER_ALIAS_H */
