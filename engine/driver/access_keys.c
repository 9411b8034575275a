#include "engine/driver/access_keys.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/object.h"

#define FORMAT 1U
#define FLAG_ENABLED 1U

enum { AT_FORMAT = 0, AT_FLAGS = 1, AT_CREATED = 2, AT_SECRET = 10, HEAD_BYTES = 50 };
static_assert(HEAD_BYTES == AT_SECRET + ACCESS_KEY_SECRET_LEN, "the head of a record");

enum change { CHANGE_NONE, CHANGE_ADD, CHANGE_ENABLE, CHANGE_DISABLE, CHANGE_REMOVE };

/* The secret is not here, but in the verifier, and sealed in `entry`. */
struct held {
    struct list link;
    struct access_keys *keys;
    char id[ACCESS_KEY_ID_LEN + 1];
    char description[ACCESS_KEY_DESCRIPTION_MAX + 1];
    int64_t created_ms;
    bool is_enabled;
    bool is_visible;  /* it is durable */
    struct buf entry; /* the object as the journal has it: u16 length of the key, key, value */

    enum change change; /* on its way to the journal */
    struct journal_append append;
    struct buf next;                        /* the entry that will be */
    char secret[ACCESS_KEY_SECRET_LEN + 1]; /* of a new one, until it has been told */
    void *arg;
    access_key_cb cb;
};

struct access_keys {
    struct journal *journal;
    const struct tenant_keys *tenant_keys; /* valid until closed */
    uint64_t tenant;
    struct verifier *verifier;
    struct list all; /* struct held.link, as they were made */
    size_t count;
    size_t changes;
    bool is_closed;
};

/* --- records ------------------------------------------------------------------------------ */

struct record {
    bool is_enabled;
    int64_t created_ms;
    const char *secret; /* ACCESS_KEY_SECRET_LEN of it */
    struct bytes description;
};

static void put_record(struct buf *out, const struct record *record)
{
    uint8_t head[HEAD_BYTES] = {FORMAT, record->is_enabled ? FLAG_ENABLED : 0};

    for (size_t i = 0; i < sizeof(int64_t); i++) {
        head[AT_CREATED + i] = (uint8_t)((uint64_t)record->created_ms >> (8 * i));
    }
    memcpy(head + AT_SECRET, record->secret, ACCESS_KEY_SECRET_LEN);
    buf_append(out, head, sizeof head);
    buf_append(out, record->description.data, record->description.len);
    explicit_bzero(head, sizeof head);
}

static int get_record(struct bytes plain, struct record *ret_record)
{
    uint64_t created = 0;

    if (plain.len < HEAD_BYTES || plain.len > HEAD_BYTES + ACCESS_KEY_DESCRIPTION_MAX ||
        plain.data[AT_FORMAT] != FORMAT || plain.data[AT_FLAGS] > FLAG_ENABLED ||
        !access_key_is_secret(bytes_of(plain.data + AT_SECRET, ACCESS_KEY_SECRET_LEN))) {
        return ERR(ERR_CORRUPT, "the record of an access key has an unknown form");
    }
    for (size_t i = 0; i < sizeof created; i++) {
        created |= (uint64_t)plain.data[AT_CREATED + i] << (8 * i);
    }
    *ret_record =
        (struct record){.is_enabled = plain.data[AT_FLAGS] == FLAG_ENABLED,
                        .created_ms = (int64_t)created,
                        .secret = (const char *)plain.data + AT_SECRET,
                        .description = bytes_of(plain.data + HEAD_BYTES, plain.len - HEAD_BYTES)};
    return 0;
}

static void wipe(struct buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->cap);
    }
    buf_fini(buf);
}

static void key_of(const struct access_keys *keys, const char *id, struct object_key *ret_key)
{
    object_key_format(ret_key, keys->tenant, "access-key/%s", id);
}

