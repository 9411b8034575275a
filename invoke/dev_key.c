#include "invoke/dev_key.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "invoke/dev_spawn.h"
#include "tenants/private_file.h"

#define ID_NAME "AWS_ACCESS_KEY_ID="
#define SECRET_NAME "AWS_SECRET_ACCESS_KEY="
#define FILE_MAX 256U
#define MODE 0600
#define EXIT_NOT_FOUND 3 /* of the client: sdk/cli/cli.h */

static char description[] = "made by pawl dev";

static void finish(struct dev_key *key, bool is_good)
{
    key->cb(key->arg, is_good ? &key->pair : NULL);
    explicit_bzero(&key->pair, sizeof key->pair);
    explicit_bzero(key->answer, sizeof key->answer);
}

/* --- the file -------------------------------------------------------------------------- */

static bool take(struct bytes *rest, const char *name, char *out, size_t len)
{
    size_t name_len = strlen(name);

    if (rest->len < name_len + len + 1 || memcmp(rest->data, name, name_len) != 0 ||
        rest->data[name_len + len] != '\n') {
        return false;
    }
    memcpy(out, rest->data + name_len, len);
    out[len] = '\0';
    *rest = bytes_of(rest->data + name_len + len + 1, rest->len - name_len - len - 1);
    return true;
}

static bool is_pair(const struct access_key_pair *pair)
{
    return access_key_is_id(bytes_of_text(pair->id)) &&
           access_key_is_secret(bytes_of_text(pair->secret));
}

/* 0, PRIVATE_FILE_ABSENT or an error. */
static int read_file(struct dev_key *key)
{
    uint8_t text[FILE_MAX];
    size_t len = 0;
    int r = private_file_read(key->path, text, sizeof text, &len);
    struct bytes rest = bytes_of(text, len);

    if (r == 0 && (!take(&rest, ID_NAME, key->pair.id, ACCESS_KEY_ID_LEN) ||
                   !take(&rest, SECRET_NAME, key->pair.secret, ACCESS_KEY_SECRET_LEN) ||
                   !is_pair(&key->pair))) {
        r = ERR(ERR_INVALID, "not an access key: remove %s", key->path);
    }
    explicit_bzero(text, sizeof text);
    return r;
}

static int write_file(struct dev_key *key)
{
    char text[FILE_MAX];
    int len = snprintf(text, sizeof text, ID_NAME "%s\n" SECRET_NAME "%s\n", key->pair.id,
                       key->pair.secret);
    int r = private_file_create(key->path, MODE, bytes_of(text, (size_t)len));

    explicit_bzero(text, sizeof text);
    return r;
}

/* --- making one ------------------------------------------------------------------------- */

static bool read_answer(struct dev_key *key)
{
    json_t *json = json_loadb(key->answer, key->answer_len, 0, NULL);
    const char *id = json_string_value(json_object_get(json, "AccessKeyId"));
    const char *secret = json_string_value(json_object_get(json, "SecretAccessKey"));
    bool is_good = id != NULL && secret != NULL && strlen(id) == ACCESS_KEY_ID_LEN &&
                   strlen(secret) == ACCESS_KEY_SECRET_LEN;

    if (is_good) {
        memcpy(key->pair.id, id, sizeof key->pair.id);
        memcpy(key->pair.secret, secret, sizeof key->pair.secret);
    }
    json_decref(json);
    return is_good && is_pair(&key->pair);
}

static void ask(struct dev_key *key, bool is_making);

static void finish_asking(struct dev_key *key)
{
    if (key->is_making) {
        finish(key, key->status == 0 && read_answer(key) && write_file(key) == 0);
    } else if (key->status == EXIT_NOT_FOUND && unlink(key->path) == 0) {
        ask(key, true); /* someone has deleted it */
    } else {
        finish(key, key->status == 0);
    }
}

/* The process has ended, and all that it printed was read. */
static void on_closed(uv_handle_t *handle)
{
    struct dev_key *key = handle->data;

    if (--key->handles_open == 0) {
        finish_asking(key);
    }
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct dev_key *key = process->data;

    key->status = (signal != 0) ? -1 : status;
    uv_close((uv_handle_t *)process, on_closed);
}

static void on_output(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct dev_key *key = stream->data;

    (void)buf;
    if (len > 0) {
        key->answer_len += (size_t)len;
    } else if (len < 0 && !uv_is_closing((uv_handle_t *)stream)) {
        uv_close((uv_handle_t *)stream, on_closed);
    }
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    struct dev_key *key = handle->data;

    (void)wanted;
    *ret_buf = uv_buf_init(key->answer + key->answer_len,
                           (unsigned)(sizeof key->answer - key->answer_len));
}

static void on_not_run(uv_handle_t *handle)
{
    finish(handle->data, false);
}

/* Of the daemon, by its own client: for a new key, or for the one that was read. */
static void ask(struct dev_key *key, bool is_making)
{
    static char words[8][16] = {"pawl", "keys",   "--socket", "--output",
                                "json", "create", "enable",   "--description"};
    char *argv[] = {words[0],
                    words[1],
                    is_making ? words[5] : words[6],
                    words[2],
                    (char *)(uintptr_t)key->socket,
                    words[3],
                    words[4],
                    is_making ? words[7] : key->pair.id,
                    is_making ? description : NULL,
                    NULL};

    key->is_making = is_making;
    key->answer_len = 0;
    (void)uv_pipe_init(key->loop, &key->out, 0);
    key->out.data = key;
    key->process.data = key;
    if (dev_spawn(key->loop, &key->process, argv, on_ended, &key->out) != 0) {
        uv_close((uv_handle_t *)&key->out, on_not_run);
        return;
    }
    key->handles_open = 2;
    (void)uv_read_start((uv_stream_t *)&key->out, give_buffer, on_output);
}

void dev_key_get(struct dev_key *key)
{
    int r;

    if (snprintf(key->path, sizeof key->path, "%s/access-key", key->data) >=
        (int)sizeof key->path) {
        (void)ERR(ERR_INVALID, "the path of the access key is too long: %.64s", key->data);
        finish(key, false);
        return;
    }
    r = read_file(key);
    if (r < 0) {
        finish(key, false);
        return;
    }
    ask(key, r == PRIVATE_FILE_ABSENT);
}
