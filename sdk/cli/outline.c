#include "sdk/cli/outline.h"

#include <stdlib.h>
#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/text.h"
#include "sdk/cli/when.h"

#define INDENT 2
#define REAL_DIGITS 15 /* enough for milliseconds of an epoch, few enough to look right */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* A value on one line; times of Lambda's are written as times. */
static void append_value(struct buf *buf, const struct cli_session *session, const char *key,
                         const json_t *value)
{
    char when[CLI_WHEN_TEXT_MAX];
    char *dumped;

    if (json_is_string(value)) {
        cli_text_append_clean(buf, bytes_of_text(json_string_value(value)));
        return;
    }
    if (json_is_number(value) && ends_with(key, "Timestamp")) {
        json_t *wrapped = json_pack("{s:O}", "t", value);

        buf_append_text(
            buf, cli_when_format(when, cli_member_time_ms(wrapped, "t"), session->is_terminal));
        json_decref(wrapped);
        return;
    }
    dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS));
    cli_text_append_clean(buf, bytes_of_text(dumped));
    free(dumped); /* jansson's */
}

static size_t key_width(const json_t *object)
{
    const char *key;
    json_t *value;
    size_t width = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t here = cli_text_width(bytes_of_text(key));

        width = (here > width && !json_is_object(value)) ? here : width;
    }
    return width;
}

static bool is_table(const json_t *value)
{
    return json_is_array(value) && json_array_size(value) > 0 &&
           json_is_object(json_array_get(value, 0));
}

/* The members of the first object are the columns. */
static int print_table(struct cli_session *session, const json_t *list)
{
    const char *titles[CLI_GRID_COLUMNS_MAX + 1] = {0};
    json_t *first = json_array_get(list, 0);
    struct cli_grid grid;
    const char *key;
    json_t *value;
    size_t count = 0;
    size_t i;
    int r;

    json_object_foreach(first, key, value)
    {
        if (count < CLI_GRID_COLUMNS_MAX) {
            titles[count++] = key;
        }
    }
    cli_grid_init(&grid, titles);
    json_array_foreach(list, i, value)
    {
        for (size_t column = 0; column < count; column++) {
            struct buf text = {0};
            const json_t *member = cli_member(value, titles[column]);

            if (member != NULL) {
                append_value(&text, session, titles[column], member);
            }
            buf_append(&text, "", 1);
            cli_grid_add(&grid, COLOR_NONE, text.failed ? "" : (const char *)text.data);
            buf_fini(&text);
        }
    }
    r = cli_grid_print(&grid, session);
    cli_grid_fini(&grid);
    return r;
}

static int print_object(struct cli_session *session, const json_t *object, int depth);

static int print_member(struct cli_session *session, const char *key, const json_t *value,
                        size_t width, int depth)
{
    struct buf line = {0};
    int r = 0;

    buf_printf(&line, "%*s", depth * INDENT, "");
    cli_text_append_clean(&line, bytes_of_text(key));
    if (is_table(value) || (json_is_object(value) && json_object_size(value) > 0)) {
        buf_append_text(&line, ":\n");
    } else {
        size_t used = cli_text_width(bytes_of_text(key));

        buf_printf(&line, "%*s", (int)((used < width) ? width - used + 2 : 2), "");
        append_value(&line, session, key, value);
        buf_append_text(&line, "\n");
    }
    if (line.failed) {
        r = cli_complain_memory();
    } else {
        (void)fwrite(line.data, 1, line.len, session->out);
    }
    buf_fini(&line);
    if (r == 0 && is_table(value)) {
        return print_table(session, value);
    }
    return (r == 0 && json_is_object(value)) ? print_object(session, value, depth + 1) : r;
}

static int print_object(struct cli_session *session, const json_t *object, int depth)
{
    size_t width = key_width(object);
    const char *key;
    json_t *value;
    int r = 0;

    if (depth > CLI_OUTLINE_DEPTH_MAX) {
        return 0;
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        r = (r == 0) ? print_member(session, key, value, width, depth) : r;
    }
    return r;
}

int cli_outline_print(struct cli_session *session, const json_t *object)
{
    return print_object(session, object, 0);
}
