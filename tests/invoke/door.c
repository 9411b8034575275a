#include "tests/invoke/door.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke/moment.h"

#define REQUEST_MAX 65536

static void read_token(struct door *door)
{
    char path[128];
    char token[80] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/token", door->http.dir);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(token, 1, 64, file), 64);
    (void)fclose(file);
    (void)snprintf(door->bearer, sizeof door->bearer, "Authorization: Bearer %s\r\n", token);
}

int door_set_up(void **state)
{
    struct door *door = calloc(1, sizeof *door);
    struct fixture *f = &door->http;

    fake_reset();
    assert_int_equal(uv_loop_init(&f->loop), 0);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_invoke.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/http.sock", f->dir);
    assert_int_equal(verifier_create(&door->verifier, f->dir, "us-east-1", moment_now_ms()), 0);
    read_token(door);
    door->service = (struct service){.loop = &f->loop,
                                     .verifier = door->verifier,
                                     .guest_budget.max = (uint64_t)1 << 30,
                                     .region = "us-east-1",
                                     .sandbox = "sandbox: none"};
    assert_int_equal(service_init(&door->service), 0);
    f->limits = http_limits_default;
    f->limits.header_ms = 120000; /* the machine may be busy */
    assert_int_equal(http_server_create(&f->server, &f->loop, &f->limits, &door->service,
                                        router_admit, router_handle),
                     0);
    http_server_use_threads(f->server, fixture_threads());
    assert_int_equal(http_listen_tcp(f->server, "127.0.0.1:0"), 0);
    assert_int_equal(http_listen_unix(f->server, f->path), 0);
    client_open_unix(&door->client, f);
    *state = door;
    return 0;
}

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

int door_tear_down(void **state)
{
    struct door *door = *state;
    struct fixture *f = &door->http;
    char path[128];

    client_close(&door->client);
    service_end_streams(&door->service);
    http_server_close(f->server, f, note_close);
    http_server_kill(f->server);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f->closed, 1);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    (void)snprintf(path, sizeof path, "%s/token", f->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(f->dir), 0);
    verifier_destroy(door->verifier);
    fake_reset();
    free(door);
    return 0;
}

void door_ask(struct door *door, const char *line, const char *headers, const char *body,
              struct reply *ret_reply)
{
    static char text[REQUEST_MAX];
    size_t len = (body != NULL) ? strlen(body) : 0;
    int written =
        snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost\r\n%s", line, headers);

    if (body != NULL) {
        written +=
            snprintf(text + written, sizeof text - (size_t)written, "Content-Length: %zu\r\n", len);
    }
    client_say(&door->client, text);
    client_say(&door->client, "\r\n");
    client_send(&door->client, (body != NULL) ? body : "", len);
    client_reply(&door->client, ret_reply);
}

void door_expect(struct door *door, const char *line, const char *headers, const char *body,
                 int status, const char *const *texts)
{
    struct reply reply;

    door_ask(door, line, headers, body, &reply);
    if (reply.status != status) {
        fail_msg("%s: %d instead of %d: %.*s", line, reply.status, status, (int)reply.body.len,
                 (const char *)reply.body.data);
    }
    for (; *texts != NULL; texts++) {
        if (strstr(reply.head, *texts) == NULL &&
            memmem(reply.body.data, reply.body.len, *texts, strlen(*texts)) == NULL) {
            fail_msg("%s: no '%s' in:\n%s\n%.*s", line, *texts, reply.head, (int)reply.body.len,
                     (const char *)reply.body.data);
        }
    }
}

void expect_asked(const char *text)
{
    if (strstr(fake.asked, text) == NULL) {
        fail_msg("the driver was not asked '%s' but '%s'", text, fake.asked);
    }
}
