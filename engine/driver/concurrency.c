#include "engine/driver/concurrency.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define NO_NAME bytes_of("", 0)

struct reservation {
    struct driver *driver;
    struct function *function;
    bool is_reserved;
    uint32_t reserved;
    void *arg;
    setting_cb cb;
};

bool concurrency_reserved(const struct function *function, uint32_t *ret_reserved)
{
    struct bytes text = setting_find(function, SETTING_CONCURRENCY, NO_NAME);
    json_t *json =
        (text.data != NULL) ? json_loadb((const char *)text.data, text.len, 0, NULL) : NULL;
    const json_t *number = json_object_get(json, "ReservedConcurrentExecutions");
    bool is_reserved = json_is_integer(number);

    if (is_reserved) {
        *ret_reserved = (uint32_t)json_integer_value(number);
    }
    json_decref(json);
    return is_reserved;
}

uint32_t concurrency_limit(const struct driver *driver)
{
    return driver->options.pool.concurrency_max;
}

uint32_t concurrency_unreserved(const struct driver *driver)
{
    return pool_unreserved(driver->pool);
}

/* Those of the configuration file may have changed since they were reserved. */
void concurrency_load(struct driver *driver)
{
    struct function *function = NULL;
    uint32_t reserved = 0;

    while ((function =
                function_next(driver->functions, (function != NULL) ? bytes_of_text(function->name)
                                                                    : NO_NAME)) != NULL) {
        if (concurrency_reserved(function, &reserved)) {
            pool_reserve(driver->pool, function, true, reserved);
        }
    }
    if (pool_unreserved(driver->pool) == 0) {
        log_warn("all of concurrency_max = %" PRIu32 " is reserved: functions without reserved "
                 "concurrency will not run",
                 concurrency_limit(driver));
    }
}

static void on_put(void *arg, int status)
{
    struct reservation reservation = *(struct reservation *)arg;
    struct driver *driver = reservation.driver;

    mem_free(arg);
    driver->reserved_soon -= reservation.is_reserved ? reservation.reserved : 0;
    if (status == 0) {
        pool_reserve(driver->pool, reservation.function, reservation.is_reserved,
                     reservation.reserved);
    }
    reservation.cb(reservation.arg, status);
}

static int put(struct driver *driver, const struct reservation *wanted)
{
    struct reservation *reservation = mem_dup(wanted, sizeof *wanted);
    char text[64];
    struct bytes json = {0};
    int r;

    if (reservation == NULL) {
        return ERR(ERR_NOMEM, "reserved concurrency");
    }
    if (wanted->is_reserved) {
        (void)snprintf(text, sizeof text, "{\"ReservedConcurrentExecutions\":%" PRIu32 "}",
                       wanted->reserved);
        json = bytes_of_text(text);
    }
    r = setting_put(driver->functions, wanted->function, SETTING_CONCURRENCY, NO_NAME, json,
                    reservation, on_put);
    if (r != 0) {
        mem_free(reservation);
        return r;
    }
    driver->reserved_soon += wanted->is_reserved ? wanted->reserved : 0;
    return 0;
}

/* What others are about to reserve counts; what this one has now comes back. */
int concurrency_reserve(struct driver *driver, struct function *function, uint32_t reserved,
                        void *arg, setting_cb cb)
{
    const struct gate *gate = &function->gate;
    uint64_t left = pool_unreserved(driver->pool);

    left += gate->is_reserved ? gate->reserved : 0;
    if (reserved > 0 && left < CONCURRENCY_UNRESERVED_MIN + reserved + driver->reserved_soon) {
        return CONCURRENCY_TOO_LITTLE_LEFT;
    }
    return put(driver, &(struct reservation){.driver = driver,
                                             .function = function,
                                             .is_reserved = true,
                                             .reserved = reserved,
                                             .arg = arg,
                                             .cb = cb});
}

int concurrency_release(struct driver *driver, struct function *function, void *arg, setting_cb cb)
{
    return put(driver,
               &(struct reservation){.driver = driver, .function = function, .arg = arg, .cb = cb});
}
