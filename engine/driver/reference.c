/* How functions and executions are called: references of clients, ARNs. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/driver/function_name.h"
#include "engine/driver/state.h"

bool reference_parse(const struct driver *driver, struct bytes text, uint64_t tenant,
                     struct reference *ret_reference)
{
    struct function_name name;

    if (!function_name_parse(text, &name)) {
        return false;
    }
    ret_reference->name = name.name;
    ret_reference->qualifier = name.qualifier;
    ret_reference->is_foreign =
        (name.account != 0 && name.account != tenant) ||
        (name.region.len > 0 && !bytes_equal(name.region, bytes_of_text(driver->options.region)));
    return true;
}

struct function_revision *reference_find(struct driver *driver, const struct reference *reference)
{
    const struct function *function =
        reference->is_foreign ? NULL : function_find(driver->functions, reference->name);

    return (function != NULL)
               ? function_resolve(function, reference->qualifier, prng_next(&driver->prng))
               : NULL;
}

void reference_not_found(const struct driver *driver, uint64_t tenant,
                         const struct reference *reference, char text[REFERENCE_NOT_FOUND_MAX])
{
    if (reference->is_foreign) {
        (void)snprintf(text, REFERENCE_NOT_FOUND_MAX,
                       "Function not found: %.*s is of another account or region.",
                       (int)reference->name.len, (const char *)reference->name.data);
        return;
    }
    (void)snprintf(text, REFERENCE_NOT_FOUND_MAX,
                   "Function not found: arn:aws:lambda:%s:%012" PRIu64 ":function:%.*s%s%.*s",
                   driver->options.region, tenant, (int)reference->name.len,
                   (const char *)reference->name.data, (reference->qualifier.len > 0) ? ":" : "",
                   (int)reference->qualifier.len, (const char *)reference->qualifier.data);
}

struct bytes arn_make(struct arena *arena, struct bytes function, struct bytes name,
                      const struct id *id)
{
    size_t len = function.len + name.len + ID_TEXT_LEN + 24;
    char *arn = arena_alloc(arena, len);
    char text[ID_TEXT_LEN + 1];

    if (arn == NULL) {
        return (struct bytes){0};
    }
    id_format(id, text);
    (void)snprintf(arn, len, "%.*s/durable-execution/%.*s/%s", (int)function.len,
                   (const char *)function.data, (int)name.len, (const char *)name.data, text);
    return bytes_of_text(arn);
}

struct bytes arn_of(struct arena *arena, const struct exec *exec)
{
    return arn_make(arena, exec->function, exec->name, &exec->id);
}

struct bytes arn_qualify(struct arena *arena, const struct function *function,
                         struct bytes qualifier)
{
    size_t len = strlen(function->arn) + 1 + qualifier.len + 1;
    char *arn = arena_alloc(arena, len);

    if (arn == NULL) {
        return (struct bytes){0};
    }
    (void)snprintf(arn, len, "%s%s%.*s", function->arn, (qualifier.len > 0) ? ":" : "",
                   (int)qualifier.len, (const char *)qualifier.data);
    return bytes_of_text(arn);
}

struct bytes arena_function(struct arena *arena, const struct function_revision *revision)
{
    return arn_qualify(arena, revision->function, bytes_of_text(revision->qualifier));
}

/* Of a durable execution's ARN what is in front of the first '/'. */
struct bytes arn_version(struct bytes arn)
{
    const uint8_t *slash = (arn.len > 0) ? memchr(arn.data, '/', arn.len) : NULL;
    size_t end = (slash != NULL) ? (size_t)(slash - arn.data) : arn.len;
    size_t from = end;

    while (from > 0 && arn.data[from - 1] != ':') {
        from--;
    }
    return bytes_of(arn.data + from, end - from);
}
