#include <stdarg.h>
#include <stdio.h>

#include "sdk/lib/context.h"

#define LINE_MAX ((size_t)256 * 1024)

void pawl_log_replays(struct pawl_context *ctx, bool is_wanted)
{
    ctx->logs_replays = is_wanted;
}

static void send_line(struct pawl_context *ctx, enum pawl_level level, const char *text, size_t len)
{
    struct wire_log line = {
        .level = (uint32_t)level,
        .text = bytes_of(text, (len < LINE_MAX) ? len : LINE_MAX),
        .operation_id = bytes_of_text(ctx->id),
        .attempt = ctx->attempt,
    };
    struct out *out = &ctx->inv->service->out;
    struct buf *buf = out_lock(out);
    size_t begun = frame_begin(buf, WIRE_LOG, ctx->inv->number);

    wire_put_log(buf, &line);
    frame_end(buf, begun);
    out_unlock(out);
    out_flush(out);
}

/* Formatted on the stack where it fits: logs do not fill the invocation's memory. */
void pawl_log(struct pawl_context *ctx, enum pawl_level level, const char *format, ...)
{
    struct buf large = {0};
    char small[512];
    va_list args;
    int len;

    if (!ctx->logs_replays && pawl_is_replaying(ctx)) {
        return;
    }
    va_start(args, format);
    len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (len < 0) {
        return;
    }
    if ((size_t)len < sizeof small) {
        send_line(ctx, level, small, (size_t)len);
        return;
    }
    if (buf_reserve(&large, (size_t)len + 1) != NULL) {
        va_start(args, format);
        (void)vsnprintf((char *)large.data, (size_t)len + 1, format, args);
        va_end(args);
        send_line(ctx, level, (const char *)large.data, (size_t)len);
    }
    buf_fini(&large);
}
