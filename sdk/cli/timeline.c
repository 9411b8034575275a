/* From operations and spans to lines of text. */
#include "sdk/cli/timeline.h"

#include <inttypes.h>
#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/text.h"
#include "sdk/cli/timeline_build.h"
#include "sdk/cli/when.h"

#define INDENT 2
#define DEPTH_SHOWN_MAX 12
#define BAR_MIN 16
#define TYPE_COLUMNS 9  /* "execution" */
#define NOTE_COLUMNS 32 /* "12.3 s  SUCCEEDED, 2 attempts" */
#define GAP 2

/* One character wide each. */
static const struct {
    const char *utf8;
    const char *ascii;
} marks[SPAN_COUNT] = {
    [SPAN_RUN] = {"█", "#"},    [SPAN_WAIT] = {"·", "."},    [SPAN_CALLBACK] = {"░", ":"},
    [SPAN_INVOKE] = {"▒", "%"}, [SPAN_CONTEXT] = {"─", "-"},
};

struct picture {
    const struct cli_timeline *timeline;
    const struct cli_session *session;
    struct buf *out;
    int64_t start_ms;
    int64_t end_ms;
    int64_t now_ms;
    size_t label_columns;
    size_t bar_columns;
};

static size_t depth_of(const struct cli_timeline *timeline, size_t place)
{
    size_t depth = 0;

    while (depth < DEPTH_SHOWN_MAX && timeline->operations[place].parent != NO_INDEX &&
           timeline->operations[place].parent != 0) {
        place = timeline->operations[place].parent;
        depth++;
    }
    return depth;
}

/* Depth first, children in the order of their start; NO_INDEX at the end. */
static size_t next_row(const struct cli_timeline *timeline, size_t place)
{
    const struct cli_operation *operations = timeline->operations;

    if (operations[place].first_child != NO_INDEX) {
        return operations[place].first_child;
    }
    while (place != NO_INDEX && operations[place].next_sibling == NO_INDEX) {
        place = operations[place].parent;
    }
    return (place != NO_INDEX) ? operations[place].next_sibling : NO_INDEX;
}

static void append_columns(struct buf *out, const char *text, size_t columns)
{
    struct buf clean = {0};
    struct bytes fit;

    cli_text_append_clean(&clean, bytes_of_text(text));
    fit = cli_text_fit(buf_bytes(&clean), columns);
    buf_append(out, fit.data, fit.len);
    buf_printf(out, "%*s", (int)(columns - cli_text_width(fit)), "");
    out->failed = out->failed || clean.failed;
    buf_fini(&clean);
}

static void append_label(const struct picture *picture, size_t place)
{
    size_t indent = depth_of(picture->timeline, place) * INDENT;

    indent = (indent < picture->label_columns / 2) ? indent : picture->label_columns / 2;
    buf_printf(picture->out, "%*s", (int)indent, "");
    append_columns(picture->out, picture->timeline->operations[place].name,
                   picture->label_columns - indent);
}

/* The cell in which a time lies. */
static size_t cell_of(const struct picture *picture, int64_t time_ms)
{
    int64_t total_ms = picture->end_ms - picture->start_ms;
    int64_t past_ms = time_ms - picture->start_ms;

    if (total_ms <= 0 || past_ms <= 0) {
        return 0;
    }
    if (past_ms >= total_ms) {
        return picture->bar_columns - 1;
    }
    return (size_t)((double)past_ms * (double)picture->bar_columns / (double)total_ms);
}

/* Later spans win a cell they share, but a run is never hidden behind its wait. */
static void fill_cells(const struct picture *picture, const struct cli_operation *operation,
                       uint8_t *cells)
{
    for (size_t i = operation->first_span; i != NO_INDEX; i = picture->timeline->spans[i].next) {
        const struct cli_span *span = &picture->timeline->spans[i];
        int64_t end_ms = (span->end_ms >= 0) ? span->end_ms : picture->now_ms;
        size_t first = cell_of(picture, span->start_ms);
        size_t last = cell_of(picture, (end_ms > span->start_ms) ? end_ms - 1 : span->start_ms);

        for (size_t cell = first; cell <= last; cell++) {
            if (cells[cell] != SPAN_RUN + 1 || span->kind != SPAN_WAIT) {
                cells[cell] = (uint8_t)(span->kind + 1);
            }
        }
    }
}

