#include "tenants/principal.h"

#include <sodium.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/list.h"
#include "engine/base/mem.h"
#include "tenants/access_key.h"
#include "tenants/bearer.h"
#include "tenants/proof.h"

#define REGION_MAX 64U

/* Clients that do not sign an id of the call (boto3 does not) give two equal calls of one
 * second the same signature. */
#define REPEAT_MS 2000U

struct verifier {
    uid_t own_uid;
    struct bearer bearer;
    char region[REGION_MAX + 1];
    int64_t start_s;
    struct table keys;        /* struct access_key.by_id */
    struct access_key *dummy; /* in place of a key that nobody has: the same work */
    struct replay_budget budget;
};

/* What is left to be done when the body is there. */
enum rest { REST_NOTHING, REST_DIGEST, REST_SIGNATURE };

struct admission {
    struct denial denial;
    enum rest rest;
    bool is_open;
    struct principal principal; /* of nobody before verifier_finish() */
    struct request_head head;
    struct claim claim;
    crypto_hash_sha256_state hash; /* of the canonical request up to the payload's hash */
    bool is_hashed;
    char payload[SIGV4_HEX_LEN]; /* the body's, once it is */
};

/* --- its life --------------------------------------------------------------------------- */

static int make_dummy(struct verifier *verifier)
{
    struct access_key_pair pair;
    int r;

    access_key_make(&pair);
    r = access_key_create(&verifier->dummy, &pair, 0, &verifier->budget, verifier->start_s);
    sodium_memzero(&pair, sizeof pair);
    return r;
}

int verifier_create(struct verifier **ret_verifier, const char *dir, const char *region,
                    int64_t now_ms)
{
    struct verifier *verifier;
    int r = secret_init();

    if (r != 0) {
        return r;
    }
    verifier = mem_calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        return ERR(ERR_NOMEM, "verifier");
    }
    verifier->own_uid = geteuid();
    verifier->start_s = now_ms / 1000;
    if (snprintf(verifier->region, sizeof verifier->region, "%s", region) > (int)REGION_MAX) {
        r = ERR(ERR_INVALID, "a region has at most %u characters", REGION_MAX);
    }
    r = (r == 0) ? bearer_load(&verifier->bearer, dir) : r;
    r = (r == 0) ? make_dummy(verifier) : r;
    if (r != 0) {
        verifier_destroy(verifier);
        return r;
    }
    *ret_verifier = verifier;
    return 0;
}

static struct access_key *key_of(struct table_node *node)
{
    return (node != NULL) ? container_of(node, struct access_key, by_id) : NULL;
}

void verifier_destroy(struct verifier *verifier)
{
    struct table_node *node;
    size_t bucket = 0;

    if (verifier == NULL) {
        return;
    }
    while ((node = table_walk(&verifier->keys, &bucket, NULL)) != NULL) {
        table_remove(&verifier->keys, node);
        access_key_destroy(key_of(node));
        bucket = 0;
    }
    table_fini(&verifier->keys);
    access_key_destroy(verifier->dummy);
    sodium_memzero(verifier, sizeof *verifier);
    mem_free(verifier);
}

/* --- access keys ------------------------------------------------------------------------ */

static struct access_key *find_key(const struct verifier *verifier, struct bytes id)
{
    struct table_node *node = table_first(&verifier->keys, table_hash(id));

    while (node != NULL && !bytes_equal(bytes_of_text(key_of(node)->id), id)) {
        node = table_next(node);
    }
    return key_of(node);
}

int verifier_add_key(struct verifier *verifier, const struct access_key_pair *pair, uint64_t tenant,
                     bool is_enabled)
{
    struct bytes id = bytes_of_text(pair->id);
    struct access_key *key;
    int r;

    if (find_key(verifier, id) != NULL) {
        return ERR(ERR_INVALID, "there are two access keys %s", pair->id);
    }
    if (verifier->keys.count >= ACCESS_KEYS_MAX) {
        return ERR(ERR_LIMIT, "there are %u access keys already", ACCESS_KEYS_MAX);
    }
    r = access_key_create(&key, pair, tenant, &verifier->budget, verifier->start_s);
    if (r != 0) {
        return r;
    }
    key->is_enabled = is_enabled;
    r = table_insert(&verifier->keys, &key->by_id, table_hash(id));
    if (r != 0) {
        access_key_destroy(key);
    }
    return r;
}

void verifier_enable_key(struct verifier *verifier, struct bytes id, bool is_enabled)
{
    struct access_key *key = find_key(verifier, id);

    if (key != NULL) {
        key->is_enabled = is_enabled;
    }
}

void verifier_remove_key(struct verifier *verifier, struct bytes id)
{
    struct access_key *key = find_key(verifier, id);

    if (key != NULL) {
        table_remove(&verifier->keys, &key->by_id);
        access_key_destroy(key);
    }
}

