/* How a client may name a layer: NAME, or the ARN of the layer, or of one of its versions.
 * An ARN of another account or region is of a layer that we do not have. */
#ifndef INVOKE_LAYER_NAME_H
#define INVOKE_LAYER_NAME_H

#include "engine/driver/layer.h"
#include "invoke/call.h"

/* The name alone of a NAME, or of the layer's ARN, which may be of anybody: `ret_is_ours`.
 * It points into `text`. False: it has neither form. */
bool layer_name_parse(const struct call *call, struct bytes text, struct bytes *ret_name,
                      bool *ret_is_ours);

/* The version that an ARN is of. `ret_version` NULL: there is none that we have. False: it
 * is no such ARN. */
bool layer_version_parse(const struct call *call, struct bytes arn,
                         struct layer_version **ret_version);

/* Labels 0 and 1 of the path: the layer, and the number of a version. NULL: answered. */
struct layer_version *layer_version_of_path(struct call *call);
/* The layer's name in label 0, which may not exist. NULL data: answered. */
struct bytes layer_name_of_path(struct call *call, bool *ret_is_ours);

#endif /* INVOKE_LAYER_NAME_H */
