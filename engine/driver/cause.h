/* Why an environment ended, in Lambda's words. */
#ifndef ENGINE_DRIVER_CAUSE_H
#define ENGINE_DRIVER_CAUSE_H

#include "engine/base/id.h"
#include "runtime/launcher.h"

/* Returns the error type; `text` is what follows "RequestId: ID Error: ". */
const char *cause_of_end(const struct environment_end *end, char *text, size_t size);

/* "RequestId: ID Error: CAUSE", as Lambda words what a caller is told. */
void cause_format_message(const struct id *request_id, const char *cause, char *text, size_t size);

#endif /* ENGINE_DRIVER_CAUSE_H */
