/* A table of text with aligned columns, as `pawl executions` prints it.
 *
 * Rows gather until cli_grid_print(), which may be called again and again: the header
 * comes once and columns only grow, so the rows of a stream stay aligned. On a
 * terminal a row is cut to its width, the widest columns first. */
#ifndef SDK_CLI_GRID_H
#define SDK_CLI_GRID_H

#include "engine/base/bytes.h"
#include "sdk/cli/session.h"

#define CLI_GRID_COLUMNS_MAX 12

struct cli_grid_cell {
    size_t start; /* in text */
    size_t len;
    size_t columns;
    enum cli_color color;
};

struct cli_grid {
    const char *titles[CLI_GRID_COLUMNS_MAX]; /* a '>' before a title: aligned right */
    size_t widths[CLI_GRID_COLUMNS_MAX];
    size_t column_count;
    struct buf cells; /* of struct cli_grid_cell */
    size_t cell_count;
    struct buf text;
    bool has_header;
};

/* `titles` ends with NULL and outlives the grid. */
void cli_grid_init(struct cli_grid *grid, const char *const *titles);
void cli_grid_fini(struct cli_grid *grid);

/* The next cell from left to right, top to bottom. An empty text is shown as '-'. */
void cli_grid_add(struct cli_grid *grid, enum cli_color color, const char *text);
void cli_grid_printf(struct cli_grid *grid, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints the rows added since the last call; memory that ran out is reported here. */
int cli_grid_print(struct cli_grid *grid, struct cli_session *session);

#endif /* SDK_CLI_GRID_H */
