/* Reserved concurrency: how many invocations of a function may run at once, of those that
 * the account may run (pool.h, gate.h). The number is a setting of the function. */
#ifndef ENGINE_DRIVER_CONCURRENCY_H
#define ENGINE_DRIVER_CONCURRENCY_H

#include "engine/driver/driver.h"
#include "engine/driver/setting.h"

/* What is always left to the functions without a number of their own, as on Lambda. */
#define CONCURRENCY_UNRESERVED_MIN 100U

enum {
    CONCURRENCY_TOO_LITTLE_LEFT = 100, /* it would leave the others less than that */
};

/* False: none is reserved. Zero: it never runs. */
bool concurrency_reserved(const struct function *function, uint32_t *ret_reserved);

/* As setting_put(), with its conditions and CONCURRENCY_TOO_LITTLE_LEFT. It holds from the
 * callback on; what runs already goes on. */
int concurrency_reserve(struct driver *driver, struct function *function, uint32_t reserved,
                        void *arg, setting_cb cb);
int concurrency_release(struct driver *driver, struct function *function, void *arg, setting_cb cb);

/* Of the account, and what of it is not reserved. */
uint32_t concurrency_limit(const struct driver *driver);
uint32_t concurrency_unreserved(const struct driver *driver);

#endif /* ENGINE_DRIVER_CONCURRENCY_H */
