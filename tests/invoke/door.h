/* The routes behind a real HTTP server and a real verifier, with the fake driver below. */
#ifndef TESTS_INVOKE_DOOR_H
#define TESTS_INVOKE_DOOR_H

#include "tests/http/fixture.h"

#include "invoke/router.h"
#include "tests/invoke/fake_driver.h"

struct door {
    struct fixture http;
    struct service service;
    struct verifier *verifier;
    char bearer[128];     /* "Authorization: Bearer ...\r\n" */
    struct client client; /* on the unix socket */
};

int door_set_up(void **state);
int door_tear_down(void **state);

/* One request over the unix socket: "POST /path", headers (each with its line end, or
 * ""), body (NULL: none). The reply's body ends with a zero byte. */
void door_ask(struct door *door, const char *line, const char *headers, const char *body,
              struct reply *ret_reply);

/* The same, and checks: the status, and that every text is in head or body. */
#define EXPECT(door, line, headers, body, status, ...)                                             \
    door_expect(door, line, headers, body, status, (const char *const[]){"", ##__VA_ARGS__, NULL})
void door_expect(struct door *door, const char *line, const char *headers, const char *body,
                 int status, const char *const *texts);

/* What the driver was asked has this text. */
void expect_asked(const char *text);

#endif /* TESTS_INVOKE_DOOR_H */