/* There is one tenant: a key of another one opens nothing. */
static bool is_good(const struct access_key *key)
{
    return key != NULL && key->is_enabled && key->tenant == TENANT_DEFAULT;
}

/* --- the unix socket and the bearer token ----------------------------------------------------- */

static bool is_text(struct bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && strncasecmp((const char *)bytes.data, text, bytes.len) == 0;
}

/* Up to five digits, or nothing at all: the part of a Host behind the name. */
static bool is_port(struct bytes text)
{
    if (text.len == 0) {
        return true;
    }
    if (text.data[0] != ':' || text.len < 2 || text.len > 6) {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

/* A browser that was led here by a name (DNS rebinding) sends that name. */
static bool is_loopback(struct bytes host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i]);

        if (host.len >= len && is_text(bytes_of(host.data, len), names[i])) {
            return is_port(bytes_of(host.data + len, host.len - len));
        }
    }
    return false;
}

static bool check_unix(const struct verifier *verifier, uid_t peer_uid, struct denial *denial)
{
    return peer_uid == verifier->own_uid || peer_uid == 0 ||
           denial_set(denial, DENIAL_PEER,
                      "The socket is only for the user that the daemon runs as.");
}

static bool check_bearer(const struct verifier *verifier, const struct request_head *head,
                         struct denial *denial)
{
    struct bytes authorization = request_header(head, bytes_of_text("authorization"), 0);
    struct bytes host = request_header(head, bytes_of_text("host"), 0);

    if (host.data == NULL || !is_loopback(host)) {
        return denial_set(denial, DENIAL_HOST, "The Host must be localhost, 127.0.0.1 or [::1].");
    }
    if (authorization.data == NULL) {
        return denial_set(denial, DENIAL_MISSING, "Missing Authentication Token");
    }
    return bearer_is_in(&verifier->bearer, authorization) ||
           denial_set(denial, DENIAL_BEARER,
                      "The bearer token is not the one in the data directory's file `token`.");
}

/* --- signatures ------------------------------------------------------------------------------- */

/* `hash` is used up. */
static bool is_signed(struct verifier *verifier, const struct claim *claim, struct access_key *key,
                      crypto_hash_sha256_state *hash, const char payload[SIGV4_HEX_LEN])
{
    struct access_key *used = (key != NULL) ? key : verifier->dummy;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[SIGV4_HEX_LEN];
    char signature[SIGV4_HEX_LEN];

    (void)crypto_hash_sha256_update(hash, (const uint8_t *)payload, SIGV4_HEX_LEN);
    (void)crypto_hash_sha256_final(hash, digest);
    sigv4_hex(digest, hex);
    sigv4_sign(access_key_of_day(used, claim->day, bytes_of_text(verifier->region)), claim->date,
               claim->scope, hex, signature);
    return sodium_memcmp(signature, claim->signature.data, SIGV4_HEX_LEN) == 0 && is_good(key);
}

static bool deny_mismatch(struct denial *denial)
{
    return denial_set(denial, DENIAL_MISMATCH,
                      "The access key is unknown or disabled, or the signature does not match: "
                      "check the access key id, the secret, and how the request is signed.");
}

static bool begin_hash(struct admission *admission, struct arena *arena)
{
    struct bytes canonical =
        sigv4_canonical(arena, &admission->head, admission->claim.signed_headers);

    if (canonical.data == NULL) {
        return denial_set(&admission->denial, DENIAL_FORM,
                          "The query is malformed, or has more than %u parameters.",
                          SIGV4_PARAMETERS_MAX);
    }
    (void)crypto_hash_sha256_init(&admission->hash);
    (void)crypto_hash_sha256_update(&admission->hash, canonical.data, canonical.len);
    return true;
}

static bool admit_signed(struct verifier *verifier, struct admission *admission, int64_t now_ms,
                         struct arena *arena)
{
    struct claim *claim = &admission->claim;
    struct access_key *key;
    const char *problem = claim_read(&admission->head, arena, claim);

    if (problem != NULL) {
        return denial_set(&admission->denial, DENIAL_FORM, "%s", problem);
    }
    if (!proof_check(&admission->head, claim, verifier->region, now_ms, &admission->denial) ||
        !begin_hash(admission, arena)) {
        return false;
    }
    key = find_key(verifier, claim->key_id);
    if (claim->payload.data == NULL) {
        admission->rest = REST_SIGNATURE;
        admission->is_open = is_good(key);
        return true;
    }
    admission->rest = REST_DIGEST;
    admission->is_open =
        is_signed(verifier, claim, key, &admission->hash, (const char *)claim->payload.data);
    return admission->is_open || deny_mismatch(&admission->denial);
}

/* --- the two steps
 * -------------------------------------------------------------------------------- */

