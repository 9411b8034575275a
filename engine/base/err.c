#include "engine/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/log.h"

static void log_origin(int code, const char *file, int line, const char *text)
{
    log_error("%s: %s (%s:%d)", text, err_text(code), file, line);
}

static err_sink current_sink = log_origin;

void err_set_sink(err_sink sink)
{
    current_sink = (sink != NULL) ? sink : log_origin;
}

const char *err_text(int code)
{
    switch (code) {
    case ERR_OK:
        return "success";
#define X(name, text)                                                                              \
    case ERR_##name:                                                                               \
        return text;
        ERR_MAP(X)
#undef X
    default:
        return "unknown error";
    }
}

void err_origin(int code, const char *file, int line, const char *format, ...)
{
    char text[256];
    va_list args;

    assert(code < 0);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    current_sink(code, file, line, text);
}
