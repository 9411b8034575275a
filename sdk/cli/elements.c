#include "sdk/cli/elements.h"

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void skip_space(struct cli_elements *elements)
{
    while (elements->at < elements->body.len && is_space(elements->body.data[elements->at])) {
        elements->at++;
    }
}

/* The byte at the place, after any space; 0 at the end. */
static uint8_t peek(struct cli_elements *elements)
{
    skip_space(elements);
    return (elements->at < elements->body.len) ? elements->body.data[elements->at] : 0;
}

static void skip_string(struct cli_elements *elements)
{
    const uint8_t *data = elements->body.data;

    for (elements->at++; elements->at < elements->body.len; elements->at++) {
        if (data[elements->at] == '\\') {
            elements->at++;
        } else if (data[elements->at] == '"') {
            elements->at++;
            return;
        }
    }
}

/* To the byte behind the value that starts here. */
static void skip_value(struct cli_elements *elements)
{
    size_t depth = 0;

    while (elements->at < elements->body.len) {
        uint8_t byte = elements->body.data[elements->at];

        if (depth == 0 && (byte == ',' || byte == ']' || byte == '}')) {
            return;
        }
        if (byte == '"') {
            skip_string(elements);
            continue;
        }
        depth += (byte == '[' || byte == '{') ? 1 : 0;
        depth -= (byte == ']' || byte == '}') ? 1 : 0;
        elements->at++;
    }
}

static struct bytes take_value(struct cli_elements *elements)
{
    size_t start;
    size_t end;

    skip_space(elements);
    start = elements->at;
    skip_value(elements);
    end = (elements->at < elements->body.len) ? elements->at : elements->body.len;
    while (end > start && is_space(elements->body.data[end - 1])) {
        end--;
    }
    return bytes_of(elements->body.data + start, end - start);
}

static struct bytes take_key(struct cli_elements *elements)
{
    size_t start = elements->at + 1;

    skip_string(elements);
    return bytes_of(elements->body.data + start, elements->at - start - 1);
}

bool cli_elements_find(struct cli_elements *elements, struct bytes body, const char *member)
{
    *elements = (struct cli_elements){.body = body};
    if (peek(elements) != '{') {
        return false;
    }
    elements->at++;
    while (peek(elements) == '"') {
        bool is_wanted = bytes_equal(take_key(elements), bytes_of_text(member));

        if (peek(elements) != ':') {
            return false;
        }
        elements->at++;
        if (is_wanted) {
            bool is_array = peek(elements) == '[';

            elements->at++;
            return is_array;
        }
        (void)take_value(elements);
        if (peek(elements) == ',') {
            elements->at++;
        }
    }
    return false;
}

bool cli_elements_next(struct cli_elements *elements, struct bytes *ret_element)
{
    if (peek(elements) == ',') {
        elements->at++;
    }
    if (peek(elements) == ']' || peek(elements) == 0) {
        return false;
    }
    *ret_element = take_value(elements);
    return ret_element->len > 0;
}
