/* Settings of a function: small documents beside its revisions, each by a kind and a name
 * (an alias by its own, what a function has once by the empty one).
 *
 * A setting is not part of a revision: it holds for the function as long as that is not
 * deleted, and what it says is its owner's business; here it is bytes, JSON by habit. Each
 * is one sealed object of the journal (keys in object.h), in memory from the start on.
 *
 * After a crash a change is there or it is not. Settings go with their function, and those
 * that are named for a version or an alias (of event invokes, policies, provisioned,
 * management) with that; what an interrupted delete left is removed at the next start. */
#ifndef ENGINE_DRIVER_SETTING_H
#define ENGINE_DRIVER_SETTING_H

#include "engine/driver/function.h"

enum setting_kind {
    SETTING_ALIAS,
    SETTING_CONCURRENCY,
    SETTING_EVENT_INVOKE,
    SETTING_TAGS,
    SETTING_POLICY,
    SETTING_PROVISIONED,
    SETTING_RECURSION,
    SETTING_MANAGEMENT, /* of its runtime, by version */
    SETTING_KINDS,
};

#define SETTING_NAME_MAX 256U           /* bytes, of any value; may be none */
#define SETTING_BYTES_MAX (128U << 10)  /* of one document */
#define SETTINGS_MAX 1000U              /* of a function, of all kinds */
#define SETTINGS_BYTES_MAX (512U << 10) /* of a function: names and documents */

struct setting {
    enum setting_kind kind;
    struct bytes name;
    struct bytes json;
};

/* As stored; `data` NULL: none. Valid until the next change of that function is durable,
 * so not across callbacks. */
struct bytes setting_find(const struct function *function, enum setting_kind kind,
                          struct bytes name);

/* Those of a kind in the order of their names: the first one after `after`, or of all when
 * `after.data` is NULL. NULL at the end. Valid as long as what setting_find() finds. */
const struct setting *setting_next(const struct function *function, enum setting_kind kind,
                                   struct bytes after);

/* Sets, or with `json.data` NULL deletes. `cb` comes from the loop when it is durable, and
 * from then on it is seen, not before. What is given is copied. A refusal is immediate,
 * with no callback:
 *
 *   FUNCTION_NOT_FOUND  the function is deleted, or there is no such setting to delete
 *   FUNCTION_BUSY       another change of this setting is under way
 *   FUNCTION_TOO_LARGE  SETTING_BYTES_MAX or SETTINGS_BYTES_MAX
 *   FUNCTION_TOO_MANY   SETTINGS_MAX
 *   FUNCTION_FULL       the journal takes no new work; a delete it takes
 *
 * and so is a negative error (a name longer than SETTING_NAME_MAX: ERR_INVALID). `status`
 * of the callback: 0; FUNCTION_NOT_FOUND when the function was deleted meanwhile; or
 * ERR_CANCELED when the registry is closed, and the change may yet become durable. A
 * callback may begin the next change. */
typedef void (*setting_cb)(void *arg, int status);
int setting_put(struct functions *functions, struct function *function, enum setting_kind kind,
                struct bytes name, struct bytes json, void *arg, setting_cb cb);

#endif /* ENGINE_DRIVER_SETTING_H */
