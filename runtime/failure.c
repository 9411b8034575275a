#include "runtime/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_errno(struct failure *failure, const char *format, ...)
{
    int error = errno;
    char step[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(step, sizeof step, format, args);
    va_end(args);
    (void)snprintf(failure->text, sizeof failure->text, "%s: %s", step, strerror(error));
    return FAILURE_E_SET;
}

int failure_text(struct failure *failure, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(failure->text, sizeof failure->text, format, args);
    va_end(args);
    return FAILURE_E_SET;
}
