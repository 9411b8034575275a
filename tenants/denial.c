#include "tenants/denial.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    int status;
    const char *name;
} reasons[DENIALS] = {
#define X(reason, code, text) [DENIAL_##reason] = {(code), (text)},
    DENIAL_MAP(X)
#undef X
};

bool denial_set(struct denial *denial, enum denial_reason reason, const char *format, ...)
{
    va_list args;

    denial->reason = reason;
    denial->status = reasons[reason].status;
    denial->name = reasons[reason].name;
    va_start(args, format);
    (void)vsnprintf(denial->message, sizeof denial->message, format, args);
    va_end(args);
    return false;
}
