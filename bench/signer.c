#include "bench/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenants/sigv4.h"

#define SIGNED "content-type;host;x-amz-date;x-amz-invocation-type"

struct signer {
    struct arena arena;
    struct sigv4_key key; /* a benchmark's own, of a daemon that ends with it */
    char id[64];
    char secret[128];
    char region[32];
    char day[SIGV4_DAY_LEN + 1];
};

struct signer *signer_create(const char *key, const char *region)
{
    struct signer *signer = calloc(1, sizeof *signer);

    if (signer == NULL || secret_init() != 0 ||
        sscanf(key, "%63[^:]:%127s", signer->id, signer->secret) != 2) {
        (void)fprintf(stderr, "bench_client: --key ID:SECRET\n");
        exit(2);
    }
    (void)snprintf(signer->region, sizeof signer->region, "%s", region);
    arena_init(&signer->arena, 0);
    return signer;
}

void signer_destroy(struct signer *signer)
{
    if (signer != NULL) {
        arena_fini(&signer->arena);
        free(signer);
    }
}

static void read_date(char date[SIGV4_DATE_LEN + 1])
{
    time_t now = time(NULL);
    struct tm moment;

    if (gmtime_r(&now, &moment) == NULL ||
        strftime(date, SIGV4_DATE_LEN + 1, "%Y%m%dT%H%M%SZ", &moment) == 0) {
        abort();
    }
}

static void use_day(struct signer *signer, const char *date)
{
    if (memcmp(signer->day, date, SIGV4_DAY_LEN) == 0) {
        return;
    }
    memcpy(signer->day, date, SIGV4_DAY_LEN);
    sigv4_key_derive(bytes_of_text(signer->secret), bytes_of(date, SIGV4_DAY_LEN),
                     bytes_of_text(signer->region), bytes_of_text(SIGV4_SERVICE), &signer->key);
}

static void hash_request(struct signer *signer, const struct request_head *head, struct bytes body,
                         char ret_hash[SIGV4_HEX_LEN])
{
    struct bytes canonical = sigv4_canonical(&signer->arena, head, bytes_of_text(SIGNED));
    char *whole = arena_alloc(&signer->arena, canonical.len + SIGV4_HEX_LEN);

    if (canonical.data == NULL || whole == NULL) {
        abort();
    }
    memcpy(whole, canonical.data, canonical.len);
    sigv4_hash(body, whole + canonical.len);
    sigv4_hash(bytes_of(whole, canonical.len + SIGV4_HEX_LEN), ret_hash);
}

size_t signer_sign(struct signer *signer, const char *path, const char *host, const char *type,
                   const char *body, size_t body_len, char headers[SIGNER_HEADERS_MAX])
{
    char date[SIGV4_DATE_LEN + 1];
    char scope[96];
    char hash[SIGV4_HEX_LEN];
    char signature[SIGV4_HEX_LEN];
    int len;

    read_date(date);
    use_day(signer, date);
    const struct request_header signed_headers[] = {
        {bytes_of_text("content-type"), bytes_of_text("application/octet-stream")},
        {bytes_of_text("host"), bytes_of_text(host)},
        {bytes_of_text("x-amz-date"), bytes_of(date, SIGV4_DATE_LEN)},
        {bytes_of_text("x-amz-invocation-type"), bytes_of_text(type)}};
    const struct request_head head = {.method = bytes_of_text("POST"),
                                      .path = bytes_of_text(path),
                                      .query = bytes_of("", 0),
                                      .headers = signed_headers,
                                      .header_count = 4};

    arena_reset(&signer->arena);
    (void)snprintf(scope, sizeof scope, "%s/%s/" SIGV4_SERVICE "/" SIGV4_TERMINATOR, signer->day,
                   signer->region);
    hash_request(signer, &head, bytes_of(body, body_len), hash);
    sigv4_sign(&signer->key, bytes_of(date, SIGV4_DATE_LEN), bytes_of_text(scope), hash, signature);
    len = snprintf(headers, SIGNER_HEADERS_MAX,
                   "X-Amz-Date: %s\r\n"
                   "Authorization: " SIGV4_ALGORITHM " Credential=%s/%s, SignedHeaders=" SIGNED
                   ", Signature=%.*s\r\n",
                   date, signer->id, scope, (int)SIGV4_HEX_LEN, signature);
    return (size_t)len;
}
