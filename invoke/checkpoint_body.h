/* The body of CheckpointDurableExecution, read in one of two ways that say the same:
 *
 *   - what SDKs send most, without a tree: only strings, each member once, none that is
 *     unknown, no options and no Error;
 *   - any body, from a tree, with the problem said where there is one. */
#ifndef INVOKE_CHECKPOINT_BODY_H
#define INVOKE_CHECKPOINT_BODY_H

#include "invoke/call.h"

#define CHECKPOINT_TOKEN_MAX 2048U
#define CLIENT_TOKEN_BYTES_MAX 64U

struct checkpoint_body {
    struct bytes token;
    struct bytes client_token;
    struct op_update *updates;
    size_t update_count;
};

/* False: it is something else, or wrong, or memory has ended; then the tree says what. What is
 * read points into `text` and the arena. */
bool checkpoint_body_read(struct bytes text, struct arena *arena, struct checkpoint_body *ret_body);

/* What is read points into the tree and the arena. */
bool checkpoint_body_read_tree(const json_t *json, struct arena *arena,
                               struct checkpoint_body *ret_body, struct problem *problem);

#endif /* INVOKE_CHECKPOINT_BODY_H */