static int seal_record(const struct held *held, const struct record *record, struct buf *ret_entry)
{
    struct object_key key;
    struct buf plain = {0};
    int r;

    key_of(held->keys, held->id, &key);
    put_record(&plain, record);
    r = plain.failed ? ERR(ERR_NOMEM, "record of an access key")
                     : object_seal_buf(held->keys->tenant_keys, KEY_CONFIG, &key, buf_bytes(&plain),
                                       ret_entry);
    wipe(&plain);
    return r;
}

/* --- keys in memory -------------------------------------------------------------------------- */

static struct held *held_create(struct access_keys *keys, const char *id, int64_t created_ms,
                                struct bytes description)
{
    struct held *held = mem_calloc(1, sizeof *held);

    if (held == NULL) {
        (void)ERR(ERR_NOMEM, "access key");
        return NULL;
    }
    held->keys = keys;
    held->created_ms = created_ms;
    memcpy(held->id, id, ACCESS_KEY_ID_LEN);
    if (description.len > 0) {
        memcpy(held->description, description.data, description.len);
    }
    list_push_back(&keys->all, &held->link);
    keys->count++;
    return held;
}

static void held_destroy(struct held *held)
{
    list_remove(&held->link);
    held->keys->count--;
    buf_fini(&held->entry);
    buf_fini(&held->next);
    explicit_bzero(held->secret, sizeof held->secret);
    mem_free(held);
}

static struct held *find(const struct access_keys *keys, struct bytes id)
{
    const struct list *item;

    list_for_each (item, &keys->all) {
        struct held *held = container_of(item, struct held, link);

        if (bytes_equal(bytes_of_text(held->id), id) &&
            (held->is_visible || held->change == CHANGE_ADD)) {
            return held;
        }
    }
    return NULL;
}

static struct access_key_info info_of(const struct held *held)
{
    return (struct access_key_info){.id = held->id,
                                    .secret = (held->secret[0] != '\0') ? held->secret : NULL,
                                    .description = held->description,
                                    .created_ms = held->created_ms,
                                    .tenant = held->keys->tenant,
                                    .is_enabled = held->is_enabled};
}

void access_keys_walk(const struct access_keys *keys, access_key_visit visit, void *arg)
{
    const struct list *item;

    list_for_each (item, &keys->all) {
        const struct held *held = container_of(item, struct held, link);
        struct access_key_info info = info_of(held);

        info.secret = NULL;
        if (held->is_visible) {
            visit(arg, &info);
        }
    }
}

/* --- loading ---------------------------------------------------------------------------------- */

struct load {
    struct access_keys *keys;
    struct buf plain;
    size_t skip; /* bytes of the key before the id */
};

/* The view has them by id; they are listed by age. */
static void sort_in(struct held *held)
{
    struct list *before = held->link.prev;
    struct list *all = &held->keys->all;

    list_remove(&held->link);
    while (before != all &&
           container_of(before, struct held, link)->created_ms > held->created_ms) {
        before = before->prev;
    }
    held->link.prev = before;
    held->link.next = before->next;
    before->next->prev = &held->link;
    before->next = &held->link;
}

static int remember(struct load *load, struct bytes key, struct bytes value,
                    const struct access_key_pair *pair, const struct record *record)
{
    uint8_t len[2] = {(uint8_t)key.len, (uint8_t)(key.len >> 8)};
    struct held *held = held_create(load->keys, pair->id, record->created_ms, record->description);

    if (held == NULL) {
        return ERR_NOMEM;
    }
    held->is_enabled = record->is_enabled;
    held->is_visible = true;
    sort_in(held);
    buf_append(&held->entry, len, sizeof len);
    buf_append(&held->entry, key.data, key.len);
    buf_append(&held->entry, value.data, value.len);
    if (held->entry.failed) {
        return ERR(ERR_NOMEM, "access key");
    }
    return verifier_add_key(load->keys->verifier, pair, load->keys->tenant, record->is_enabled);
}

