#include "tenants/access_key.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define DAYS 2U /* around midnight clients are in either */

struct access_secret {
    char text[ACCESS_KEY_SECRET_LEN];
    char days[DAYS][SIGV4_DAY_LEN]; /* zeroes: none */
    struct sigv4_key keys[DAYS];
    unsigned next; /* to be replaced */
};

/* --- making ---------------------------------------------------------------------------- */

void access_key_make(struct access_key_pair *ret_pair)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t random[16 + 30];

    randombytes_buf(random, sizeof random);
    memcpy(ret_pair->id, "AKIA", 4);
    for (size_t i = 0; i < 16; i++) {
        ret_pair->id[4 + i] = letters[random[i] % 32];
    }
    ret_pair->id[ACCESS_KEY_ID_LEN] = '\0';
    (void)sodium_bin2base64(ret_pair->secret, sizeof ret_pair->secret, random + 16, 30,
                            sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(random, sizeof random);
}

bool access_key_is_id(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) {
            return false;
        }
    }
    return text.len == ACCESS_KEY_ID_LEN;
}

bool access_key_is_secret(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '+' && c != '/') {
            return false;
        }
    }
    return text.len == ACCESS_KEY_SECRET_LEN;
}

/* --- one in memory ------------------------------------------------------------------------ */

int access_key_create(struct access_key **ret_key, const struct access_key_pair *pair,
                      uint64_t tenant, struct replay_budget *budget, int64_t start_s)
{
    struct access_key *key = mem_calloc(1, sizeof *key);
    int r = (key != NULL) ? 0 : ERR(ERR_NOMEM, "access key");

    if (key == NULL) {
        return r;
    }
    memcpy(key->id, pair->id, sizeof key->id);
    key->tenant = tenant;
    key->secret = secret_alloc(sizeof *key->secret);
    r = (key->secret != NULL) ? replay_create(&key->replay, budget, start_s)
                              : ERR(ERR_NOMEM, "secret of an access key");
    if (r != 0) {
        access_key_destroy(key);
        return r;
    }
    memset(key->secret, 0, sizeof *key->secret);
    memcpy(key->secret->text, pair->secret, ACCESS_KEY_SECRET_LEN);
    *ret_key = key;
    return 0;
}

void access_key_destroy(struct access_key *key)
{
    if (key != NULL) {
        secret_free(key->secret);
        replay_destroy(key->replay);
        mem_free(key);
    }
}

const struct sigv4_key *access_key_of_day(struct access_key *key, struct bytes day,
                                          struct bytes region)
{
    struct access_secret *secret = key->secret;
    unsigned at;

    assert(day.len == SIGV4_DAY_LEN);
    for (at = 0; at < DAYS; at++) {
        if (memcmp(secret->days[at], day.data, SIGV4_DAY_LEN) == 0) {
            return &secret->keys[at];
        }
    }
    at = secret->next;
    secret->next = (at + 1) % DAYS;
    sigv4_key_derive(bytes_of(secret->text, ACCESS_KEY_SECRET_LEN), day, region,
                     bytes_of_text(SIGV4_SERVICE), &secret->keys[at]);
    memcpy(secret->days[at], day.data, SIGV4_DAY_LEN);
    return &secret->keys[at];
}
