#include "engine/driver/setting.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/functions.h"

#define SETTINGS_MIN 4U

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t len = (a.len < b.len) ? a.len : b.len;
    int order = (len > 0) ? memcmp(a.data, b.data, len) : 0;

    return (order != 0) ? order : (a.len > b.len) - (a.len < b.len);
}

int setting_compare(const struct setting *setting, enum setting_kind kind, struct bytes name)
{
    return (setting->kind != kind) ? (int)setting->kind - (int)kind
                                   : compare_bytes(setting->name, name);
}

/* Where the first one is that is not less, or with `is_after` greater. */
static size_t find_place(const struct settings *settings, enum setting_kind kind, struct bytes name,
                         bool is_after)
{
    size_t low = 0;
    size_t high = settings->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = setting_compare(settings->items[middle], kind, name);

        if (order < 0 || (order == 0 && is_after)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct setting *find(const struct settings *settings, enum setting_kind kind,
                            struct bytes name, size_t *ret_place)
{
    size_t place = find_place(settings, kind, name, false);

    *ret_place = place;
    return (place < settings->count && setting_compare(settings->items[place], kind, name) == 0)
               ? settings->items[place]
               : NULL;
}

struct bytes setting_find(const struct function *function, enum setting_kind kind,
                          struct bytes name)
{
    size_t place;
    const struct setting *setting = find(&held_of(function)->settings, kind, name, &place);

    return (setting != NULL) ? setting->json : (struct bytes){0};
}

const struct setting *setting_next(const struct function *function, enum setting_kind kind,
                                   struct bytes after)
{
    const struct settings *settings = &held_of(function)->settings;
    size_t place = find_place(settings, kind, after, after.data != NULL);

    return (place < settings->count && settings->items[place]->kind == kind)
               ? settings->items[place]
               : NULL;
}

size_t setting_bytes(const struct setting *setting)
{
    return setting->name.len + setting->json.len;
}

/* One block; a document of no bytes is still there. */
struct setting *setting_create(enum setting_kind kind, struct bytes name, struct bytes json)
{
    struct setting *setting = mem_calloc(1, sizeof *setting + name.len + json.len + 1);
    uint8_t *text;

    if (setting == NULL) {
        return NULL;
    }
    text = (uint8_t *)(setting + 1);
    setting->kind = kind;
    setting->name = bytes_of(text, name.len);
    if (name.len > 0) {
        memcpy(text, name.data, name.len);
    }
    if (json.data != NULL) {
        setting->json = bytes_of(text + name.len, json.len);
        memcpy(text + name.len, json.data, json.len);
    }
    return setting;
}

/* So that none of what is under way can fail for want of memory. */
int settings_reserve(struct settings *settings)
{
    size_t needed = settings->count + settings->changing_count + 1;
    size_t cap = (settings->cap > 0) ? settings->cap : SETTINGS_MIN;
    struct setting **items;

    if (needed <= settings->cap) {
        return 0;
    }
    while (cap < needed) {
        cap *= 2;
    }
    items = mem_realloc(settings->items, cap * sizeof(struct setting *));
    if (items == NULL) {
        return ERR(ERR_NOMEM, "%zu settings", cap);
    }
    settings->items = items;
    settings->cap = cap;
    return 0;
}

static void insert(struct settings *settings, size_t place, struct setting *setting)
{
    assert(settings->count < settings->cap);
    memmove(settings->items + place + 1, settings->items + place,
            (settings->count - place) * sizeof(struct setting *));
    settings->items[place] = setting;
    settings->count++;
    settings->bytes += setting_bytes(setting);
}

void settings_take_out(struct settings *settings, size_t place)
{
    settings->bytes -= setting_bytes(settings->items[place]);
    mem_free(settings->items[place]);
    settings->count--;
    memmove(settings->items + place, settings->items + place + 1,
            (settings->count - place) * sizeof(struct setting *));
}

void settings_set(struct settings *settings, struct setting *setting)
{
    size_t place;

    if (find(settings, setting->kind, setting->name, &place) != NULL) {
        settings_take_out(settings, place);
    }
    if (setting->json.data != NULL) {
        insert(settings, place, setting);
    } else {
        mem_free(setting);
    }
}

void settings_fini(struct settings *settings)
{
    assert(settings->changing_count == 0);
    for (size_t i = 0; i < settings->count; i++) {
        mem_free(settings->items[i]);
    }
    mem_free(settings->items);
    *settings = (struct settings){.changing = settings->changing};
    list_init(&settings->changing);
}