static int load_key(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct access_key_pair pair = {0};
    struct record record;
    int r = object_open(load->keys->tenant_keys, KEY_CONFIG, key, value, &load->plain);

    r = (r == 0) ? get_record(buf_bytes(&load->plain), &record) : r;
    if (r == 0 && !access_key_is_id(bytes_of(key.data + load->skip, key.len - load->skip))) {
        r = ERR(ERR_CORRUPT, "object %.*s has no access key's id", (int)key.len, key.data);
    }
    if (r != 0) {
        return r;
    }
    memcpy(pair.id, key.data + load->skip, ACCESS_KEY_ID_LEN);
    memcpy(pair.secret, record.secret, ACCESS_KEY_SECRET_LEN);
    r = remember(load, key, value, &pair, &record);
    explicit_bzero(&pair, sizeof pair);
    return r;
}

static int load_all(struct access_keys *keys)
{
    struct load load = {.keys = keys};
    struct object_key prefix;
    int r;

    key_of(keys, "", &prefix);
    load.skip = strlen(prefix.text);
    r = journal_read_objects(keys->journal, bytes_of_text(prefix.text), load_key, &load);
    wipe(&load.plain);
    return r;
}

static void release(struct access_keys *keys)
{
    while (!list_is_empty(&keys->all)) {
        held_destroy(container_of(keys->all.next, struct held, link));
    }
    mem_free(keys);
}

int access_keys_open(struct access_keys **ret_keys, struct journal *journal,
                     const struct tenant_keys *tenant_keys, uint64_t tenant,
                     struct verifier *verifier)
{
    struct access_keys *keys = mem_calloc(1, sizeof *keys);
    int r;

    if (keys == NULL) {
        return ERR(ERR_NOMEM, "access keys");
    }
    keys->journal = journal;
    keys->tenant_keys = tenant_keys;
    keys->tenant = tenant;
    keys->verifier = verifier;
    list_init(&keys->all);
    r = load_all(keys);
    if (r != 0) {
        release(keys);
        return r;
    }
    *ret_keys = keys;
    return 0;
}

void access_keys_close(struct access_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    keys->is_closed = true;
    if (keys->changes == 0) {
        release(keys);
    }
}

/* --- changes ---------------------------------------------------------------------------------- */

/* The entry that was is not needed any more. */
static void keep_next(struct held *held)
{
    buf_fini(&held->entry);
    held->entry = held->next;
    held->next = (struct buf){0};
}

static void show(struct held *held, enum change change)
{
    struct bytes id = bytes_of_text(held->id);

    switch (change) {
    case CHANGE_ADD:
    case CHANGE_ENABLE:
    case CHANGE_DISABLE:
        held->is_visible = true;
        held->is_enabled = change != CHANGE_DISABLE;
        verifier_enable_key(held->keys->verifier, id, held->is_enabled);
        keep_next(held);
        break;
    case CHANGE_REMOVE:
        held->is_visible = false;
        verifier_remove_key(held->keys->verifier, id);
        break;
    case CHANGE_NONE:
    default:
        assert(!"a change that is none");
    }
}

/* The callback may begin the next change, or close the store. */
static void on_durable(struct journal_append *append)
{
    struct held *held = container_of(append, struct held, append);
    struct access_keys *keys = held->keys;
    enum change change = held->change;
    struct access_key_info info;

    held->change = CHANGE_NONE;
    show(held, change);
    info = info_of(held);
    held->cb(held->arg, &info);
    explicit_bzero(held->secret, sizeof held->secret);
    if (!held->is_visible) {
        held_destroy(held);
    }
    if (--keys->changes == 0 && keys->is_closed) {
        release(keys);
    }
}

static void begin(struct held *held, enum change change, void *arg, access_key_cb cb)
{
    bool is_growth = change == CHANGE_ADD;

    held->change = change;
    held->arg = arg;
    held->cb = cb;
    held->append =
        (struct journal_append){.kind = (change == CHANGE_REMOVE) ? JOURNAL_DELETE : JOURNAL_PUT,
                                .data = buf_bytes(&held->next),
                                .is_reserved = !is_growth};
    held->keys->changes++;
    journal_append(held->keys->journal, &held->append, on_durable);
}

