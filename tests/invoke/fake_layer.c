#include "tests/invoke/fake_layer.h"

#include <stdio.h>

struct fake_layers fake_layers;

#define CODE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

void fake_layers_reset(void)
{
    fake_layers = (struct fake_layers){.layer_count = 0};
}

static struct layer *obtain(const char *name)
{
    struct layer *layer;

    for (size_t i = 0; i < fake_layers.layer_count; i++) {
        if (strcmp(fake_layers.layers[i].name, name) == 0) {
            return &fake_layers.layers[i];
        }
    }
    layer = &fake_layers.layers[fake_layers.layer_count];
    (void)snprintf(fake_layers.names[fake_layers.layer_count], sizeof fake_layers.names[0],
                   "arn:aws:lambda:us-east-1:123456789012:layer:%.20s", name);
    layer->arn = fake_layers.names[fake_layers.layer_count++];
    layer->name = strrchr(layer->arn, ':') + 1;
    list_init(&layer->versions);
    return layer;
}

struct layer_version *fake_add_layer(const char *name, const char *about)
{
    size_t i = fake_layers.version_count++;
    struct layer_version *version = &fake_layers.versions[i];

    version->layer = obtain(name);
    version->version = ++version->layer->last_version;
    version->layer->version_count++;
    list_push_back(&version->layer->versions, &version->link);
    (void)snprintf(fake_layers.arns[i], sizeof fake_layers.arns[i], "%s:%u", version->layer->arn,
                   version->version);
    (void)snprintf(fake_layers.texts[i], sizeof fake_layers.texts[i], "%s", about);
    version->arn = fake_layers.arns[i];
    version->about = bytes_of_text(fake_layers.texts[i]);
    version->code = CODE;
    version->code_bytes = 123;
    version->created_ms = 1795422821977;
    return version;
}

/* --- the driver's --------------------------------------------------------------------------- */

struct layer *layer_find(const struct functions *functions, struct bytes name)
{
    (void)functions;
    for (size_t i = 0; i < fake_layers.layer_count; i++) {
        if (fake_layers.layers[i].version_count > 0 &&
            bytes_equal(bytes_of_text(fake_layers.layers[i].name), name)) {
            return &fake_layers.layers[i];
        }
    }
    return NULL;
}

struct layer *layer_next(const struct functions *functions, struct bytes after)
{
    size_t i = 0;

    (void)functions;
    while (after.len > 0 && i < fake_layers.layer_count &&
           !bytes_equal(bytes_of_text(fake_layers.layers[i++].name), after)) {
    }
    return (i < fake_layers.layer_count) ? &fake_layers.layers[i] : NULL;
}

int layer_publish(struct functions *functions, struct bytes name, struct bytes about,
                  struct bytes archive, int64_t now_ms, void *arg, layer_published_cb cb)
{
    char text[65] = "";
    char said[512];

    (void)functions;
    (void)now_ms;
    if (fake_layers.refusal != 0) {
        return fake_layers.refusal;
    }
    memcpy(text, name.data, (name.len < 64) ? name.len : 64);
    (void)snprintf(said, sizeof said, "%.*s", (int)about.len, (const char *)about.data);
    fake_layers.archive_bytes = archive.len;
    if (fake_layers.error != NULL) {
        cb(arg, NULL, fake_layers.error);
    } else {
        cb(arg, fake_add_layer(text, said), NULL);
    }
    return 0;
}

int layer_version_delete(struct functions *functions, struct layer_version *version, void *arg,
                         layer_changed_cb cb)
{
    (void)functions;
    if (fake_layers.refusal == 0) {
        list_remove(&version->link);
        version->layer->version_count--;
        cb(arg, 0);
    }
    return fake_layers.refusal;
}

int layer_version_set_policy(struct functions *functions, struct layer_version *version,
                             struct bytes policy, void *arg, layer_changed_cb cb)
{
    static char text[1024];

    (void)functions;
    if (fake_layers.refusal == 0) {
        (void)snprintf(text, sizeof text, "%.*s", (int)policy.len, (const char *)policy.data);
        version->policy = (policy.data != NULL) ? bytes_of_text(text) : (struct bytes){0};
        cb(arg, 0);
    }
    return fake_layers.refusal;
}
