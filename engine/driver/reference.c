/* How functions and executions are called: references of clients, ARNs. */
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/driver/state.h"

static bool take_prefix(struct bytes *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (text->len < len || memcmp(text->data, prefix, len) != 0) {
        return false;
    }
    *text = bytes_of(text->data + len, text->len - len);
    return true;
}

static struct bytes take_part(struct bytes *text)
{
    const uint8_t *colon = (text->len > 0) ? memchr(text->data, ':', text->len) : NULL;
    struct bytes part = *text;

    if (colon == NULL) {
        *text = (struct bytes){0};
        return part;
    }
    part.len = (size_t)(colon - text->data);
    *text = bytes_of(colon + 1, text->len - part.len - 1);
    return part;
}

static bool is_account(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.len == 12;
}

static bool is_tenant(struct bytes account, uint64_t tenant)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%012llu", (unsigned long long)tenant);
    return bytes_equal(account, bytes_of_text(text));
}

/* name · name:q · account:function:name[:q] · arn:aws:lambda:region:account:function:name[:q] */
bool reference_parse(struct bytes text, uint64_t tenant, struct reference *ret_reference)
{
    struct reference reference = {0};
    struct bytes part;

    if (take_prefix(&text, "arn:aws:lambda:")) {
        (void)take_part(&text); /* region: there is one */
    }
    part = take_part(&text);
    if (is_account(part) && take_prefix(&text, "function:")) {
        reference.is_foreign = !is_tenant(part, tenant);
        part = take_part(&text);
    }
    reference.name = part;
    reference.qualifier = text;
    *ret_reference = reference;
    return part.len > 0 && part.len <= 140;
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

struct bytes arena_function(struct arena *arena, const struct function *function)
{
    size_t len = strlen(function->arn) + sizeof ":$LATEST";
    char *arn = arena_alloc(arena, len);

    if (arn == NULL) {
        return (struct bytes){0};
    }
    (void)snprintf(arn, len, "%s:$LATEST", function->arn);
    return bytes_of_text(arn);
}
