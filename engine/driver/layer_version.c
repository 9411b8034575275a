/* The versions of a layer, oldest first. */
#include "engine/driver/layer.h"

struct layer_version *layer_version_find(const struct layer *layer, uint32_t version)
{
    struct list *item;

    list_for_each (item, &layer->versions) {
        struct layer_version *one = container_of(item, struct layer_version, link);

        if (one->version == version) {
            return one;
        }
    }
    return NULL;
}

struct layer_version *layer_version_before(const struct layer *layer, uint32_t version)
{
    for (struct list *item = layer->versions.prev; item != &layer->versions; item = item->prev) {
        struct layer_version *one = container_of(item, struct layer_version, link);

        if (version == 0 || one->version < version) {
            return one;
        }
    }
    return NULL;
}
