#include "tests/invoke/signer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

static void set(char *field, size_t max, const char *text)
{
    int len = snprintf(field, max, "%s", text);

    assert(len >= 0 && (size_t)len < max);
}

#define SET(field, text) set((field), sizeof(field), (text))

/* --- parts ----------------------------------------------------------------------------- */

static void fill(char *path, size_t max, const char *pattern)
{
    size_t len = 0;

    for (; *pattern != '\0'; pattern++) {
        bool is_label = strncmp(pattern, "{}", 2) == 0;

        len += (size_t)snprintf(path + len, max - len, "%c", is_label ? 'f' : *pattern);
        pattern += is_label ? 1 : 0;
    }
}

void signer_set_date(struct signer *signer, int64_t date_s)
{
    time_t moment = (time_t)date_s;
    struct tm parts;

    (void)gmtime_r(&moment, &parts);
    (void)strftime(signer->date, sizeof signer->date, "%Y%m%dT%H%M%SZ", &parts);
    (void)snprintf(signer->day, sizeof signer->day, "%.8s", signer->date);
}

void signer_init(struct signer *signer, const struct route *route,
                 const struct access_key_pair *pair, int64_t now_s)
{
    memset(signer, 0, sizeof *signer);
    SET(signer->method, route->method);
    fill(signer->path, sizeof signer->path, route->path);
    SET(signer->query, "Qualifier=%24LATEST&Zulu=1");
    SET(signer->body, "{}");
    SET(signer->key_id, pair->id);
    SET(signer->secret, pair->secret);
    SET(signer->region, "us-east-1");
    SET(signer->service, SIGV4_SERVICE);
    SET(signer->terminator, SIGV4_TERMINATOR);
    signer_set_date(signer, now_s);
    signer_add_header(signer, "host", "pawl.example:9100");
    signer_add_header(signer, "amz-sdk-invocation-id", "0193-of-the-call");
}

char *signer_header(struct signer *signer, const char *name)
{
    for (size_t i = 0; i < SIGNER_HEADERS_MAX; i++) {
        if (strcasecmp(signer->headers[i].name, name) == 0) {
            return signer->headers[i].value;
        }
    }
    return NULL;
}

void signer_add_header(struct signer *signer, const char *name, const char *value)
{
    for (size_t i = 0; i < SIGNER_HEADERS_MAX; i++) {
        if (signer->headers[i].name[0] == '\0') {
            SET(signer->headers[i].name, name);
            SET(signer->headers[i].value, value);
            return;
        }
    }
    assert(!"too many headers");
}

void signer_set_header(struct signer *signer, const char *name, const char *value)
{
    char *field = signer_header(signer, name);

    if (field == NULL) {
        signer_add_header(signer, name, value);
    } else {
        set(field, sizeof signer->headers[0].value, value);
    }
}

void signer_drop_header(struct signer *signer, const char *name)
{
    for (size_t i = 0; i < SIGNER_HEADERS_MAX; i++) {
        if (strcasecmp(signer->headers[i].name, name) == 0) {
            signer->headers[i].name[0] = '\0';
        }
    }
}

void signer_add_hash(struct signer *signer)
{
    char hash[SIGV4_HEX_LEN + 1] = {0};

    sigv4_hash(bytes_of_text(signer->body), hash);
    signer_set_header(signer, "x-amz-content-sha256", hash);
}

/* --- signing ----------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_headers(struct signer *signer)
{
    const char *names[SIGNER_HEADERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < SIGNER_HEADERS_MAX; i++) {
        const char *name = signer->headers[i].name;

        if (strncmp(name, "x-amz-", 6) == 0 || strcmp(name, "host") == 0 ||
            strcmp(name, "content-type") == 0 || strcmp(name, "amz-sdk-invocation-id") == 0) {
            names[count++] = name;
        }
    }
    qsort(names, count, sizeof names[0], compare_texts);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            (void)strncat(signer->signed_headers, ";", 2);
        }
        (void)strncat(signer->signed_headers, names[i], 100);
    }
}

static void append_encoded(char *out, size_t max, const char *text)
{
    size_t len = strlen(out);

    for (; *text != '\0'; text++) {
        bool is_plain = strchr("-._~", *text) != NULL || (*text >= '0' && *text <= '9') ||
                        (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z');

        len += (size_t)snprintf(out + len, max - len, is_plain ? "%c" : "%%%02X",
                                (unsigned char)*text);
    }
}

static void append_parameter(struct signer *signer, const char *name, const char *value)
{
    size_t max = sizeof signer->query;
    size_t len = strlen(signer->query);

    (void)snprintf(signer->query + len, max - len, "%s%s=", (len > 0) ? "&" : "", name);
    append_encoded(signer->query, max, value);
}

/* All but the signature. */
static void presign(struct signer *signer, const char *scope)
{
    char credential[256];

    (void)snprintf(credential, sizeof credential, "%s/%s", signer->key_id, scope);
    append_parameter(signer, "X-Amz-Algorithm", SIGV4_ALGORITHM);
    append_parameter(signer, "X-Amz-Credential", credential);
    append_parameter(signer, "X-Amz-Date", signer->date);
    append_parameter(signer, "X-Amz-Expires", signer->expires);
    append_parameter(signer, "X-Amz-SignedHeaders", signer->signed_headers);
}

