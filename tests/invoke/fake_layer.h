/* Layers as the routes see them: versions that the test adds, and what was asked. */
#ifndef TESTS_INVOKE_FAKE_LAYER_H
#define TESTS_INVOKE_FAKE_LAYER_H

#include "engine/driver/layer.h"

#define FAKE_LAYERS 4
#define FAKE_LAYER_VERSIONS 80

struct fake_layers {
    struct layer layers[FAKE_LAYERS]; /* the tests add them sorted */
    char names[FAKE_LAYERS][80];
    size_t layer_count;
    struct layer_version versions[FAKE_LAYER_VERSIONS];
    char arns[FAKE_LAYER_VERSIONS][160];
    char texts[FAKE_LAYER_VERSIONS][512];
    size_t version_count;
    int refusal;       /* of the next change: enum FUNCTION_... */
    const char *error; /* of publishing */
    size_t archive_bytes;
};
extern struct fake_layers fake_layers;

void fake_layers_reset(void);
/* The next version, which says this of itself. */
struct layer_version *fake_add_layer(const char *name, const char *about);

#endif /* TESTS_INVOKE_FAKE_LAYER_H */
