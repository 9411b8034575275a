#include "engine/driver/verify.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/driver/sealer.h"
#include "engine/driver/state.h"
#include "journal/verify.h"

#define EXIT_SOUND 0
#define EXIT_DAMAGED 1
#define EXIT_UNREADABLE 5

struct verifying {
    struct keyring *keyring;
    struct tenant_keys *keys;
    struct arena arena;
    struct buf json;
    bool is_json;
};

static void report(void *arg, const char *text)
{
    struct verifying *verifying = arg;

    if (verifying->is_json) {
        json_element(&verifying->json);
        json_text(&verifying->json, text);
    } else {
        printf("damaged: %s\n", text);
    }
}

static void visit_object(void *arg, struct bytes key, struct bytes value)
{
    struct verifying *verifying = arg;

    if (bytes_equal(key, bytes_of_text("tenant/123456789012")) && verifying->keys == NULL &&
        tenant_keys_open(&verifying->keys, verifying->keyring, TENANT_DEFAULT, value) != 0) {
        report(verifying, "the key of tenant 123456789012 does not open");
    }
}

static const char *visit_frame(void *arg, struct bytes frame,
                               const uint8_t chain_before[FRAME_CHAIN_BYTES])
{
    struct verifying *verifying = arg;
    uint8_t chain[FRAME_CHAIN_BYTES];
    struct frame_header header;
    struct frame_opening opening;
    struct record *records;
    size_t count;

    if (verifying->keys == NULL) {
        return "no tenant key opens it";
    }
    memcpy(chain, chain_before, sizeof chain);
    arena_reset(&verifying->arena);
    return (sealer_open(&verifying->arena, verifying->keys, frame, chain, &header, &opening,
                        &records, &count) == 0)
               ? NULL
               : "its seal or its chain does not fit: it was changed";
}

static void print_json(struct verifying *verifying, const struct verify_counts *counts)
{
    printf("{\"Checked\":%llu,\"Frames\":%llu,\"Damaged\":[%.*s]}\n",
           (unsigned long long)counts->executions, (unsigned long long)counts->frames,
           (int)verifying->json.len, (const char *)verifying->json.data);
}

static int verify_here(const char *dir, bool is_json)
{
    struct verifying verifying = {.is_json = is_json};
    struct verify verify = {.arg = &verifying,
                            .visit_object = visit_object,
                            .visit_frame = visit_frame,
                            .problem = report};
    struct verify_counts counts = {0};

    if (keyring_open(&verifying.keyring, dir, NULL) != 0) {
        return EXIT_UNREADABLE;
    }
    arena_init(&verifying.arena, 0);
    if (journal_verify(dir, &verify, &counts) != 0) {
        return EXIT_UNREADABLE;
    }
    if (is_json) {
        print_json(&verifying, &counts);
    } else {
        printf("%llu executions, %llu frames, %llu objects, %llu entries of the log: "
               "%llu problems\n",
               (unsigned long long)counts.executions, (unsigned long long)counts.frames,
               (unsigned long long)counts.objects, (unsigned long long)counts.entries,
               (unsigned long long)counts.problems);
    }
    return (counts.problems == 0) ? EXIT_SOUND : EXIT_DAMAGED;
}

int driver_verify_directory(const char *dir, bool is_json)
{
    pid_t child;
    int status;

    if (access(dir, R_OK | X_OK) != 0) {
        fprintf(stderr, "pawl: no data directory can be read at %s\n", dir);
        return EXIT_UNREADABLE;
    }
    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        int code = verify_here(dir, is_json);

        (void)fflush(stdout);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return EXIT_UNREADABLE;
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "pawl: the journal in %s is damaged: reading it ended with signal %d\n",
                dir, WTERMSIG(status));
        return EXIT_DAMAGED;
    }
    return WEXITSTATUS(status);
}