static void undo_encoding(struct bytes *canonical, const char *path, char *out, size_t max)
{
    const char *text = (const char *)canonical->data;
    const char *first = memchr(text, '\n', canonical->len);
    const char *second = memchr(first + 1, '\n', canonical->len);
    int len = snprintf(out, max, "%.*s\n%s%.*s", (int)(first - text), text, path,
                       (int)(canonical->len - (size_t)(second - text)), second);

    *canonical = bytes_of(out, (size_t)len);
}

static void make_signature(const struct signer *signer, const char *scope,
                           char signature[SIGV4_HEX_LEN + 1])
{
    struct request_header headers[SIGNER_HEADERS_MAX];
    struct request_head head = {.method = bytes_of_text(signer->method),
                                .path = bytes_of_text(signer->path),
                                .query = bytes_of_text(signer->query),
                                .headers = headers};
    char text[SIGNER_TEXT_MAX];
    char hash[SIGV4_HEX_LEN + 1] = {0};
    struct bytes canonical;
    struct sigv4_key key;
    struct arena arena;

    for (size_t i = 0; i < SIGNER_HEADERS_MAX; i++) {
        headers[head.header_count++] =
            (struct request_header){.name = bytes_of_text(signer->headers[i].name),
                                    .value = bytes_of_text(signer->headers[i].value)};
    }
    arena_init(&arena, 0);
    canonical = sigv4_canonical(&arena, &head, bytes_of_text(signer->signed_headers));
    assert(canonical.data != NULL);
    if (signer->path_once[0] != '\0') {
        static char single[SIGNER_TEXT_MAX];

        undo_encoding(&canonical, signer->path, single, sizeof single);
    }
    sigv4_hash(bytes_of_text(signer->body), hash);
    (void)snprintf(text, sizeof text, "%.*s%s", (int)canonical.len, (const char *)canonical.data,
                   (signer->payload[0] != '\0') ? signer->payload : hash);
    sigv4_hash(bytes_of_text(text), hash);
    sigv4_key_derive(bytes_of_text(signer->secret), bytes_of_text(signer->day),
                     bytes_of_text(signer->region), bytes_of_text(signer->service), &key);
    sigv4_sign(&key, bytes_of_text(signer->date), bytes_of_text(scope), hash, signature);
    signature[SIGV4_HEX_LEN] = '\0';
    arena_fini(&arena);
}

void signer_sign(struct signer *signer)
{
    char scope[192];
    char signature[SIGV4_HEX_LEN + 1];
    char value[1024];

    (void)snprintf(scope, sizeof scope, "%s/%s/%s/%s", signer->day, signer->region, signer->service,
                   signer->terminator);
    if (signer->expires[0] == '\0' && signer_header(signer, "x-amz-date") == NULL) {
        signer_add_header(signer, "x-amz-date", signer->date);
    }
    if (signer->signed_headers[0] == '\0') {
        list_headers(signer);
    }
    if (signer->expires[0] != '\0') {
        presign(signer, scope);
        make_signature(signer, scope, signature);
        append_parameter(signer, "X-Amz-Signature", signature);
        return;
    }
    make_signature(signer, scope, signature);
    (void)snprintf(value, sizeof value,
                   SIGV4_ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                   signer->key_id, scope, signer->signed_headers, signature);
    signer_add_header(signer, "authorization", value);
}

void signer_text(const struct signer *signer, char text[SIGNER_TEXT_MAX])
{
    size_t max = SIGNER_TEXT_MAX;
    size_t len = (size_t)snprintf(text, max, "%s %s%s%s HTTP/1.1\r\n", signer->method, signer->path,
                                  (signer->query[0] != '\0') ? "?" : "", signer->query);

    for (size_t i = 0; i < SIGNER_HEADERS_MAX; i++) {
        const struct signer_header *header = &signer->headers[i];

        if (header->name[0] != '\0') {
            len +=
                (size_t)snprintf(text + len, max - len, "%s: %s\r\n", header->name, header->value);
        }
    }
    len += (size_t)snprintf(text + len, max - len, "content-length: %zu\r\n\r\n%s",
                            strlen(signer->body), signer->body);
    assert(len < max);
}
