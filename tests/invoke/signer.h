/* A request as a client signs it, of which a test can change every part before it is signed
 * and after. */
#ifndef TESTS_INVOKE_SIGNER_H
#define TESTS_INVOKE_SIGNER_H

#include "invoke/router.h"
#include "tenants/access_key.h"

enum { SIGNER_HEADERS_MAX = 16, SIGNER_TEXT_MAX = 8192 };

struct signer_header {
    char name[64];
    char value[1024];
};

struct signer {
    char method[16];
    char path[512];
    char query[2048];
    struct signer_header headers[SIGNER_HEADERS_MAX]; /* an empty name: none */
    char body[512];

    /* how it is signed */
    char key_id[64];
    char secret[64];
    char date[32];
    char day[32];
    char region[32];
    char service[32];
    char terminator[32];
    char signed_headers[512]; /* "": host, content-type and every x-amz-... */
    char payload[128];        /* "": the hash of the body */
    char expires[16];         /* "": in a header; else presigned */
    char path_once[4];        /* "": encoded twice, as for Lambda; else once, as for S3 */
};

/* The route with "f" for each label and a small body, with this key, at this second. */
void signer_init(struct signer *signer, const struct route *route,
                 const struct access_key_pair *pair, int64_t now_s);
void signer_set_date(struct signer *signer, int64_t date_s); /* and day */

void signer_set_header(struct signer *signer, const char *name, const char *value);
void signer_add_header(struct signer *signer, const char *name, const char *value);
void signer_drop_header(struct signer *signer, const char *name);
/* Its value, to be changed, or NULL. */
char *signer_header(struct signer *signer, const char *name);

/* The hash of the body as a header, to be signed. */
void signer_add_hash(struct signer *signer);

/* Adds Authorization, or the parameters of a presigned request. */
void signer_sign(struct signer *signer);

/* What goes over the wire. */
void signer_text(const struct signer *signer, char text[SIGNER_TEXT_MAX]);

#endif /* TESTS_INVOKE_SIGNER_H */
