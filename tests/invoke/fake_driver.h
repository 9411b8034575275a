/* A driver that does nothing but remember what it was asked, and answers what the test
 * has prepared: the link seam below the routes. */
#ifndef TESTS_INVOKE_FAKE_DRIVER_H
#define TESTS_INVOKE_FAKE_DRIVER_H

#include "engine/driver/driver.h"

enum { FAKE_TEXT = 4096, FAKE_FUNCTIONS = 120 };

struct fake {
    /* what was asked: "NAME member=value ..." of the newest request */
    char asked[FAKE_TEXT];
    int asks;
    int abandoned;

    /* how requests are answered */
    bool is_holding; /* not yet: the test calls fake_answer_*() */
    struct driver_error error;
    const char *json;
    struct invoke_request answer; /* its answer's members are copied */
    struct invoke_request *held_invoke;
    struct execution_request *held_execution;
    struct list_request *held_list;

    /* functions */
    struct function functions[FAKE_FUNCTIONS];
    struct function_revision revisions[FAKE_FUNCTIONS];
    size_t function_count;
    int refusal;                   /* of the next change: enum FUNCTION_... */
    const char *change_error;      /* of its callback */
    struct function_config config; /* of the newest change; texts are the request's */
    size_t archive_bytes;
    bool had_config;

    /* logs: `lines` each time they are read, until `log_reads` is used up */
    const char *lines;
    int log_reads;
    struct logs_follow *follow;

    int backup_status;
    char backup[256];
};
extern struct fake fake;

void fake_reset(void);
struct function *fake_add_function(const char *name, bool is_durable);
void fake_answer_invoke(void);
void fake_answer_execution(void);

#endif /* TESTS_INVOKE_FAKE_DRIVER_H */
