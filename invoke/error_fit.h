/* Errors of any size, as history keeps them: in OP_ERROR_BYTES_MAX bytes of JSON, the limit
 * that a checkpoint's errors have. A handler's error may be as large as its response, but it
 * is what went wrong that counts: it must not make the execution fail in another way. */
#ifndef INVOKE_ERROR_FIT_H
#define INVOKE_ERROR_FIT_H

#include "engine/base/arena.h"
#include "sdk/wire/wire.h"

/* Lines of the stack go first, the last ones first; then the data; then the end of the
 * message, with a mark in its place, and of the type. What fits is untouched. False: out of
 * memory. */
bool error_fit(struct error_object *error, struct arena *arena);

#endif /* INVOKE_ERROR_FIT_H */