/* Everything that can fail comes before the append. */
static int prepare_add(struct held *held, const struct access_key_pair *pair)
{
    const struct record record = {.is_enabled = true,
                                  .created_ms = held->created_ms,
                                  .secret = pair->secret,
                                  .description = bytes_of_text(held->description)};
    int r = seal_record(held, &record, &held->next);

    if (r == 0) {
        r = verifier_add_key(held->keys->verifier, pair, held->keys->tenant, false);
    }
    if (r == 0) {
        memcpy(held->secret, pair->secret, sizeof held->secret);
    }
    return r;
}

int access_key_add(struct access_keys *keys, struct bytes description, int64_t now_ms, void *arg,
                   access_key_cb cb)
{
    struct access_key_pair pair;
    struct held *held;
    int r;

    assert(description.len <= ACCESS_KEY_DESCRIPTION_MAX);
    if (keys->count >= ACCESS_KEYS_MAX) {
        return ACCESS_KEY_TOO_MANY;
    }
    if (journal_is_full(keys->journal)) {
        return ACCESS_KEY_FULL;
    }
    access_key_make(&pair);
    held = held_create(keys, pair.id, now_ms, description);
    r = (held != NULL) ? prepare_add(held, &pair) : ERR_NOMEM;
    explicit_bzero(&pair, sizeof pair);
    if (r != 0) {
        if (held != NULL) {
            held_destroy(held);
        }
        return r;
    }
    begin(held, CHANGE_ADD, arg, cb);
    return 0;
}

/* What is sealed is opened, changed and sealed again. */
static int seal_state(struct held *held, bool is_enabled)
{
    struct bytes entry = buf_bytes(&held->entry);
    struct bytes key = bytes_of(entry.data + 2, (size_t)(entry.data[0] | entry.data[1] << 8));
    struct bytes value = bytes_of(key.data + key.len, entry.len - 2 - key.len);
    struct record record;
    struct buf plain = {0};
    int r = object_open(held->keys->tenant_keys, KEY_CONFIG, key, value, &plain);

    r = (r == 0) ? get_record(buf_bytes(&plain), &record) : r;
    if (r == 0) {
        record.is_enabled = is_enabled;
        r = seal_record(held, &record, &held->next);
    }
    wipe(&plain);
    return r;
}

/* 0, or why it cannot be changed now. */
static int find_idle(const struct access_keys *keys, struct bytes id, struct held **ret_held)
{
    struct held *held = find(keys, id);

    if (held == NULL) {
        return ACCESS_KEY_NOT_FOUND;
    }
    *ret_held = held;
    return (held->change == CHANGE_NONE) ? 0 : ACCESS_KEY_BUSY;
}

int access_key_enable(struct access_keys *keys, struct bytes id, bool is_enabled, void *arg,
                      access_key_cb cb)
{
    struct held *held;
    int r = find_idle(keys, id, &held);

    if (r != 0) {
        return r;
    }
    if (held->is_enabled == is_enabled) {
        struct access_key_info info = info_of(held);

        cb(arg, &info);
        return 0;
    }
    r = seal_state(held, is_enabled);
    if (r == 0) {
        begin(held, is_enabled ? CHANGE_ENABLE : CHANGE_DISABLE, arg, cb);
    }
    return r;
}

int access_key_remove(struct access_keys *keys, struct bytes id, void *arg, access_key_cb cb)
{
    struct held *held;
    struct object_key key;
    uint8_t *out;
    int r = find_idle(keys, id, &held);

    if (r != 0) {
        return r;
    }
    held->next.len = 0;
    out = buf_reserve(&held->next, 2 + OBJECT_KEY_MAX);
    if (out == NULL) {
        return ERR(ERR_NOMEM, "remove an access key");
    }
    key_of(keys, held->id, &key);
    held->next.len = object_forget(&key, out);
    begin(held, CHANGE_REMOVE, arg, cb);
    return 0;
}
