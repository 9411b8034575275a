/* JSON for people: one line a member, objects indented below their name, lists of
 * objects as tables. For answers whose members are the daemon's to choose. */
#ifndef SDK_CLI_OUTLINE_H
#define SDK_CLI_OUTLINE_H

#include <jansson.h>

#include "sdk/cli/session.h"

#define CLI_OUTLINE_DEPTH_MAX 8

int cli_outline_print(struct cli_session *session, const json_t *object);

#endif /* SDK_CLI_OUTLINE_H */
