/* The member Layers of CreateFunction and UpdateFunctionConfiguration: ARNs of layer
 * versions, each lying over those before it. */
#ifndef INVOKE_FUNCTION_LAYERS_H
#define INVOKE_FUNCTION_LAYERS_H

#include "invoke/call.h"

/* Absent: `config` keeps those it has. What is set is valid in this turn of the loop. */
bool function_layers_read(struct call *call, struct function_config *config,
                          struct problem *problem);

/* [{"Arn","CodeSize"}, ...] as the member Layers; nothing when there are none. */
void function_layers_put(struct buf *json, const struct function_config *config);

#endif /* INVOKE_FUNCTION_LAYERS_H */
