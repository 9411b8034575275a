#include "engine/driver/change.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

static const struct parcel_events parcel_events;

int change_create(struct change **ret_change, struct functions *functions, void *arg,
                  function_changed_cb cb)
{
    struct change *change = mem_calloc(1, sizeof *change);

    if (change == NULL) {
        return ERR(ERR_NOMEM, "change of a function");
    }
    change->functions = functions;
    parcel_init(&change->parcel, functions, &parcel_events);
    change->arg = arg;
    change->cb = cb;
    list_push_back(&functions->changes, &change->link);
    functions_hold(functions);
    *ret_change = change;
    return 0;
}

/* Takes back what was done so far. */
static void drop_function(struct change *change)
{
    struct functions *functions = change->functions;

    if (change->held == NULL) {
        return;
    }
    change->held->change = NULL;
    if (change->is_new) {
        functions_free_name(functions, change->held);
        functions_unindex(functions, change->held);
        held_destroy(change->held);
    }
}

void change_destroy(struct change *change)
{
    struct functions *functions = change->functions;

    held_revision_destroy(change->revision);
    held_revision_destroy(change->version);
    drop_function(change);
    parcel_fini(&change->parcel);
    list_remove(&change->link);
    mem_free(change);
    functions_unhold(functions);
}

/* --- done --------------------------------------------------------------------------------- */

/* Code that was unpacked for one of them is there for the other. */
static void show_revisions(struct change *change)
{
    struct function *function = &change->held->function;
    bool is_unpacked = change->parcel.code != NULL || function->latest->is_unpacked;

    if (change->revision != NULL) {
        change->revision->revision.is_unpacked = is_unpacked;
        held_add_revision(change->held, change->revision);
        change->revision = NULL;
    }
    if (change->version != NULL) {
        change->version->revision.is_unpacked = is_unpacked;
        held_add_revision(change->held, change->version);
        change->version = NULL;
    }
    change->held->is_visible = true;
}

static void hide_function(struct change *change)
{
    change->held->is_visible = false;
    change->held->function.is_deleted = true;
    functions_free_name(change->functions, change->held);
    settings_remove(change->functions, change->held);
}

/* The change is gone when `cb` runs: it may begin the next one, or close the registry. */
static void end(struct change *change, const char *error)
{
    struct function *function = &change->held->function;
    function_changed_cb cb = change->cb;
    void *arg = change->arg;
    char own[CHANGE_ERROR_MAX];

    if (error != NULL && change->is_new) {
        function = NULL;
    }
    if (error == change->error) {
        memcpy(own, error, sizeof own);
        error = own;
    }
    change_destroy(change);
    cb(arg, function, error);
}

static void finish(struct change *change)
{
    if (change->hidden != NULL) {
        held_hide_version(change->hidden);
        settings_remove_orphans(change->functions, change->held);
    } else if (change->is_delete) {
        hide_function(change);
    } else {
        show_revisions(change);
    }
    change->is_new = false;
    end(change, NULL);
}

static void on_done(struct parcel *parcel, const char *error)
{
    struct change *change = container_of(parcel, struct change, parcel);

    if (change->is_canceled) {
        change_destroy(change);
    } else if (error != NULL) {
        end(change, error);
    } else {
        finish(change);
    }
}

/* --- the size ----------------------------------------------------------------------------- */

int change_check_size(struct change *change)
{
    const struct held_revision *revision = change->revision;
    uint64_t bytes = code_unpacked_bytes(revision->code);

    if (revision->layers == NULL) {
        return 0;
    }
    bytes += code_unpacked_bytes(revision->layers);
    if (bytes <= FUNCTION_UNPACKED_BYTES_MAX) {
        return 0;
    }
    (void)snprintf(change->error, sizeof change->error,
                   FUNCTION_BLAMES_LAYERS " exceeds the maximum allowed size of %u bytes. The "
                                          "actual size is %" PRIu64 " bytes.",
                   FUNCTION_UNPACKED_BYTES_MAX, bytes);
    return FUNCTION_LAYERS_TOO_LARGE;
}

static const char *on_check(struct parcel *parcel)
{
    struct change *change = container_of(parcel, struct change, parcel);

    return (change_check_size(change) != 0) ? change->error : NULL;
}

static const struct parcel_events parcel_events = {.check = on_check, .done = on_done};

void changes_cancel(struct functions *functions, const char *error)
{
    struct list *item = functions->changes.next;

    while (item != &functions->changes) {
        struct change *change = container_of(item, struct change, link);

        item = item->next;
        change->is_canceled = true;
        change->parcel.is_canceled = true;
        change->cb(change->arg, change->is_new ? NULL : &change->held->function, error);
    }
}
