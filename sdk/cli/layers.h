/* How a layer version is named here: NAME:VERSION, or its ARN. */
#ifndef SDK_CLI_LAYERS_H
#define SDK_CLI_LAYERS_H

#include "sdk/cli/arguments.h"
#include "sdk/cli/request.h"

#define CLI_LAYERS "/2018-10-31/layers"

/* /2018-10-31/layers/{name}/versions/{version} of a NAME:VERSION or an ARN; CLI_USAGE with a
 * complaint for anything else. */
int cli_layer_path(struct buf *path, const char *name);

/* The options --layer as the ARNs that the daemon gives them: a JSON array, appended. */
int cli_layers_resolve(struct cli_session *session, const struct cli_arguments *arguments,
                       struct buf *json);

#endif /* SDK_CLI_LAYERS_H */
