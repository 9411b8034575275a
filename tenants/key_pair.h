/* The two halves of an access key, as they are made and told. */
#ifndef TENANTS_KEY_PAIR_H
#define TENANTS_KEY_PAIR_H

#include "engine/base/bytes.h"

#define ACCESS_KEY_ID_LEN 20U     /* "AKIA" and 80 random bits in base32 */
#define ACCESS_KEY_SECRET_LEN 40U /* 240 random bits in base64 */

/* Texts with an end. */
struct access_key_pair {
    char id[ACCESS_KEY_ID_LEN + 1];
    char secret[ACCESS_KEY_SECRET_LEN + 1];
};

/* A new random pair. */
void access_key_make(struct access_key_pair *ret_pair);

/* 20 capital letters and digits; 40 characters of base64. */
bool access_key_is_id(struct bytes text);
bool access_key_is_secret(struct bytes text);

#endif /* TENANTS_KEY_PAIR_H */
