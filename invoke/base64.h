/* Base64 with padding (RFC 4648 section 4): blobs inside JSON and in headers. */
#ifndef INVOKE_BASE64_H
#define INVOKE_BASE64_H

#include "engine/base/bytes.h"

void base64_append(struct buf *buf, struct bytes data);

/* Appends what `text` stands for. False when it is not base64, to the bit: `buf` may
 * then hold a part. */
bool base64_decode(struct buf *buf, struct bytes text);

#endif /* INVOKE_BASE64_H */
