#include "engine/driver/transcript.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "engine/driver/fleet.h"

#define TAIL_SLACK_BYTES ((size_t)4 * TRANSCRIPT_TAIL_BYTES)

static int64_t epoch_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Only the end is kept, but not every line may move it. */
static void append_tail(struct invocation *invocation, struct bytes text)
{
    struct buf *tail = &invocation->log_tail;

    if (text.len > TRANSCRIPT_TAIL_BYTES) {
        text.data += text.len - TRANSCRIPT_TAIL_BYTES;
        text.len = TRANSCRIPT_TAIL_BYTES;
    }
    buf_append(tail, text.data, text.len);
    buf_append(tail, "\n", 1);
    tail->failed = false;
    if (tail->len > TAIL_SLACK_BYTES) {
        buf_consume(tail, tail->len - TRANSCRIPT_TAIL_BYTES);
    }
}

struct bytes invocation_log_tail(const struct invocation *invocation)
{
    struct bytes tail = buf_bytes(&invocation->log_tail);

    if (tail.len > TRANSCRIPT_TAIL_BYTES) {
        tail.data += tail.len - TRANSCRIPT_TAIL_BYTES;
        tail.len = TRANSCRIPT_TAIL_BYTES;
    }
    return tail;
}

static void append(struct place *place, struct invocation *invocation, struct bytes request_id,
                   const char *level, struct bytes operation_id, struct bytes text)
{
    struct log_entry entry = {
        .time_ms = epoch_ms(),
        .function = bytes_of_text(place->revision->function->name),
        .request_id = request_id,
        .level = bytes_of_text(level),
        .operation_id = operation_id,
        .message = text,
    };

    if (invocation != NULL) {
        entry.execution = invocation->execution;
        if (invocation->wants_log_tail) {
            append_tail(invocation, text);
        }
    }
    logs_append(place->pool->logs, &entry);
}

void transcript_line(struct place *place, struct invocation *invocation, const char *level,
                     struct bytes operation_id, struct bytes text)
{
    char id[ID_TEXT_LEN + 1];
    struct bytes request_id = {0};

    if (invocation != NULL) {
        id_format(&invocation->request_id, id);
        request_id = bytes_of(id, ID_TEXT_LEN);
    }
    append(place, invocation, request_id, level, operation_id, text);
}

/* These two are on the way of every invocation: no formatting but of its id. */
#define START_TEXT "START RequestId: "
#define START_LEN (sizeof START_TEXT - 1)
#define VERSION_TEXT " Version: "
#define VERSION_LEN (sizeof VERSION_TEXT - 1)
#define QUALIFIER_MAX 16U
#define END_TEXT "END RequestId: "
#define END_LEN (sizeof END_TEXT - 1)

void transcript_start(struct place *place, struct invocation *invocation)
{
    char text[START_LEN + ID_TEXT_LEN + VERSION_LEN + QUALIFIER_MAX] = START_TEXT;
    struct bytes version = bytes_of_text(place->revision->qualifier);
    char *id = text + START_LEN;
    char *end = id + ID_TEXT_LEN + VERSION_LEN;

    assert(version.len <= QUALIFIER_MAX);
    id_format(&invocation->request_id, id);
    memcpy(id + ID_TEXT_LEN, VERSION_TEXT, VERSION_LEN);
    memcpy(end, version.data, version.len);
    append(place, invocation, bytes_of(id, ID_TEXT_LEN), "PLATFORM", bytes_of(NULL, 0),
           bytes_of(text, (size_t)(end - text) + version.len));
}

/* What it used of memory is known only when the environment has ended: it is not said. */
static int format_report(struct place *place, const struct invocation *invocation, const char *id,
                         char *text, size_t size)
{
    int64_t us = (int64_t)(uv_hrtime() / 1000) - invocation->start_us;
    int len = snprintf(text, size,
                       "REPORT RequestId: %s\tDuration: %" PRId64
                       ".%02d ms\tBilled Duration: %" PRId64 " ms\tMemory Size: %u MB",
                       id, us / 1000, (int)(us % 1000 / 10), (us + 999) / 1000,
                       place->revision->config.memory_mb);

    if (place->init_us != 0) {
        len += snprintf(text + len, size - (size_t)len, "\tInit Duration: %" PRId64 ".%02d ms",
                        place->init_us / 1000, (int)(place->init_us % 1000 / 10));
        place->init_us = 0;
    }
    return len;
}

void transcript_end(struct place *place, struct invocation *invocation)
{
    char text[END_LEN + ID_TEXT_LEN + 1] = END_TEXT;
    char *id = text + END_LEN;
    char report[256];
    int len;

    id_format(&invocation->request_id, id);
    append(place, invocation, bytes_of(id, ID_TEXT_LEN), "PLATFORM", bytes_of(NULL, 0),
           bytes_of(text, sizeof text - 1));
    len = format_report(place, invocation, id, report, sizeof report);
    append(place, invocation, bytes_of(id, ID_TEXT_LEN), "PLATFORM", bytes_of(NULL, 0),
           bytes_of(report, (size_t)len));
}
