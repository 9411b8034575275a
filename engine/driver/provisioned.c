#include "engine/driver/provisioned.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/alias.h"
#include "engine/driver/state.h"

struct provision {
    struct driver *driver;
    struct function *function;
    void *arg;
    setting_cb cb;
};

/* --- what is stored ---------------------------------------------------------------------- */

static void read_stored(struct bytes text, struct provisioned *ret)
{
    json_t *json = json_loadb((const char *)text.data, text.len, 0, NULL);

    ret->requested = (uint32_t)json_integer_value(json_object_get(json, "Requested"));
    ret->modified_ms = json_integer_value(json_object_get(json, "ModifiedMs"));
    json_decref(json);
}

static struct function_revision *version_of(const struct function *function, struct bytes qualifier)
{
    struct function_revision *revision = function_resolve(function, qualifier, UINT64_MAX);

    return (revision != NULL && revision->version > 0) ? revision : NULL;
}

static uint32_t environments_of(const struct function_revision *revision, uint32_t requested)
{
    uint32_t each = (revision->config.concurrency > 0) ? revision->config.concurrency : 1;

    return requested / each + ((requested % each > 0) ? 1 : 0);
}

/* What all qualifiers that lead to this version ask for together. */
static uint32_t wanted_of(const struct function_revision *revision)
{
    const struct function *function = revision->function;
    const struct setting *setting = setting_next(function, SETTING_PROVISIONED, (struct bytes){0});
    struct provisioned stored = {.requested = 0};
    uint32_t wanted = 0;

    for (; setting != NULL; setting = setting_next(function, SETTING_PROVISIONED, setting->name)) {
        if (version_of(function, setting->name) == revision) {
            read_stored(setting->json, &stored);
            wanted += environments_of(revision, stored.requested);
        }
    }
    return wanted;
}

/* --- what is --------------------------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint64_t b)
{
    return (a < b) ? a : (uint32_t)b;
}

/* Where two qualifiers lead to one version each has its share of what there is. */
static void fill(const struct driver *driver, const struct function *function,
                 const struct setting *setting, struct provisioned *ret)
{
    const struct function_revision *revision = version_of(function, setting->name);
    struct pool_warm warm = {0};
    uint32_t own;
    uint64_t each;

    *ret = (struct provisioned){.qualifier = setting->name};
    read_stored(setting->json, ret);
    if (revision == NULL) {
        return; /* it is being removed */
    }
    pool_get_warm(driver->pool, revision, &warm);
    own = environments_of(revision, ret->requested);
    each = (revision->config.concurrency > 0) ? revision->config.concurrency : 1;
    if (warm.wanted > 0) {
        ret->allocated = least(ret->requested, (uint64_t)warm.started * own / warm.wanted * each);
        ret->available = least(ret->requested, (uint64_t)warm.ready * own / warm.wanted * each);
    }
    ret->status = (ret->available == ret->requested) ? PROVISIONED_READY
                  : warm.is_failed                   ? PROVISIONED_FAILED
                                                     : PROVISIONED_IN_PROGRESS;
}

bool provisioned_find(const struct driver *driver, const struct function *function,
                      struct bytes qualifier, struct provisioned *ret_provisioned)
{
    struct setting setting = {.kind = SETTING_PROVISIONED, .name = qualifier};

    setting.json = setting_find(function, SETTING_PROVISIONED, qualifier);
    if (setting.json.data != NULL) {
        fill(driver, function, &setting, ret_provisioned);
    }
    return setting.json.data != NULL;
}

bool provisioned_next(const struct driver *driver, const struct function *function,
                      struct bytes after, struct provisioned *ret_provisioned)
{
    const struct setting *setting = setting_next(function, SETTING_PROVISIONED, after);

    if (setting != NULL) {
        fill(driver, function, setting, ret_provisioned);
    }
    return setting != NULL;
}

/* --- making it so ----------------------------------------------------------------------------- */

static void on_forgotten(void *arg, int status)
{
    (void)arg;
    (void)status;
}

/* Of a version or alias that was deleted: it must not come back with one of the same name. */
static void forget_lost(struct driver *driver, struct function *function)
{
    const struct setting *setting = setting_next(function, SETTING_PROVISIONED, (struct bytes){0});

    for (; setting != NULL; setting = setting_next(function, SETTING_PROVISIONED, setting->name)) {
        if (version_of(function, setting->name) == NULL) {
            (void)setting_put(driver->functions, function, SETTING_PROVISIONED, setting->name,
                              (struct bytes){0}, NULL, on_forgotten);
        }
    }
}

