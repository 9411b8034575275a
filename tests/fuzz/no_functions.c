/* In place of the driver, for targets of which nothing asks for functions. */
#include <stdlib.h>

#include "engine/driver/alias.h"
#include "engine/driver/driver.h"

struct functions *driver_functions(struct driver *driver)
{
    (void)driver;
    abort();
}

struct function *function_find(const struct functions *functions, struct bytes name)
{
    (void)functions;
    (void)name;
    abort();
}

struct function_revision *function_resolve(const struct function *function, struct bytes qualifier,
                                           uint64_t chance)
{
    (void)function;
    (void)qualifier;
    (void)chance;
    abort();
}
