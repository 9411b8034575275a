/* The objects of a change: sealed before anything is stored, so that nothing can fail then. */
#include <inttypes.h>

#include "engine/base/err.h"
#include "engine/driver/change.h"
#include "engine/driver/function_record.h"

void function_key(struct object_key *ret_key, const struct functions *functions,
                  const struct id *id)
{
    char text[ID_TEXT_LEN + 1];

    id_format(id, text);
    object_key_format(ret_key, functions->tenant, "function/%s", text);
}

void revision_key(struct object_key *ret_key, const struct functions *functions,
                  const struct id *id, uint32_t number)
{
    char text[ID_TEXT_LEN + 1];

    id_format(id, text);
    object_key_format(ret_key, functions->tenant, "revision/%s/%010" PRIu32, text, number);
}

/* --- the function ---------------------------------------------------------------------- */

int change_add_function(struct change *change)
{
    const struct function *function = &change->held->function;
    struct function_record record = {
        .name = function->name,
        .created_ms = function->created_ms,
        .is_deleted = change->is_delete,
        .last_revision = function->last_revision + (change->revision != NULL ? 1 : 0) +
                         (change->version != NULL ? 1 : 0),
        .last_version = function->last_version + (change->version != NULL ? 1 : 0),
    };
    struct object_key key;
    struct buf plain = {0};
    int r;

    function_record_put(&plain, &record);
    function_key(&key, change->functions, &function->id);
    r = plain.failed ? ERR(ERR_NOMEM, "record of a function")
                     : parcel_add_object(&change->parcel, &key, buf_bytes(&plain));
    buf_fini(&plain);
    return r;
}

/* --- revisions ------------------------------------------------------------------------- */

static int seal_record(struct change *change, const struct buf *record, uint32_t number)
{
    struct object_key key;

    if (record->failed) {
        return ERR(ERR_NOMEM, "record of a revision");
    }
    if (record->len > FUNCTION_CONFIG_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    revision_key(&key, change->functions, &change->held->function.id, number);
    return parcel_add_object(&change->parcel, &key, buf_bytes(record));
}

/* `ret_held` NULL: it is there already, and only its record changes. Written and read
 * again: what is kept is what a restart will find. */
static int add_form(struct change *change, const struct function_revision *form,
                    struct held_revision **ret_held)
{
    struct buf record = {0};
    int r;

    revision_record_put(&record, form);
    r = seal_record(change, &record, form->number);
    if (r == 0 && ret_held != NULL) {
        r = held_revision_create(ret_held, change->functions, buf_bytes(&record));
    }
    if (r == 0 && ret_held != NULL) {
        (*ret_held)->revision.function = &change->held->function;
    }
    if (record.data != NULL) {
        explicit_bzero(record.data, record.cap);
    }
    buf_fini(&record);
    return r;
}

int change_add_revision(struct change *change, const struct function_config *config, int64_t now_ms)
{
    const struct function *function = &change->held->function;
    const struct function_revision *last = function->latest;
    const struct code *code = change->parcel.code;
    struct function_revision form = {
        .number = function->last_revision + 1, .config = *config, .modified_ms = now_ms};

    if (config->env_count > FUNCTION_ENV_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    memcpy(form.code, (code != NULL) ? code->name : last->code, sizeof form.code);
    form.code_bytes = (code != NULL) ? code->bytes : last->code_bytes;
    form.revision_id = functions_make_id(change->functions, now_ms);
    return add_form(change, &form, &change->revision);
}

/* --- versions -------------------------------------------------------------------------- */

static bool is_published(const struct function *function, const uint8_t *digest)
{
    const struct function_revision *last = function_version_find(function, function->last_version);

    return last != NULL && memcmp(last->digest, digest, sizeof last->digest) == 0;
}

int change_add_version(struct change *change, const struct function_revision *source,
                       const char *description, int64_t now_ms)
{
    const struct function *function = &change->held->function;
    struct function_revision form = *source;
    int r = revision_digest(source, form.digest);

    if (r != 0) {
        return r;
    }
    if (is_published(function, form.digest)) {
        return FUNCTION_UNCHANGED;
    }
    if (function->version_count >= FUNCTION_VERSIONS_MAX) {
        return FUNCTION_TOO_MANY;
    }
    form.number = function->last_revision + (change->revision != NULL ? 2 : 1);
    form.version = function->last_version + 1;
    form.revision_id = functions_make_id(change->functions, now_ms);
    if (description != NULL) {
        form.config.description = description;
    }
    return add_form(change, &form, &change->version);
}

int change_hide_version(struct change *change, struct function_revision *version)
{
    struct function_revision form = *version;

    form.is_deleted = true;
    change->hidden = held_revision_of(version);
    return add_form(change, &form, NULL);
}
