/* The body of a checkpoint, read without a tree and from one: what the first takes, the second
 * takes too, and both say the same. */
#include <stdlib.h>

#include "engine/base/json_scan.h"
#include "invoke/checkpoint_body.h"
#include "tests/fuzz/target.h"

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Absent is not empty. */
static bool is_same(struct bytes a, struct bytes b)
{
    return (a.data == NULL) == (b.data == NULL) && bytes_equal(a, b);
}

static void check_update(const struct op_update *a, const struct op_update *b)
{
    check(a->type == b->type && a->action == b->action);
    check(is_same(a->id, b->id) && is_same(a->parent_id, b->parent_id));
    check(is_same(a->name, b->name) && is_same(a->sub_type, b->sub_type));
    check(a->has_payload == b->has_payload && is_same(a->payload, b->payload));
    check(!b->has_error && is_same(a->error, b->error));
    check(!b->has_step_options && !b->replay_children);
    check(b->delay_s == 0 && b->wait_s == 0 && b->timeout_s == 0 && b->heartbeat_s == 0);
    check(is_same(a->function, b->function) && is_same(a->tenant_id, b->tenant_id));
}

static void check_same(const struct checkpoint_body *a, const struct checkpoint_body *b)
{
    check(is_same(a->token, b->token) && is_same(a->client_token, b->client_token));
    check(a->update_count == b->update_count);
    for (size_t i = 0; i < a->update_count; i++) {
        check_update(&a->updates[i], &b->updates[i]);
    }
}

/* As call_read_json() has it. */
static void check_tree(struct bytes text, const struct checkpoint_body *plain)
{
    json_t *json = json_loadb((const char *)text.data, text.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    struct problem problem = {0};
    struct checkpoint_body body;
    struct arena arena;

    arena_init(&arena, 0);
    check(json_is_object(json));
    check(checkpoint_body_read_tree(json, &arena, &body, &problem));
    check_same(plain, &body);
    json_decref(json);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    struct checkpoint_body body;
    struct arena arena;

    arena_init(&arena, 0);
    if (checkpoint_body_read(text, &arena, &body)) {
        check(json_scan(text, &json_limits_request, NULL));
        check_tree(text, &body);
    }
    arena_fini(&arena);
    return 0;
}
