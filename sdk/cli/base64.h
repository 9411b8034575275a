/* Base64 with padding (RFC 4648 section 4): the form of blobs inside JSON. */
#ifndef SDK_CLI_BASE64_H
#define SDK_CLI_BASE64_H

#include <stdbool.h>

#include "engine/base/bytes.h"

void cli_base64_append(struct buf *buf, struct bytes data);

/* False when the text is not base64; `buf` may then hold a part of it. */
bool cli_base64_decode(struct buf *buf, struct bytes text);

#endif /* SDK_CLI_BASE64_H */
