#include "bench/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool value_of(const char *line, const char *end, const char *name, const char **ret_value)
{
    size_t len = strlen(name);

    if ((size_t)(end - line) <= len || strncasecmp(line, name, len) != 0) {
        return false;
    }
    *ret_value = line + len;
    while (*ret_value < end && **ret_value == ' ') {
        ++*ret_value;
    }
    return true;
}

static void parse_line(const char *line, const char *end, struct answer *answer)
{
    const char *value;

    if (value_of(line, end, "content-length:", &value)) {
        answer->body_len = strtoul(value, NULL, 10);
    } else if (value_of(line, end, "x-amz-durable-execution-arn:", &value)) {
        answer->arn = value;
        answer->arn_len = (size_t)(end - value);
    } else if (value_of(line, end, "x-amz-function-error:", &value)) {
        answer->is_function_error = true;
    }
}

int answer_parse(const char *text, size_t len, struct answer *ret_answer)
{
    struct answer answer = {0};
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    const char *line = text;

    if (end == NULL) {
        return 0;
    }
    answer.head_len = (size_t)(end - text) + 4;
    if (strncmp(line, "HTTP/1.1 ", 9) != 0) {
        return -1;
    }
    answer.status = (unsigned)strtoul(line + 9, NULL, 10);
    while (line < end + 2) {
        const char *stop = memchr(line, '\r', (size_t)(end + 2 - line));

        parse_line(line, stop, &answer);
        line = stop + 2;
    }
    *ret_answer = answer;
    return len >= answer.head_len + answer.body_len ? 1 : 0;
}