static void append_bar(const struct picture *picture, const struct cli_operation *operation)
{
    uint8_t cells[1024] = {0}; /* 0: nothing, else a span kind + 1 */
    size_t used = 0;

    fill_cells(picture, operation, cells);
    for (size_t i = 0; i < picture->bar_columns; i++) {
        used = (cells[i] != 0) ? i + 1 : used;
    }
    buf_append_text(picture->out,
                    cli_session_color(picture->session, cli_status_color(operation->status)));
    for (size_t i = 0; i < used; i++) {
        if (cells[i] == 0) {
            buf_append_text(picture->out, " ");
        } else {
            buf_append_text(picture->out, picture->session->is_utf8 ? marks[cells[i] - 1].utf8
                                                                    : marks[cells[i] - 1].ascii);
        }
    }
    buf_append_text(picture->out, cli_session_color(picture->session, COLOR_NONE));
    buf_printf(picture->out, "%*s", (int)(picture->bar_columns - used + GAP), "");
}

static void append_note(const struct picture *picture, const struct cli_operation *operation)
{
    int64_t end_ms = (operation->end_ms >= 0) ? operation->end_ms : picture->now_ms;
    char text[CLI_WHEN_TEXT_MAX];

    append_columns(picture->out, cli_duration_format(text, end_ms - operation->start_ms), 6);
    buf_printf(picture->out, "  %s", operation->status);
    if (operation->attempts > 1) {
        buf_printf(picture->out, ", %" PRId64 " attempts", operation->attempts);
    }
    buf_append_text(picture->out, "\n");
}

static void append_row(const struct picture *picture, size_t place)
{
    const struct cli_operation *operation = &picture->timeline->operations[place];

    append_label(picture, place);
    buf_printf(picture->out, "%*s", GAP, "");
    append_columns(picture->out, cli_operation_type_name(operation->type), TYPE_COLUMNS);
    buf_printf(picture->out, "%*s", GAP, "");
    append_bar(picture, operation);
    append_note(picture, operation);
}

/* The line of the execution itself: the scale. */
static void append_scale(const struct picture *picture)
{
    const struct cli_operation *execution = &picture->timeline->operations[0];
    char text[CLI_WHEN_TEXT_MAX];
    size_t len;

    append_label(picture, 0);
    buf_printf(picture->out, "%*s", GAP, "");
    append_columns(picture->out, cli_operation_type_name(TYPE_EXECUTION), TYPE_COLUMNS);
    len = strlen(cli_duration_format(text, picture->end_ms - picture->start_ms));
    buf_printf(picture->out, "%*s0%*s%s%*s", GAP, "", (int)(picture->bar_columns - 1 - len), "",
               text, GAP, "");
    buf_printf(picture->out, "%s%s%s\n",
               cli_session_color(picture->session, cli_status_color(execution->status)),
               execution->status, cli_session_color(picture->session, COLOR_NONE));
}

/* Of all rows, also those beyond the limit: one pass, no drawing. */
static void measure(struct picture *picture, size_t width)
{
    size_t rest = TYPE_COLUMNS + NOTE_COLUMNS + 3 * GAP;
    size_t label = 8;

    for (size_t i = 0; i < picture->timeline->count; i++) {
        const struct cli_operation *operation = &picture->timeline->operations[i];
        size_t here = cli_text_width(bytes_of_text(operation->name)) +
                      depth_of(picture->timeline, i) * INDENT;

        label = (here > label) ? here : label;
        if (operation->end_ms > picture->end_ms) {
            picture->end_ms = operation->end_ms;
        }
    }
    label = (label > width / 3) ? width / 3 : label;
    picture->label_columns = label;
    picture->bar_columns = (width > label + rest + BAR_MIN) ? width - label - rest : BAR_MIN;
}

int cli_timeline_draw(struct cli_timeline *timeline, const struct cli_session *session,
                      size_t width, int64_t now_ms, struct buf *out)
{
    struct picture picture = {
        .timeline = timeline, .session = session, .out = out, .now_ms = now_ms};
    size_t rows = 0;

    if (timeline->has_failed) {
        return cli_complain_memory();
    }
    if (timeline->count == 0) {
        return 0;
    }
    picture.start_ms = timeline->operations[0].start_ms;
    picture.end_ms = timeline->operations[0].end_ms;
    if (picture.end_ms < 0) {
        picture.end_ms = now_ms;
    } else {
        picture.now_ms = picture.end_ms; /* what was open then stays so for ever */
    }
    measure(&picture, (width < 1024) ? width : 1023);
    append_scale(&picture);
    for (size_t i = next_row(timeline, 0); i != NO_INDEX && rows < CLI_TIMELINE_ROWS_MAX; rows++) {
        append_row(&picture, i);
        i = next_row(timeline, i);
    }
    if (timeline->count - 1 > rows) {
        buf_printf(out, "... and %zu more operations\n", timeline->count - 1 - rows);
    }
    return out->failed ? cli_complain_memory() : 0;
}
