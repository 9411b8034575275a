/* Settings that are durable at once, and not journaled; and what the driver says of
 * concurrency. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/driver/concurrency.h"
#include "engine/driver/provisioned.h"
#include "tests/invoke/fake_setting.h"

struct fake_settings fake_settings;

void fake_settings_reset(void)
{
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        free(fake_settings.all[i].name);
        free(fake_settings.all[i].json);
    }
    fake_settings = (struct fake_settings){.unreserved = 1000, .status_shown = PROVISIONED_READY};
}

static struct fake_setting *find(const struct function *function, enum setting_kind kind,
                                 struct bytes name)
{
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        struct fake_setting *setting = &fake_settings.all[i];

        if (setting->function == function && setting->kind == kind && setting->json != NULL &&
            bytes_equal(bytes_of_text(setting->name), name)) {
            return setting;
        }
    }
    return NULL;
}

struct bytes setting_find(const struct function *function, enum setting_kind kind,
                          struct bytes name)
{
    const struct fake_setting *setting = find(function, kind, name);

    return (setting != NULL) ? bytes_of_text(setting->json) : (struct bytes){0};
}

static int compare(const char *a, struct bytes b)
{
    size_t len = strlen(a);
    int order = memcmp(a, b.data, (len < b.len) ? len : b.len);

    return (order != 0) ? order : (len > b.len) - (len < b.len);
}

const struct setting *setting_next(const struct function *function, enum setting_kind kind,
                                   struct bytes after)
{
    static struct setting next;
    bool is_found = false;

    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        const struct fake_setting *one = &fake_settings.all[i];

        if (one->function == function && one->kind == kind && one->json != NULL &&
            (after.data == NULL || compare(one->name, after) > 0) &&
            (!is_found || compare(one->name, next.name) < 0)) {
            next = (struct setting){
                .kind = kind, .name = bytes_of_text(one->name), .json = bytes_of_text(one->json)};
            is_found = true;
        }
    }
    return is_found ? &next : NULL;
}

static void set(struct function *function, enum setting_kind kind, struct bytes name,
                struct bytes json)
{
    struct fake_setting *setting = find(function, kind, name);

    for (size_t i = 0; setting == NULL && i < FAKE_SETTINGS; i++) {
        setting = (fake_settings.all[i].json == NULL) ? &fake_settings.all[i] : NULL;
    }
    if (setting == NULL) {
        abort();
    }
    free(setting->name);
    free(setting->json);
    *setting = (struct fake_setting){.function = function, .kind = kind};
    if (json.data != NULL) {
        setting->name = strndup((name.len > 0) ? (const char *)name.data : "", name.len);
        setting->json = strndup((const char *)json.data, json.len);
    }
}

int setting_put(struct functions *functions, struct function *function, enum setting_kind kind,
                struct bytes name, struct bytes json, void *arg, setting_cb cb)
{
    (void)functions;
    fake_settings.puts++;
    if (fake_settings.refusal != 0) {
        return fake_settings.refusal;
    }
    if (json.data == NULL && find(function, kind, name) == NULL) {
        return FUNCTION_NOT_FOUND;
    }
    if (fake_settings.status == 0) {
        set(function, kind, name, json);
    }
    cb(arg, fake_settings.status);
    return 0;
}

/* --- concurrency ------------------------------------------------------------------------- */

bool concurrency_reserved(const struct function *function, uint32_t *ret_reserved)
{
    struct bytes text = setting_find(function, SETTING_CONCURRENCY, bytes_of("", 0));

    if (text.data == NULL) {
        return false;
    }
    *ret_reserved = (uint32_t)strtoul((const char *)text.data, NULL, 10);
    return true;
}

int concurrency_reserve(struct driver *driver, struct function *function, uint32_t reserved,
                        void *arg, setting_cb cb)
{
    char text[16];

    (void)driver;
    if (reserved + CONCURRENCY_UNRESERVED_MIN > fake_settings.unreserved) {
        return CONCURRENCY_TOO_LITTLE_LEFT;
    }
    (void)snprintf(text, sizeof text, "%u", reserved);
    return setting_put(NULL, function, SETTING_CONCURRENCY, bytes_of("", 0), bytes_of_text(text),
                       arg, cb);
}

int concurrency_release(struct driver *driver, struct function *function, void *arg, setting_cb cb)
{
    (void)driver;
    return setting_put(NULL, function, SETTING_CONCURRENCY, bytes_of("", 0), (struct bytes){0}, arg,
                       cb);
}

uint32_t concurrency_limit(const struct driver *driver)
{
    (void)driver;
    return 1000;
}

uint32_t concurrency_unreserved(const struct driver *driver)
{
    (void)driver;
    return fake_settings.unreserved;
}

uint64_t functions_code_bytes(const struct functions *functions)
{
    (void)functions;
    return 4711;
}

void journal_get_stats(struct journal *journal, struct journal_stats *ret_stats)
{
    (void)journal;
    *ret_stats = (struct journal_stats){.views_map_bytes = 1 << 30};
}

/* --- provisioned concurrency: the number alone is kept, and all are ready -------------------- */

static void fill(const struct fake_setting *setting, struct provisioned *ret)
{
    uint32_t requested = (uint32_t)strtoul(setting->json, NULL, 10);

    *ret = (struct provisioned){
        .qualifier = bytes_of_text(setting->name),
        .requested = requested,
        .allocated = requested,
        .available = fake_settings.status_shown == PROVISIONED_READY ? requested : requested - 1,
        .status = (enum provisioned_status)fake_settings.status_shown,
        .modified_ms = 1795422821977};
}

bool provisioned_find(const struct driver *driver, const struct function *function,
                      struct bytes qualifier, struct provisioned *ret_provisioned)
{
    const struct fake_setting *setting = find(function, SETTING_PROVISIONED, qualifier);

    (void)driver;
    if (setting != NULL) {
        fill(setting, ret_provisioned);
    }
    return setting != NULL;
}

/* In the order in which they were set: the tests set them sorted. */
bool provisioned_next(const struct driver *driver, const struct function *function,
                      struct bytes after, struct provisioned *ret_provisioned)
{
    bool is_behind = after.len == 0;

    (void)driver;
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        const struct fake_setting *setting = &fake_settings.all[i];

        if (setting->json == NULL || setting->function != function ||
            setting->kind != SETTING_PROVISIONED) {
            continue;
        }
        if (is_behind) {
            fill(setting, ret_provisioned);
            return true;
        }
        is_behind = bytes_equal(bytes_of_text(setting->name), after);
    }
    return false;
}

int provisioned_put(struct driver *driver, struct function *function, struct bytes qualifier,
                    uint32_t requested, int64_t now_ms, void *arg, setting_cb cb)
{
    char text[16];

    (void)driver;
    (void)now_ms;
    (void)snprintf(text, sizeof text, "%u", requested);
    return setting_put(NULL, function, SETTING_PROVISIONED, qualifier, bytes_of_text(text), arg,
                       cb);
}

int provisioned_delete(struct driver *driver, struct function *function, struct bytes qualifier,
                       void *arg, setting_cb cb)
{
    (void)driver;
    return setting_put(NULL, function, SETTING_PROVISIONED, qualifier, (struct bytes){0}, arg, cb);
}

uint32_t provisioned_max(const struct driver *driver)
{
    (void)driver;
    return 128;
}
