#include "invoke/checkpoint_body.h"

#include "engine/base/json_read.h"
#include "engine/base/json_scan.h"
#include "invoke/member.h"
#include "invoke/update_body.h"

#define UPDATES_MIN 4U /* that there is room for at first */

/* --- from a tree ------------------------------------------------------------------------ */

bool checkpoint_body_read_tree(const json_t *json, struct arena *arena,
                               struct checkpoint_body *ret_body, struct problem *problem)
{
    struct checkpoint_body body = {0};
    json_t *updates = NULL;

    if (!member_bytes(json, "CheckpointToken", CHECKPOINT_TOKEN_MAX, &body.token, problem) ||
        !member_bytes(json, "ClientToken", CLIENT_TOKEN_BYTES_MAX, &body.client_token, problem) ||
        !member_array(json, "Updates", UPDATES_MAX, &updates, problem) ||
        !update_body_read(updates, arena, &body.updates, &body.update_count, problem)) {
        return false;
    }
    *ret_body = body;
    return true;
}

/* --- an update ---------------------------------------------------------------------------- */

enum {
    UPDATE_ID,
    UPDATE_TYPE,
    UPDATE_ACTION,
    UPDATE_NAME,
    UPDATE_SUB_TYPE,
    UPDATE_PAYLOAD,
    UPDATE_PARENT_ID,
    UPDATE_MEMBERS,
};

static const struct json_member update_members[UPDATE_MEMBERS] = {
    [UPDATE_ID] = JSON_MEMBER("Id", OP_ID_MAX),
    [UPDATE_TYPE] = JSON_MEMBER("Type", UPDATE_WORD_MAX),
    [UPDATE_ACTION] = JSON_MEMBER("Action", UPDATE_WORD_MAX),
    [UPDATE_NAME] = JSON_MEMBER("Name", OP_NAME_MAX),
    [UPDATE_SUB_TYPE] = JSON_MEMBER("SubType", OP_SUB_TYPE_MAX),
    [UPDATE_PAYLOAD] = JSON_MEMBER("Payload", EXEC_PAYLOAD_BYTES_MAX),
    [UPDATE_PARENT_ID] = JSON_MEMBER("ParentId", OP_ID_MAX),
};

static bool fill_update(const struct bytes texts[UPDATE_MEMBERS], struct op_update *ret_update)
{
    *ret_update = (struct op_update){.type = op_type_parse(texts[UPDATE_TYPE]),
                                     .action = op_action_parse(texts[UPDATE_ACTION]),
                                     .id = texts[UPDATE_ID],
                                     .parent_id = texts[UPDATE_PARENT_ID],
                                     .name = texts[UPDATE_NAME],
                                     .sub_type = texts[UPDATE_SUB_TYPE],
                                     .has_payload = texts[UPDATE_PAYLOAD].data != NULL,
                                     .payload = texts[UPDATE_PAYLOAD]};
    return ret_update->type != OP_NONE && ret_update->action != OP_ACTION_NONE &&
           ret_update->id.len > 0 && update_is_id(ret_update->id) &&
           update_is_id(ret_update->parent_id) && update_is_printable(ret_update->name) &&
           update_is_printable(ret_update->sub_type);
}

static bool read_update(struct json_reader *reader, struct op_update *ret_update)
{
    struct bytes texts[UPDATE_MEMBERS] = {{0}};

    return json_read_members(reader, update_members, UPDATE_MEMBERS, texts) &&
           fill_update(texts, ret_update);
}

static struct op_update *next_update(struct arena *arena, struct checkpoint_body *body,
                                     size_t *room)
{
    if (body->update_count == *room) {
        size_t more = (*room > 0) ? *room * 2 : UPDATES_MIN;
        struct op_update *updates = arena_alloc(arena, more * sizeof *updates);

        if (updates == NULL) {
            return NULL;
        }
        if (body->update_count > 0) {
            memcpy(updates, body->updates, body->update_count * sizeof *updates);
        }
        body->updates = updates;
        *room = more;
    }
    return &body->updates[body->update_count++];
}

static bool read_updates(struct json_reader *reader, struct checkpoint_body *body)
{
    size_t room = 0;

    if (!json_read_open(reader, '[')) {
        return false;
    }
    while (json_read_element(reader)) {
        struct op_update *update =
            (body->update_count < UPDATES_MAX) ? next_update(reader->arena, body, &room) : NULL;

        if (update == NULL || !read_update(reader, update)) {
            return false;
        }
    }
    return true;
}

/* --- the whole ---------------------------------------------------------------------------- */

enum { BODY_TOKEN, BODY_CLIENT_TOKEN, BODY_MEMBERS };

static const struct json_member body_members[BODY_MEMBERS] = {
    [BODY_TOKEN] = JSON_MEMBER("CheckpointToken", CHECKPOINT_TOKEN_MAX),
    [BODY_CLIENT_TOKEN] = JSON_MEMBER("ClientToken", CLIENT_TOKEN_BYTES_MAX),
};

static bool read_members(struct json_reader *reader, struct checkpoint_body *ret_body)
{
    struct checkpoint_body body = {0};
    struct bytes texts[BODY_MEMBERS] = {{0}};
    bool has_updates = false;
    struct bytes name;

    while (json_read_name(reader, &name)) {
        bool is_updates = bytes_equal(name, bytes_of("Updates", 7));

        if (is_updates ? has_updates || !read_updates(reader, &body)
                       : !json_read_member(reader, name, body_members, BODY_MEMBERS, texts)) {
            return false;
        }
        has_updates = has_updates || is_updates;
    }
    body.token = texts[BODY_TOKEN];
    body.client_token = texts[BODY_CLIENT_TOKEN];
    *ret_body = body;
    return json_read_is_whole(reader);
}

bool checkpoint_body_read(struct bytes text, struct arena *arena, struct checkpoint_body *ret_body)
{
    struct json_reader reader;

    if (!json_scan(text, &json_limits_request, NULL)) {
        return false;
    }
    json_read_begin(&reader, text, arena);
    return json_read_open(&reader, '{') && read_members(&reader, ret_body);
}
