/* The settings of a function, from the members of CreateFunction and
 * UpdateFunctionConfiguration to struct function_config, with Lambda's ranges.
 *
 * Members without a meaning here (TracingConfig, VpcConfig, Tags, ...) are kept in
 * config.raw and shown again. What would silently be missing at run time is refused:
 * file systems, container images. Layers are read by function_layers.h. */
#ifndef INVOKE_FUNCTION_BODY_H
#define INVOKE_FUNCTION_BODY_H

#include "invoke/call.h"

#define FUNCTION_ENV_BYTES_MAX 4096U /* names and values together */

/* `config` is what the members change: defaults for a new function, the present
 * settings for an update. New memory is the arena's and `body`'s. */
bool function_body_read(const json_t *body, bool is_new, struct arena *arena,
                        struct function_config *config, struct problem *problem);

void function_body_default(struct function_config *ret_config);

/* Architectures, when given, is this machine's. */
bool function_body_check_architecture(const json_t *body, struct problem *problem);

bool function_body_refuse_publish_to(const json_t *body, struct problem *problem);

/* Code.ZipFile (`code` is the object that holds it), decoded into `archive`; S3 and
 * images are refused. Content of a layer has the same form. */
bool function_body_read_code(const json_t *code, struct buf *archive, struct problem *problem);

#endif /* INVOKE_FUNCTION_BODY_H */
