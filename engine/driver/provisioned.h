/* Provisioned concurrency: environments of a version that are started ahead of need and kept
 * (pool.h). The number is a setting of the function, by the version or alias that it was
 * asked for; an alias that moves takes its environments along. */
#ifndef ENGINE_DRIVER_PROVISIONED_H
#define ENGINE_DRIVER_PROVISIONED_H

#include "engine/driver/driver.h"
#include "engine/driver/setting.h"

enum {
    PROVISIONED_TOO_MANY = 200, /* of all, or of the environments of one version */
    PROVISIONED_PER_TENANT,     /* isolated by tenants: whose would they be? */
    PROVISIONED_WEIGHTED,       /* an alias with weights */
};

enum provisioned_status { PROVISIONED_IN_PROGRESS, PROVISIONED_READY, PROVISIONED_FAILED };

/* Numbers are invocations, as on Lambda: an environment may take several. */
struct provisioned {
    struct bytes qualifier; /* valid as long as what setting_find() finds */
    uint32_t requested;
    uint32_t allocated; /* their environments are started */
    uint32_t available; /* and ready */
    enum provisioned_status status;
    int64_t modified_ms;
};

bool provisioned_find(const struct driver *driver, const struct function *function,
                      struct bytes qualifier, struct provisioned *ret_provisioned);
/* In the order of qualifiers, after `after`, or from the first one when `after.data` is NULL. */
bool provisioned_next(const struct driver *driver, const struct function *function,
                      struct bytes after, struct provisioned *ret_provisioned);

/* As setting_put(), and the conditions above. `qualifier` leads to a version. It counts from
 * the callback on: then the environments are being started. */
int provisioned_put(struct driver *driver, struct function *function, struct bytes qualifier,
                    uint32_t requested, int64_t now_ms, void *arg, setting_cb cb);
int provisioned_delete(struct driver *driver, struct function *function, struct bytes qualifier,
                       void *arg, setting_cb cb);

/* Environments that all functions together may have so: half of environments_max. */
uint32_t provisioned_max(const struct driver *driver);

#endif /* ENGINE_DRIVER_PROVISIONED_H */
