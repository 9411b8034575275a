#include "sdk/cli/path.h"

#include <inttypes.h>
#include <stdio.h>

/* RFC 3986 section 2.3. */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* "." and ".." as a whole label would be taken for steps in the path. */
void cli_path_append_segment(struct buf *path, const char *label)
{
    bool is_dots = strcmp(label, ".") == 0 || strcmp(label, "..") == 0;

    for (; *label != '\0'; label++) {
        if (is_unreserved(*label) && !is_dots) {
            buf_append(path, label, 1);
        } else {
            buf_printf(path, "%%%02X", (unsigned)(unsigned char)*label);
        }
    }
}

void cli_path_append_query(struct buf *path, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    if (path->len > 0 && memchr(path->data, '?', path->len) != NULL) {
        buf_append_text(path, "&");
    } else {
        buf_append_text(path, "?");
    }
    buf_append_text(path, key);
    buf_append_text(path, "=");
    cli_path_append_segment(path, value);
}

void cli_path_append_query_number(struct buf *path, const char *key, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, value);
    cli_path_append_query(path, key, text);
}

void cli_path_append_execution(struct buf *path, const char *arn, const char *rest)
{
    buf_append_text(path, "/2025-12-01/durable-executions/");
    cli_path_append_segment(path, arn);
    buf_append_text(path, rest);
}

void cli_path_append_function(struct buf *path, const char *name, const char *rest)
{
    buf_append_text(path, "/2015-03-31/functions/");
    cli_path_append_segment(path, name);
    buf_append_text(path, rest);
}
