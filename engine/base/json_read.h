/* Reading a JSON text from its front to its end, without a tree: for bodies whose members are
 * known. The text must have passed json_scan().
 *
 *     json_read_begin(&reader, text, &arena);
 *     json_read_open(&reader, '{');
 *     while (json_read_name(&reader, &name)) {
 *         ... json_read_string(&reader, &value) ...
 *     }
 *     return json_read_is_whole(&reader);
 *
 * A reader that meets something else than it was asked for says false and does not go on:
 * its owner gives up. Names given twice are the owner's to notice. */
#ifndef ENGINE_BASE_JSON_READ_H
#define ENGINE_BASE_JSON_READ_H

#include "engine/base/arena.h"

struct json_reader {
    const uint8_t *at;
    const uint8_t *end;
    struct arena *arena;
    bool is_lost;
};

/* The text is borrowed, and the arena used for strings that are written with escapes. */
void json_read_begin(struct json_reader *reader, struct bytes text, struct arena *arena);

/* Into the object ('{') or array ('[') that comes next. */
bool json_read_open(struct json_reader *reader, char bracket);

/* The name of the next member, as it is written: with its escapes. False: there is none, and
 * the reader stands behind the object. */
bool json_read_name(struct json_reader *reader, struct bytes *ret_name);

/* To the next element. False: there is none, and the reader stands behind the array. */
bool json_read_element(struct json_reader *reader);

/* The string that comes next: what it says, where it is written or in the arena; never NULL.
 * False also for half of a surrogate pair, and without memory. */
bool json_read_string(struct json_reader *reader, struct bytes *ret_text);

/* A member that is a string of at most `max` bytes. */
struct json_member {
    const char *name;
    size_t name_len;
    size_t max;
};
#define JSON_MEMBER(name, max)                                                                     \
    {                                                                                              \
        name, sizeof(name) - 1, max                                                                \
    }

/* Reads what the member `name` is, into its place of `texts`. False where it is none of
 * `members`, has been read already (its place is not NULL), or is something else. */
bool json_read_member(struct json_reader *reader, struct bytes name,
                      const struct json_member *members, size_t count, struct bytes *texts);

/* Reads an object that has no other members than these. */
bool json_read_members(struct json_reader *reader, const struct json_member *members, size_t count,
                       struct bytes *texts);

/* Whether everything was as it was asked for. */
bool json_read_is_whole(const struct json_reader *reader);

#endif /* ENGINE_BASE_JSON_READ_H */