static bool admit_tcp(struct verifier *verifier, struct admission *admission, int64_t now_ms,
                      struct arena *arena)
{
    if (request_header(&admission->head, bytes_of_text("origin"), 0).data != NULL) {
        return denial_set(&admission->denial, DENIAL_ORIGIN,
                          "Requests from web pages (with an Origin) are not accepted.");
    }
    switch (claim_find(&admission->head)) {
    case CLAIM_TWICE:
        return denial_set(&admission->denial, DENIAL_TWICE,
                          "The request has more than one credential: send one Authorization "
                          "header, or the parameters of a presigned request, not both.");
    case CLAIM_SIGNED:
        return admit_signed(verifier, admission, now_ms, arena);
    case CLAIM_NONE:
    case CLAIM_OTHER:
    default:
        admission->is_open = check_bearer(verifier, &admission->head, &admission->denial);
        return admission->is_open;
    }
}

struct admission *verifier_admit(struct verifier *verifier, const struct credentials *credentials,
                                 struct arena *arena)
{
    struct admission *admission = arena_alloc(arena, sizeof *admission);

    if (admission == NULL) {
        return NULL;
    }
    admission->head = credentials->head;
    admission->principal.tenant = TENANT_DEFAULT;
    switch (credentials->kind) {
    case CREDENTIALS_UNIX:
        admission->is_open = check_unix(verifier, credentials->peer_uid, &admission->denial);
        admission->principal.is_operator = admission->is_open;
        break;
    case CREDENTIALS_TCP:
    default:
        (void)admit_tcp(verifier, admission, credentials->now_ms, arena);
        break;
    }
    return admission;
}

bool admission_is_open(const struct admission *admission)
{
    return admission->is_open;
}

bool admission_wants_hash(const struct admission *admission)
{
    return admission->denial.reason == DENIAL_NONE && admission->rest != REST_NOTHING;
}

void admission_hash_body(struct admission *admission, struct bytes body)
{
    sigv4_hash(body, admission->payload);
    admission->is_hashed = true;
}

/* Whose signature this is has been found out: has it been used? */
static bool check_replay(struct admission *admission, struct access_key *key, int64_t now_ms)
{
    const struct claim *claim = &admission->claim;
    bool is_call_signed = claim_signs(claim, bytes_of_text("amz-sdk-invocation-id"));
    uint64_t signature = 0;
    uint32_t age_ms = 0;

    if (proof_is_read(&admission->head) || proof_is_done_once(&admission->head, claim)) {
        return true;
    }
    (void)sodium_hex2bin((uint8_t *)&signature, sizeof signature,
                         (const char *)claim->signature.data, 2 * sizeof signature, NULL, NULL,
                         NULL);
    switch (replay_note(key->replay, signature, claim->date_s, now_ms, &age_ms)) {
    case REPLAY_NEW:
        return true;
    case REPLAY_SEEN:
        return (!is_call_signed && age_ms <= REPEAT_MS) ||
               denial_set(&admission->denial, DENIAL_REPLAY,
                          "This signed request was received before: sign it again.");
    case REPLAY_TOO_OLD:
        return denial_set(&admission->denial, DENIAL_REPLAY,
                          "This request was signed before the daemon started, or very many were "
                          "signed since: sign it again.");
    case REPLAY_NOMEM:
    default:
        return denial_set(&admission->denial, DENIAL_MEMORY,
                          "There is not enough memory for this request.");
    }
}

static bool finish_signed(struct verifier *verifier, struct admission *admission, struct bytes body,
                          int64_t now_ms)
{
    const struct claim *claim = &admission->claim;
    struct access_key *key = find_key(verifier, claim->key_id);

    if (!admission->is_hashed) {
        admission_hash_body(admission, body);
    }
    if (admission->rest == REST_SIGNATURE) {
        if (!is_signed(verifier, claim, key, &admission->hash, admission->payload)) {
            return deny_mismatch(&admission->denial);
        }
    } else if (!is_good(key)) {
        return deny_mismatch(&admission->denial); /* it went while the body came */
    } else if (sodium_memcmp(admission->payload, claim->payload.data, SIGV4_HEX_LEN) != 0) {
        return denial_set(&admission->denial, DENIAL_DIGEST,
                          "x-amz-content-sha256 is not the SHA-256 of the body.");
    }
    admission->principal.tenant = key->tenant;
    return check_replay(admission, key, now_ms);
}

const struct denial *verifier_finish(struct verifier *verifier, struct admission *admission,
                                     struct bytes body, int64_t now_ms,
                                     struct principal *ret_principal)
{
    if (admission->denial.reason != DENIAL_NONE ||
        (admission->rest != REST_NOTHING && !finish_signed(verifier, admission, body, now_ms))) {
        return &admission->denial;
    }
    *ret_principal = admission->principal;
    return NULL;
}

void principal_of_environment(uint64_t tenant, struct principal *ret_principal)
{
    *ret_principal = (struct principal){.tenant = tenant, .is_environment = true};
}
