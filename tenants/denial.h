/* Why a request is not admitted, in the words that Lambda's clients know. */
#ifndef TENANTS_DENIAL_H
#define TENANTS_DENIAL_H

#include <stdbool.h>

/* Reason, status, name of the error. Unknown keys, disabled ones and wrong signatures are
 * one reason: nobody learns from the answer which it was. */
#define DENIAL_MAP(X)                                                                              \
    X(PEER, 403, "AccessDeniedException")                                                          \
    X(ORIGIN, 403, "AccessDeniedException")                                                        \
    X(HOST, 403, "AccessDeniedException")                                                          \
    X(BEARER, 403, "AccessDeniedException")                                                        \
    X(MISSING, 403, "MissingAuthenticationTokenException")                                         \
    X(TWICE, 400, "IncompleteSignatureException")                                                  \
    X(FORM, 400, "IncompleteSignatureException")                                                   \
    X(PATH, 400, "IncompleteSignatureException")                                                   \
    X(HEADERS, 400, "IncompleteSignatureException")                                                \
    X(PAYLOAD, 400, "IncompleteSignatureException")                                                \
    X(EXPIRES, 400, "IncompleteSignatureException")                                                \
    X(UNSIGNED, 403, "InvalidSignatureException")                                                  \
    X(SCOPE, 403, "InvalidSignatureException")                                                     \
    X(TIME, 403, "InvalidSignatureException")                                                      \
    X(SESSION, 403, "UnrecognizedClientException")                                                 \
    X(MISMATCH, 403, "InvalidSignatureException")                                                  \
    X(DIGEST, 403, "InvalidSignatureException")                                                    \
    X(REPLAY, 403, "InvalidSignatureException")                                                    \
    X(MEMORY, 500, "ServiceException")

enum denial_reason {
    DENIAL_NONE,
#define X(reason, status, name) DENIAL_##reason,
    DENIAL_MAP(X)
#undef X
        DENIALS,
};

#define DENIAL_MESSAGE_MAX 256U

struct denial {
    enum denial_reason reason;
    int status;
    const char *name;
    char message[DENIAL_MESSAGE_MAX];
};

/* Always false, so that a check can return it. */
bool denial_set(struct denial *denial, enum denial_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* TENANTS_DENIAL_H */
