/* The parts of a timeline, shared by what builds it and what draws it. */
#ifndef SDK_CLI_TIMELINE_BUILD_H
#define SDK_CLI_TIMELINE_BUILD_H

#include <stdint.h>

#include "sdk/cli/timeline.h"

#define CLI_OPERATION_ID_MAX 64
#define CLI_OPERATION_NAME_MAX 64 /* of names up to 256, what a line can show */

enum cli_operation_type {
    TYPE_EXECUTION,
    TYPE_CONTEXT,
    TYPE_STEP,
    TYPE_WAIT,
    TYPE_CALLBACK,
    TYPE_INVOKE,
    TYPE_COUNT
};

enum cli_span_kind { SPAN_RUN, SPAN_WAIT, SPAN_CALLBACK, SPAN_INVOKE, SPAN_CONTEXT, SPAN_COUNT };

#define NO_INDEX SIZE_MAX

/* A stretch of time on an operation's line; the spans of one are a chain. */
struct cli_span {
    int64_t start_ms;
    int64_t end_ms; /* -1: still open */
    enum cli_span_kind kind;
    size_t next;
};

struct cli_operation {
    struct table_node node;
    char id[CLI_OPERATION_ID_MAX + 1];
    char name[CLI_OPERATION_NAME_MAX + 1];
    enum cli_operation_type type;
    const char *status; /* one of Lambda's, static */
    int64_t start_ms;
    int64_t end_ms;   /* -1: still open */
    int64_t attempts; /* of a step: finished ones */
    size_t parent;
    size_t first_child;
    size_t last_child;
    size_t next_sibling;
    size_t first_span;
    size_t last_span;
};

const char *cli_operation_type_name(enum cli_operation_type type);

#endif /* SDK_CLI_TIMELINE_BUILD_H */
