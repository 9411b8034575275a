#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/functions.h"

#define SWEEP_ENTRIES_MAX 65536U /* deletions, about: the next sweep goes on */

struct sweep {
    struct functions *functions;
    void *arg;
    bool (*is_needed)(void *arg, const struct function_revision *revision);
    uint32_t entries; /* of the journal, that are being deleted */
    int revisions;
};

static bool is_unpacking_layers(const struct held_revision *held)
{
    return held->layers != NULL && held->layers->is_unpacking;
}

/* The function itself references its newest revision and its versions, also when it is
 * deleted. */
static bool is_free(const struct sweep *sweep, const struct function_revision *revision)
{
    return revision->references == (held_keeps_revision(revision) ? 1U : 0U) &&
           !held_revision_of(revision)->code->is_unpacking &&
           !is_unpacking_layers(held_revision_of(revision)) &&
           !sweep->is_needed(sweep->arg, revision);
}

static int sweep_revision(struct sweep *sweep, struct function_revision *revision)
{
    struct object_key key;
    int r;

    revision_key(&key, sweep->functions, &revision->function->id, revision->number);
    r = removal_of_one(sweep->functions, &key);
    if (r != 0) {
        return r;
    }
    list_remove(&revision->link);
    held_revision_destroy(held_revision_of(revision));
    sweep->entries += 1;
    sweep->revisions++;
    return 0;
}

/* A deleted function goes with all its revisions, and first: revisions without a function
 * are leftovers, a function without revisions is damage. */
static bool is_function_free(const struct sweep *sweep, const struct function *function)
{
    struct list *item;

    if (!function->is_deleted || held_of(function)->settings.changing_count > 0) {
        return false;
    }
    list_for_each (item, &function->revisions) {
        if (!is_free(sweep, container_of(item, struct function_revision, link))) {
            return false;
        }
    }
    return true;
}

/* The newest one and versions go only with their function. */
static int sweep_revisions(struct sweep *sweep, struct function *function, bool is_whole)
{
    struct list *item = function->revisions.next;
    int r = 0;

    while (item != &function->revisions && r == 0) {
        struct function_revision *revision = container_of(item, struct function_revision, link);
        bool is_kept = held_keeps_revision(revision) && !is_whole;

        item = item->next;
        if (!is_kept && is_free(sweep, revision)) {
            r = sweep_revision(sweep, revision);
        }
    }
    return r;
}

static int sweep_function(struct sweep *sweep, struct held *held)
{
    bool is_whole = is_function_free(sweep, &held->function);
    struct object_key key;
    int r = 0;

    if (is_whole) {
        function_key(&key, sweep->functions, &held->function.id);
        r = removal_of_one(sweep->functions, &key);
    }
    if (r == 0) {
        r = sweep_revisions(sweep, &held->function, is_whole);
    }
    if (r == 0 && is_whole) {
        functions_unindex(sweep->functions, held);
        held_destroy(held);
    }
    return r;
}

/* A sweep changes the table, so it goes by a list of its own. */
static struct held **list_functions(const struct functions *functions)
{
    struct held **all = mem_calloc(functions->by_id.count + 1, sizeof(struct held *));
    struct table_node *node = NULL;
    size_t bucket = 0;
    size_t count = 0;

    while (all != NULL && (node = table_walk(&functions->by_id, &bucket, node)) != NULL) {
        all[count++] = held_of(container_of(node, struct function, by_id));
    }
    return all;
}

int functions_sweep(struct functions *functions, void *arg,
                    bool (*is_needed)(void *arg, const struct function_revision *revision))
{
    struct sweep sweep = {.functions = functions, .arg = arg, .is_needed = is_needed};
    struct held **all = list_functions(functions);
    int r = 0;

    if (all == NULL) {
        return ERR(ERR_NOMEM, "sweep of functions");
    }
    for (size_t i = 0; all[i] != NULL && r == 0 && sweep.entries < SWEEP_ENTRIES_MAX; i++) {
        r = sweep_function(&sweep, all[i]);
    }
    mem_free(all);
    (void)code_remove_unused(functions, SWEEP_ENTRIES_MAX); /* without memory: at the next one */
    return (r == 0) ? sweep.revisions : r;
}
