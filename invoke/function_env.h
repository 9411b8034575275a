/* Environment.Variables: checked and turned into "NAME=value". */
#ifndef INVOKE_FUNCTION_ENV_H
#define INVOKE_FUNCTION_ENV_H

#include "invoke/call.h"

bool function_env_read(const json_t *environment, struct arena *arena,
                       struct function_config *config, struct problem *problem);

#endif /* INVOKE_FUNCTION_ENV_H */