void provisioned_apply(struct driver *driver, struct function *function)
{
    struct list *item;

    if (driver->is_closing) {
        return;
    }
    list_for_each (item, &function->revisions) {
        struct function_revision *revision = container_of(item, struct function_revision, link);

        (void)pool_keep_warm(driver->pool, revision, wanted_of(revision));
    }
    if (!function->is_deleted) {
        forget_lost(driver, function);
    }
}

void provisioned_load(struct driver *driver)
{
    struct function *function = function_next(driver->functions, bytes_of("", 0));

    for (; function != NULL;
         function = function_next(driver->functions, bytes_of_text(function->name))) {
        if (setting_next(function, SETTING_PROVISIONED, (struct bytes){0}) != NULL) {
            provisioned_apply(driver, function);
        }
    }
}

/* --- changes ------------------------------------------------------------------------------------
 */

uint32_t provisioned_max(const struct driver *driver)
{
    return driver->options.pool.environments_max / 2;
}

static uint64_t wanted_by_all(const struct driver *driver)
{
    const struct function *function = function_next(driver->functions, bytes_of("", 0));
    uint64_t wanted = 0;

    for (; function != NULL;
         function = function_next(driver->functions, bytes_of_text(function->name))) {
        struct list *item;

        if (setting_next(function, SETTING_PROVISIONED, (struct bytes){0}) == NULL) {
            continue;
        }
        list_for_each (item, &function->revisions) {
            wanted += wanted_of(container_of(item, struct function_revision, link));
        }
    }
    return wanted;
}

static int check(const struct driver *driver, const struct function *function,
                 struct bytes qualifier, uint32_t requested)
{
    const struct function_revision *revision = version_of(function, qualifier);
    struct provisioned before = {.requested = 0};
    struct bytes stored = setting_find(function, SETTING_PROVISIONED, qualifier);
    struct alias alias;
    uint32_t more;

    if (revision == NULL) {
        return FUNCTION_NOT_FOUND;
    }
    if (revision->config.is_per_tenant) {
        return PROVISIONED_PER_TENANT;
    }
    if (alias_find(function, qualifier, &alias) && alias.other != 0) {
        return PROVISIONED_WEIGHTED;
    }
    if (stored.data != NULL) {
        read_stored(stored, &before);
    }
    more = environments_of(revision, requested);
    if (wanted_of(revision) - environments_of(revision, before.requested) + more >
            driver->options.pool.environments_each_max ||
        wanted_by_all(driver) - environments_of(revision, before.requested) + more >
            provisioned_max(driver)) {
        return PROVISIONED_TOO_MANY;
    }
    return 0;
}

static void on_put(void *arg, int status)
{
    struct provision provision = *(struct provision *)arg;

    mem_free(arg);
    if (status == 0) {
        provisioned_apply(provision.driver, provision.function);
    }
    provision.cb(provision.arg, status);
}

static int put(struct driver *driver, struct function *function, struct bytes qualifier,
               struct bytes json, void *arg, setting_cb cb)
{
    struct provision *provision = mem_calloc(1, sizeof *provision);
    int r;

    if (provision == NULL) {
        return ERR(ERR_NOMEM, "provisioned concurrency");
    }
    *provision = (struct provision){.driver = driver, .function = function, .arg = arg, .cb = cb};
    r = setting_put(driver->functions, function, SETTING_PROVISIONED, qualifier, json, provision,
                    on_put);
    if (r != 0) {
        mem_free(provision);
    }
    return r;
}

int provisioned_put(struct driver *driver, struct function *function, struct bytes qualifier,
                    uint32_t requested, int64_t now_ms, void *arg, setting_cb cb)
{
    char text[96];
    int r = check(driver, function, qualifier, requested);

    if (r != 0) {
        return r;
    }
    (void)snprintf(text, sizeof text, "{\"Requested\":%" PRIu32 ",\"ModifiedMs\":%" PRId64 "}",
                   requested, now_ms);
    return put(driver, function, qualifier, bytes_of_text(text), arg, cb);
}

int provisioned_delete(struct driver *driver, struct function *function, struct bytes qualifier,
                       void *arg, setting_cb cb)
{
    return put(driver, function, qualifier, (struct bytes){0}, arg, cb);
}
