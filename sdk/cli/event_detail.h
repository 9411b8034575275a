/* What is worth saying about an event on one line: results, errors, attempts, times. */
#ifndef SDK_CLI_EVENT_DETAIL_H
#define SDK_CLI_EVENT_DETAIL_H

#include <jansson.h>

#include "engine/base/bytes.h"
#include "sdk/cli/session.h"

#define CLI_DETAIL_PAYLOAD_MAX 200 /* bytes of a payload that are shown */

void cli_event_detail(struct buf *detail, const json_t *event);

/* By the verb of the event type: "...Failed" red, "...Succeeded" green. */
enum cli_color cli_event_color(const char *event_type);

#endif /* SDK_CLI_EVENT_DETAIL_H */
