/* Operations as Lambda's API writes them, in the answers to checkpoints and in the event
 * that a durable function gets. */
#ifndef ENGINE_DRIVER_OPERATION_JSON_H
#define ENGINE_DRIVER_OPERATION_JSON_H

#include "engine/base/bytes.h"
#include "sdk/wire/wire.h"

/* Times in an event are whole milliseconds, in answers fractions of seconds. */
enum json_time { JSON_TIME_EVENT, JSON_TIME_ANSWER };

/* One element of an array. */
void operation_put_json(struct buf *json, const struct wire_operation *operation,
                        enum json_time time);

/* The EXECUTION operation, which comes first in every state. */
void operation_put_execution(struct buf *json, const struct wire_invoke *invoke,
                             enum json_time time);

/* The members Operations and, when there are more, NextMarker. A page begins at operation
 * `from` (0 is the EXECUTION itself), and ends after `items_max` (0: any number) or some
 * 5 MB of them, as AWS's emulator has it. */
void state_put_page(struct buf *json, const struct wire_invoke *invoke, size_t from,
                    uint32_t items_max, enum json_time time);

#endif /* ENGINE_DRIVER_OPERATION_JSON_H */
