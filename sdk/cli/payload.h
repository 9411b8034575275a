/* The PAYLOAD of a command line: text, @file, or - for stdin. */
#ifndef SDK_CLI_PAYLOAD_H
#define SDK_CLI_PAYLOAD_H

#include "engine/base/bytes.h"

#define CLI_PAYLOAD_BYTES_MAX (6U << 20) /* Lambda's limit of a synchronous invoke */

/* Appends it to `payload`; nothing for NULL. */
int cli_payload_read(struct buf *payload, const char *operand);

/* {"ErrorType":..,"ErrorMessage":..,"ErrorData":..} with what is not NULL. */
void cli_error_object(struct buf *json, const char *type, const char *message,
                      const struct buf *data);

#endif /* SDK_CLI_PAYLOAD_H */
