/* The access key of `pawl dev`: made once, kept in the data directory's file `access-key`
 * (0600), in the form of a shell's assignments.
 *
 * What is there is asked for by `pawl keys enable`, which also says that a key is gone; a
 * new one comes from `pawl keys create`. Who can read the file can read root.key too. */
#ifndef INVOKE_DEV_KEY_H
#define INVOKE_DEV_KEY_H

#include <limits.h>
#include <uv.h>

#include "tenants/key_pair.h"

#define DEV_KEY_ANSWER_MAX 1024

struct dev_key {
    /* set by the caller */
    uv_loop_t *loop;
    const char *data;
    const char *socket;
    void *arg;
    /* `pair` NULL: there is none, and it was said why */
    void (*cb)(void *arg, const struct access_key_pair *pair);
    /* private */
    char path[PATH_MAX];
    struct access_key_pair pair;
    uv_process_t process;
    uv_pipe_t out;
    char answer[DEV_KEY_ANSWER_MAX];
    size_t answer_len;
    int64_t status;
    unsigned handles_open;
    bool is_making;
};

/* `cb` once, from the loop or from inside. The daemon serves. */
void dev_key_get(struct dev_key *key);

#endif /* INVOKE_DEV_KEY_H */
