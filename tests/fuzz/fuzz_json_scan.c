/* The scan and a parser that builds a tree agree on what JSON is, but for the scan's
 * depth and what the parser cannot hold (numbers, halves of surrogate pairs). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json_scan.h"
#include "tests/fuzz/target.h"

static const struct json_limits small_limits = {.tokens_max = 20, .number_chars_max = 6};

/* What jansson refuses although it is JSON. */
static bool is_refused_by_design(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_numeric_overflow || strstr(error->text, "surrogate") != NULL ||
           strstr(error->text, "invalid Unicode") != NULL ||
           strstr(error->text, "too big integer") != NULL ||
           strstr(error->text, "real number overflow") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    struct json_problem problem = {0};
    bool is_json = json_scan(text, &json_limits_payload, &problem);
    json_error_t error;
    json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool has_tree = tree != NULL;

    json_decref(tree);
    if (!is_json && problem.offset > size) {
        abort();
    }
    /* A zero byte behind a value is the end of the text to jansson, and to us not. */
    if (has_tree && !is_json && strstr(problem.text, "deeply") == NULL &&
        memchr(data, 0, size) == NULL) {
        (void)fprintf(stderr, "jansson takes it, we do not: %s at %zu\n", problem.text,
                      problem.offset);
        abort();
    }
    if (is_json && !has_tree && !is_refused_by_design(&error)) {
        (void)fprintf(stderr, "we take it, jansson does not: %s\n", error.text);
        abort();
    }
    if (json_scan(text, &small_limits, NULL) && !is_json) {
        abort(); /* limits only take away */
    }
    return 0;
}
