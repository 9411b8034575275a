#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/functions.h"

struct removal_item {
    struct journal_append append;
    struct removal *removal;
    uint8_t data[2 + OBJECT_KEY_MAX];
};

struct removal {
    struct functions *functions;
    uint32_t count;
    uint32_t added;
    uint32_t done;
    struct removal_item items[];
};

int removal_create(struct removal **ret_removal, struct functions *functions, uint32_t count)
{
    struct removal *removal = NULL;

    assert(count > 0);
    removal = mem_calloc(1, sizeof *removal + count * sizeof removal->items[0]);
    if (removal == NULL) {
        return ERR(ERR_NOMEM, "removal of %u objects", count);
    }
    removal->functions = functions;
    removal->count = count;
    functions_hold(functions);
    *ret_removal = removal;
    return 0;
}

static void on_removed(struct journal_append *append)
{
    struct removal *removal = container_of(append, struct removal_item, append)->removal;
    struct functions *functions = removal->functions;

    if (++removal->done == removal->count) {
        mem_free(removal);
        functions_unhold(functions);
    }
}

void removal_add(struct removal *removal, const struct object_key *key)
{
    struct removal_item *item;

    assert(removal->added < removal->count);
    item = &removal->items[removal->added++];
    item->removal = removal;
    item->append.kind = JOURNAL_DELETE;
    item->append.is_reserved = true;
    item->append.data = bytes_of(item->data, object_forget(key, item->data));
    journal_append(removal->functions->journal, &item->append, on_removed);
}

int removal_of_one(struct functions *functions, const struct object_key *key)
{
    struct removal *removal = NULL;
    int r = removal_create(&removal, functions, 1);

    if (r == 0) {
        removal_add(removal, key);
    }
    return r;
}
