#include "sdk/cli/grid.h"

#include <assert.h>
#include <stdarg.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/text.h"

#define CELL_BYTES_MAX 2048
#define GAP 2 /* spaces between columns */
#define SHRUNK_MIN 6

void cli_grid_init(struct cli_grid *grid, const char *const *titles)
{
    *grid = (struct cli_grid){0};
    for (; titles[grid->column_count] != NULL; grid->column_count++) {
        assert(grid->column_count < CLI_GRID_COLUMNS_MAX);
        grid->titles[grid->column_count] = titles[grid->column_count];
    }
}

void cli_grid_fini(struct cli_grid *grid)
{
    buf_fini(&grid->cells);
    buf_fini(&grid->text);
}

void cli_grid_add(struct cli_grid *grid, enum cli_color color, const char *text)
{
    struct cli_grid_cell cell = {.start = grid->text.len, .color = color};
    size_t column = grid->cell_count % grid->column_count;

    cli_text_append_clean(&grid->text, bytes_of_text((text[0] != '\0') ? text : "-"));
    cell.len = grid->text.len - cell.start;
    if (cell.len > 0) {
        cell.columns = cli_text_width(bytes_of(grid->text.data + cell.start, cell.len));
    }
    buf_append(&grid->cells, &cell, sizeof cell);
    grid->cell_count++;
    if (cell.columns > grid->widths[column]) {
        grid->widths[column] = cell.columns;
    }
}

void cli_grid_printf(struct cli_grid *grid, const char *format, ...)
{
    char text[CELL_BYTES_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_grid_add(grid, COLOR_NONE, text);
}

static bool is_right(const struct cli_grid *grid, size_t column)
{
    return grid->titles[column][0] == '>';
}

static const char *title_of(const struct cli_grid *grid, size_t column)
{
    return grid->titles[column] + (is_right(grid, column) ? 1 : 0);
}

/* Takes columns from the widest until a row fits; narrow ones keep SHRUNK_MIN. */
static void fit_widths(const struct cli_grid *grid, size_t width, size_t *widths)
{
    size_t sum = GAP * (grid->column_count - 1);

    for (size_t i = 0; i < grid->column_count; i++) {
        size_t title = strlen(title_of(grid, i));

        widths[i] = (grid->widths[i] > title) ? grid->widths[i] : title;
        sum += widths[i];
    }
    while (width != 0 && sum > width) {
        size_t widest = 0;

        for (size_t i = 1; i < grid->column_count; i++) {
            widest = (widths[i] >= widths[widest]) ? i : widest;
        }
        if (widths[widest] <= SHRUNK_MIN) {
            return;
        }
        widths[widest]--;
        sum--;
    }
}

static void append_spaces(struct buf *line, size_t count)
{
    buf_printf(line, "%*s", (int)count, "");
}

struct shape {
    const struct cli_session *session;
    size_t width;
    bool is_right;
    bool is_last;
};

static void append_cell(struct buf *line, const struct shape *shape, struct bytes text,
                        size_t columns, enum cli_color color)
{
    const char *paint = (color != COLOR_NONE) ? cli_session_color(shape->session, color) : "";
    const char *more = "";
    size_t pad;

    if (columns > shape->width && shape->session->width != 0) {
        more = shape->session->is_utf8 ? "…" : "~";
        text = cli_text_fit(text, shape->width - 1);
        columns = cli_text_width(text) + 1;
    }
    pad = (shape->width > columns) ? shape->width - columns : 0;
    append_spaces(line, shape->is_right ? pad : 0);
    buf_append_text(line, paint);
    buf_append(line, text.data, text.len);
    buf_append_text(line, more);
    buf_append_text(line, (paint[0] != '\0') ? cli_session_color(shape->session, COLOR_NONE) : "");
    append_spaces(line, shape->is_last ? 0 : GAP + (shape->is_right ? 0 : pad));
}

static struct shape shape_of(const struct cli_grid *grid, const struct cli_session *session,
                             const size_t *widths, size_t column)
{
    return (struct shape){.session = session,
                          .width = widths[column],
                          .is_right = is_right(grid, column),
                          .is_last = column + 1 == grid->column_count};
}

static void append_header(struct buf *lines, const struct cli_grid *grid,
                          const struct cli_session *session, const size_t *widths)
{
    for (size_t i = 0; i < grid->column_count; i++) {
        struct shape shape = shape_of(grid, session, widths, i);
        struct bytes title = bytes_of_text(title_of(grid, i));

        append_cell(lines, &shape, title, title.len, COLOR_BOLD);
    }
    buf_append_text(lines, "\n");
}

static void append_rows(struct buf *lines, const struct cli_grid *grid,
                        const struct cli_session *session, const size_t *widths)
{
    for (size_t i = 0; i < grid->cell_count; i++) {
        struct shape shape = shape_of(grid, session, widths, i % grid->column_count);
        struct cli_grid_cell cell;

        memcpy(&cell, grid->cells.data + i * sizeof cell, sizeof cell);
        append_cell(lines, &shape, bytes_of(grid->text.data + cell.start, cell.len), cell.columns,
                    cell.color);
        if (shape.is_last) {
            buf_append_text(lines, "\n");
        }
    }
}

int cli_grid_print(struct cli_grid *grid, struct cli_session *session)
{
    size_t widths[CLI_GRID_COLUMNS_MAX];
    struct buf lines = {0};
    bool has_failed = grid->cells.failed || grid->text.failed;

    assert(has_failed || grid->cell_count % grid->column_count == 0);
    if (!has_failed) {
        fit_widths(grid, session->width, widths);
        if (!grid->has_header) {
            append_header(&lines, grid, session, widths);
        }
        append_rows(&lines, grid, session, widths);
        has_failed = lines.failed;
    }
    if (!has_failed && lines.len > 0) {
        (void)fwrite(lines.data, 1, lines.len, session->out);
    }
    buf_fini(&lines);
    grid->has_header = true;
    grid->cell_count = 0;
    grid->cells.len = 0;
    grid->text.len = 0;
    return has_failed ? cli_complain_memory() : 0;
}
