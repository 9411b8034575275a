#include "engine/driver/lineage.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "engine/base/percent.h"
#include "engine/driver/setting.h"

#define FIELD "Lineage="
#define NUMBER_LEN 8U /* digits of a function */
#define RUNS_LEN 5U
#define RUNS_MAX 99999U
#define ANCESTORS_MAX (LINEAGE_TRACE_MAX / (NUMBER_LEN + 2)) /* "a87bd80c:1" */
#define LINEAGE_TEXT_MAX (sizeof FIELD + ANCESTORS_MAX * (NUMBER_LEN + RUNS_LEN + 2))

struct ancestor {
    uint32_t number;
    uint32_t runs;
};

/* Those of a header, in their order. */
struct lineage {
    struct ancestor ancestors[ANCESTORS_MAX];
    size_t count;
};

static uint32_t number_of(const struct id *function_id)
{
    return (uint32_t)id_hash(function_id);
}

/* Takes what stands before the mark off `rest`. */
static struct bytes take(struct bytes *rest, char mark)
{
    const uint8_t *end = (rest->len > 0) ? memchr(rest->data, mark, rest->len) : NULL;
    struct bytes taken = *rest;

    if (end == NULL) {
        *rest = (struct bytes){0};
        return taken;
    }
    taken.len = (size_t)(end - rest->data);
    *rest = bytes_of(end + 1, rest->len - taken.len - 1);
    return taken;
}

static bool is_lineage(struct bytes field)
{
    return field.len >= sizeof FIELD - 1 && memcmp(field.data, FIELD, sizeof FIELD - 1) == 0;
}

/* False for what we did not write. */
static bool read_ancestor(struct bytes text, struct ancestor *ret)
{
    struct bytes number = take(&text, ':');
    struct ancestor ancestor = {0};

    for (size_t i = 0; i < number.len; i++) {
        int digit = percent_hex(number.data[i]);

        if (digit < 0) {
            return false;
        }
        ancestor.number = ancestor.number << 4 | (uint32_t)digit;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        ancestor.runs = ancestor.runs * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret = ancestor;
    return number.len == NUMBER_LEN && text.len > 0 && text.len <= RUNS_LEN;
}

static void read_lineage(struct bytes trace, struct lineage *ret)
{
    ret->count = 0;
    while (trace.len > 0) {
        struct bytes field = take(&trace, ';');

        if (!is_lineage(field)) {
            continue;
        }
        field = bytes_of(field.data + sizeof FIELD - 1, field.len - (sizeof FIELD - 1));
        while (field.len > 0 && ret->count < ANCESTORS_MAX) {
            ret->count += read_ancestor(take(&field, '|'), &ret->ancestors[ret->count]) ? 1 : 0;
        }
    }
}

static struct ancestor *find(struct lineage *lineage, uint32_t number)
{
    for (size_t i = 0; i < lineage->count; i++) {
        if (lineage->ancestors[i].number == number) {
            return &lineage->ancestors[i];
        }
    }
    return NULL;
}

static bool is_allowed(const struct function *function)
{
    struct bytes text = setting_find(function, SETTING_RECURSION, bytes_of("", 0));
    json_t *json =
        (text.data != NULL) ? json_loadb((const char *)text.data, text.len, 0, NULL) : NULL;
    const char *loop = json_string_value(json_object_get(json, "RecursiveLoop"));
    bool is_so = loop != NULL && strcmp(loop, "Allow") == 0;

    json_decref(json);
    return is_so;
}

uint32_t lineage_runs(const struct id *function_id, struct bytes trace)
{
    const struct ancestor *ancestor;
    struct lineage lineage;

    read_lineage(trace, &lineage);
    ancestor = find(&lineage, number_of(function_id));
    return (ancestor != NULL) ? ancestor->runs : 0;
}

bool lineage_is_loop(const struct function *function, struct bytes trace)
{
    return lineage_runs(&function->id, trace) >= LINEAGE_RUNS_MAX && !is_allowed(function);
}

/* --- writing ------------------------------------------------------------------------------ */

static void count(struct lineage *lineage, uint32_t number)
{
    struct ancestor *ancestor = find(lineage, number);

    if (ancestor != NULL) {
        ancestor->runs += (ancestor->runs < RUNS_MAX) ? 1 : 0;
        return;
    }
    if (lineage->count == ANCESTORS_MAX) {
        memmove(lineage->ancestors, lineage->ancestors + 1, (ANCESTORS_MAX - 1) * sizeof *ancestor);
        lineage->count--;
    }
    lineage->ancestors[lineage->count++] = (struct ancestor){.number = number, .runs = 1};
}

/* All fields but the lineage, each with a semicolon behind it. */
static size_t put_others(char *text, struct bytes trace)
{
    size_t len = 0;

    while (trace.len > 0) {
        struct bytes field = take(&trace, ';');

        if (!is_lineage(field) && field.len > 0) {
            memcpy(text + len, field.data, field.len);
            text[len + field.len] = ';';
            len += field.len + 1;
        }
    }
    return len;
}

/* From the `first` one on; returns the length. */
static size_t put_ancestors(char text[LINEAGE_TEXT_MAX], const struct lineage *lineage,
                            size_t first)
{
    int len = snprintf(text, LINEAGE_TEXT_MAX, FIELD);

    for (size_t i = first; i < lineage->count; i++) {
        len += snprintf(text + len, LINEAGE_TEXT_MAX - (size_t)len, "%s%08" PRIx32 ":%" PRIu32,
                        (i > first) ? "|" : "", lineage->ancestors[i].number,
                        lineage->ancestors[i].runs);
    }
    return (size_t)len;
}

struct bytes lineage_extend(struct arena *arena, const struct id *function_id, struct bytes trace)
{
    char *text = arena_alloc(arena, trace.len + 1 + LINEAGE_TEXT_MAX);
    struct lineage lineage;
    size_t first = 0;
    size_t others;
    size_t len;

    if (text == NULL) {
        return (struct bytes){0};
    }
    read_lineage(trace, &lineage);
    count(&lineage, number_of(function_id));
    others = put_others(text, trace);
    do {
        len = put_ancestors(text + others, &lineage, first++);
    } while (others + len > LINEAGE_TRACE_MAX && first < lineage.count);
    if (others + len > LINEAGE_TRACE_MAX) { /* no room beside what was given */
        return bytes_of(text, (others > 0) ? others - 1 : 0);
    }
    return bytes_of(text, others + len);
}
