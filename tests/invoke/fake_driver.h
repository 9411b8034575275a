/* A driver that does nothing but remember what it was asked, and answers what the test
 * has prepared: the link seam below the routes. */
#ifndef TESTS_INVOKE_FAKE_DRIVER_H
#define TESTS_INVOKE_FAKE_DRIVER_H

#include "engine/driver/alias.h"
#include "engine/driver/driver.h"

enum { FAKE_TEXT = 4096, FAKE_FUNCTIONS = 120, FAKE_VERSIONS = 120, FAKE_ALIASES = 120 };

struct fake {
    /* what was asked: "NAME member=value ..." of the newest request */
    char asked[FAKE_TEXT];
    int asks;
    int abandoned;
    int resumed;

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
    struct function_revision versions[FAKE_VERSIONS];
    char version_names[FAKE_VERSIONS][12];
    size_t version_count;
    struct fake_alias {
        const struct function *function;
        struct alias alias;
        char name[129];
        char description[257];
    } aliases[FAKE_ALIASES]; /* the tests add them sorted */
    size_t alias_count;
    int alias_status;              /* of the callback of the next change of one */
    int refusal;                   /* of the next change: enum FUNCTION_... */
    const char *change_error;      /* of its callback */
    struct function_config config; /* of the newest change; texts are the request's */
    size_t archive_bytes;
    bool had_config;

    /* runtimes; a change is kept in `asked` and not made */
    struct runtime runtimes[4];
    size_t runtime_count;
    int runtime_refusal;       /* of the next change: enum RUNTIMES_... */
    int runtime_status;        /* of its callback */
    const char *runtime_wrong; /* what is wrong with every directory; NULL: nothing */

    /* logs: `lines` each time they are read, until `log_reads` is used up */
    const char *lines;
    int log_reads;
    struct logs_follow *follow;

    bool is_key_enabled;

    int backup_status;
    char backup[256];
};
extern struct fake fake;

void fake_reset(void);
struct function *fake_add_function(const char *name, bool is_durable);
/* The next version of it. */
struct function_revision *fake_add_version(struct function *function);
/* Or another one in its place. */
void fake_add_alias(const struct function *function, const struct alias *alias);
void fake_answer_invoke(void);
/* A part of the response of the held one; what its on_piece() said. */
bool fake_give_piece(struct bytes piece);
void fake_answer_execution(void);

#endif /* TESTS_INVOKE_FAKE_DRIVER_H */
