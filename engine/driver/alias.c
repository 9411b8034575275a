#include "engine/driver/alias.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/change.h"
#include "engine/driver/function_name.h"

/* The document of an alias: format u8, version u32, other u32, weight as the bits of a
 * double, revision id, then the description; numbers are little-endian. */
#define ALIAS_FORMAT 1U
#define ALIAS_HEAD_BYTES (1U + 4U + 4U + 8U + 16U)

struct alias_change {
    struct functions *functions;
    struct held *held;
    bool is_delete;
    void *arg;
    setting_cb cb;
};

/* --- documents ------------------------------------------------------------------------- */

static void put_number(uint8_t *out, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t *at, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static void encode(struct buf *buf, const struct alias *alias, const struct id *revision_id)
{
    uint8_t head[ALIAS_HEAD_BYTES] = {ALIAS_FORMAT};
    uint64_t weight;

    memcpy(&weight, &alias->weight, sizeof weight);
    put_number(head + 1, alias->version, 4);
    put_number(head + 5, alias->other, 4);
    put_number(head + 9, weight, 8);
    memcpy(head + 17, revision_id->bytes, sizeof revision_id->bytes);
    buf_append(buf, head, sizeof head);
    buf_append(buf, alias->description.data, alias->description.len);
}

static bool decode(struct bytes name, struct bytes document, struct alias *ret_alias)
{
    uint64_t weight;

    if (document.len < ALIAS_HEAD_BYTES || document.data[0] != ALIAS_FORMAT) {
        return false;
    }
    *ret_alias = (struct alias){
        .name = name,
        .version = (uint32_t)get_number(document.data + 1, 4),
        .other = (uint32_t)get_number(document.data + 5, 4),
        .description = bytes_of(document.data + ALIAS_HEAD_BYTES, document.len - ALIAS_HEAD_BYTES)};
    weight = get_number(document.data + 9, 8);
    memcpy(&ret_alias->weight, &weight, sizeof weight);
    memcpy(ret_alias->revision_id.bytes, document.data + 17, sizeof ret_alias->revision_id.bytes);
    return true;
}

bool alias_find(const struct function *function, struct bytes name, struct alias *ret_alias)
{
    struct bytes document = setting_find(function, SETTING_ALIAS, name);

    return document.data != NULL && decode(name, document, ret_alias);
}

bool alias_next(const struct function *function, struct bytes after, struct alias *ret_alias)
{
    const struct setting *setting = setting_next(function, SETTING_ALIAS, after);

    return setting != NULL && decode(setting->name, setting->json, ret_alias);
}

/* --- changes --------------------------------------------------------------------------- */

static void on_put(void *arg, int status)
{
    struct alias_change *change = arg;
    setting_cb cb = change->cb;
    void *user = change->arg;

    change->held->alias_changes--;
    if (status == 0 && change->is_delete) {
        settings_remove_orphans(change->functions, change->held);
    }
    mem_free(change);
    cb(user, status);
}

/* While it is under way no version is deleted, and while one is deleted no alias is put. */
static int put(struct functions *functions, struct function *function, struct bytes name,
               struct bytes document, void *arg, setting_cb cb)
{
    struct held *held = held_of(function);
    struct alias_change *change;
    int r;

    if (held->change != NULL && held->change->hidden != NULL && document.data != NULL) {
        return FUNCTION_BUSY;
    }
    change = mem_calloc(1, sizeof *change);
    if (change == NULL) {
        return ERR(ERR_NOMEM, "change of an alias");
    }
    *change = (struct alias_change){.functions = functions,
                                    .held = held,
                                    .is_delete = document.data == NULL,
                                    .arg = arg,
                                    .cb = cb};
    held->alias_changes++;
    r = setting_put(functions, function, SETTING_ALIAS, name, document, change, on_put);
    if (r != 0) {
        held->alias_changes--;
        mem_free(change);
    }
    return r;
}

static bool is_there(const struct function *function, uint32_t version)
{
    return version == 0 || function_version_find(function, version) != NULL;
}

int alias_put(struct functions *functions, struct function *function, const struct alias *alias,
              int64_t now_ms, void *arg, setting_cb cb)
{
    struct id revision_id = functions_make_id(functions, now_ms);
    struct buf document = {0};
    int r;

    if (!alias_name_is_valid(alias->name) || !(alias->weight >= 0 && alias->weight <= 1) ||
        alias->description.len > ALIAS_DESCRIPTION_MAX ||
        (alias->other != 0 && (alias->version == 0 || alias->version == alias->other))) {
        return ERR(ERR_INVALID, "an alias that points nowhere");
    }
    if (!is_there(function, alias->version) || !is_there(function, alias->other)) {
        return FUNCTION_NOT_FOUND;
    }
    encode(&document, alias, &revision_id);
    r = document.failed ? ERR(ERR_NOMEM, "an alias")
                        : put(functions, function, alias->name, buf_bytes(&document), arg, cb);
    buf_fini(&document);
    return r;
}

int alias_delete(struct functions *functions, struct function *function, struct bytes name,
                 void *arg, setting_cb cb)
{
    return put(functions, function, name, (struct bytes){0}, arg, cb);
}

/* --- qualifiers ------------------------------------------------------------------------ */

/* 53 bits of it are a number from 0 to almost 1. */
static bool is_other_chosen(const struct alias *alias, uint64_t chance)
{
    return alias->other != 0 && chance != UINT64_MAX &&
           (double)(chance >> 11) * 0x1p-53 < alias->weight;
}

static struct function_revision *resolve_alias(const struct function *function,
                                               const struct alias *alias, uint64_t chance)
{
    uint32_t version = is_other_chosen(alias, chance) ? alias->other : alias->version;

    return (version != 0) ? function_version_find(function, version) : function->latest;
}

struct function_revision *function_resolve(const struct function *function, struct bytes qualifier,
                                           uint64_t chance)
{
    struct alias alias;

    if (qualifier.len == 0 || bytes_equal(qualifier, bytes_of_text("$LATEST"))) {
        return function->latest;
    }
    if (version_parse(qualifier) != 0) {
        return function_version_find(function, version_parse(qualifier));
    }
    return alias_find(function, qualifier, &alias) ? resolve_alias(function, &alias, chance) : NULL;
}
