/* Threads in front of the loop: what only they have. All else is in the other tests, which
 * are run with threads as well (HTTP_TEST_THREADS). */
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/http_loop.h"
#include "tests/http/fixture.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define LATER "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
#define MANY 48

static int open_threads(void **state)
{
    assert_int_equal(setenv("HTTP_TEST_THREADS", "4", 1), 0);
    return set_up(state);
}

static int count_threads(const char *wanted)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int count = 0;

    assert_non_null(tasks);
    while ((task = readdir(tasks)) != NULL) {
        char path[300];
        char name[32] = "";
        FILE *file;

        (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        file = fopen(path, "re");
        if (file != NULL) {
            count += fgets(name, sizeof name, file) != NULL && strcmp(name, wanted) == 0;
            (void)fclose(file);
        }
    }
    (void)closedir(tasks);
    return count;
}

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

static void close_now(struct fixture *f)
{
    http_server_close(f->server, f, note_close);
    http_server_kill(f->server);
    WAIT_FOR(f, f->closed == 1);
}

/* --- threads -------------------------------------------------------------------- */

static void test_threads_come_with_the_address_and_go_with_the_server(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(count_threads("pawl-http\n"), 4);
    assert_int_equal(ask(f, GET), 200);
    close_now(f);
    assert_int_equal(count_threads("pawl-http\n"), 0);
}

/* In which thread a handler runs is what makes routes need no lock. */
static pthread_t home;
static int elsewhere;

static void note_thread(struct fixture *f, struct http_request *request)
{
    (void)f;
    elsewhere += pthread_equal(pthread_self(), home) == 0;
    http_respond(request, 200, NULL, (struct bytes){0});
}

static void note_thread_at_head(struct fixture *f)
{
    (void)f;
    elsewhere += pthread_equal(pthread_self(), home) == 0;
}

static void test_handlers_run_in_the_loop_that_decides(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    home = pthread_self();
    elsewhere = 0;
    f->on_handle = note_thread;
    f->on_admit = note_thread_at_head;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(ask(f, GET), 200);
    }
    client_open_tcp(&client, f);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
    WAIT_FOR(f, f->admitted == 17); /* it is asked about before it is there */
    assert_int_equal(f->handled, 16);
    client_say(&client, "ok");
    client_reply(&client, &reply);
    client_close(&client);
    assert_int_equal(f->handled, 17);
    assert_int_equal(elsewhere, 0);
}

/* --- limits over all of them ------------------------------------------------------ */

static int count_admitted(struct fixture *f, struct client *clients, int count)
{
    struct reply reply;
    int admitted = 0;

    for (int i = 0; i < count; i++) {
        client_open_tcp(&clients[i], f);
        client_say(&clients[i], GET);
    }
    for (int i = 0; i < count; i++) {
        client_reply(&clients[i], &reply);
        assert_true(reply.status == 200 || reply.status == 503);
        admitted += reply.status == 200;
    }
    return admitted;
}

static void close_all(struct client *clients, int count)
{
    for (int i = 0; i < count; i++) {
        client_close(&clients[i]);
    }
}

static void test_connections_of_all_threads_are_counted_together(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client clients[MANY];

    limits.connections_max = 10;
    fixture_reopen(f, &limits);
    assert_int_equal(count_admitted(f, clients, MANY), 10);
    close_all(clients, MANY);
    WAIT_FOR(f, fixture_connections(f) == 0);
    assert_int_equal(count_admitted(f, clients, 10), 10); /* given back, each once */
    close_all(clients, 10);
}

static void test_an_address_is_counted_over_all_threads(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client clients[MANY];

    limits.per_address_max = 7;
    fixture_reopen(f, &limits);
    assert_int_equal(count_admitted(f, clients, MANY), 7);
    close_all(clients, MANY);
    WAIT_FOR(f, fixture_connections(f) == 0);
    assert_int_equal(count_admitted(f, clients, 7), 7);
    close_all(clients, 7);
}

static void test_bodies_of_all_threads_are_counted_together(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client clients[MANY];
    struct reply reply;
    int refused = 0;

    limits.buffered_bytes_max = 100;
    fixture_reopen(f, &limits);
    for (int i = 0; i < MANY; i++) {
        client_open_tcp(&clients[i], f);
        client_say(&clients[i],
                   "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
    }
    WAIT_FOR(f, f->held_count == 10);
    for (int i = 0; i < MANY; i++) {
        client_poll(&clients[i]);
    }
    for (int i = 0; i < 10; i++) {
        http_respond(f->held[i], 200, NULL, (struct bytes){0});
    }
    for (int i = 0; i < MANY; i++) {
        client_reply(&clients[i], &reply);
        refused += reply.status == 503;
    }
    assert_true(refused > 0 && refused <= MANY - 10);
    WAIT_FOR(f, atomic_load(&f->server->census->bodies.used) == 0);
    close_all(clients, MANY);
}

/* --- clients that leave --------------------------------------------------------------- */

static void reset(struct client *client)
{
    struct linger at_once = {.l_onoff = 1};

    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(client);
}

/* What is kept of an earlier request must not come to the next one. */
static void expect_stream(struct fixture *f)
{
    struct client client;
    struct reply reply;
    int before = f->held_count;
    int gone = f->gone;

    client_open_tcp(&client, f);
    client_say(&client, LATER);
    WAIT_FOR(f, f->held_count == before + 1);
    http_begin(f->held[before], 200, NULL);
    turn(f);
    assert_true(http_send(f->held[before], bytes_of_text("whole")));
    http_end(f->held[before]);
    client_reply(&client, &reply);
    assert_string_equal((const char *)reply.body.data, "whole");
    assert_int_equal(f->gone, gone);
    client_close(&client);
}

/* The answer and the news that nobody waits for it pass each other. */
static void test_answers_and_clients_that_leave_may_cross(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 300; i++) {
        struct client client;
        int before = f->held_count;

        client_open_tcp(&client, f);
        client_say(&client, LATER LATER);
        WAIT_FOR(f, f->held_count == before + 2);
        if (i % 3 == 0) {
            reset(&client); /* the thread may know before the answers are made, */
        }
        http_respond(f->held[before + 1], 200, NULL, bytes_of_text("to nobody"));
        if (i % 2 == 0) {
            http_begin(f->held[before], 200, NULL);
            (void)http_send(f->held[before], bytes_of_text("to nobody"));
            http_end(f->held[before]);
        } else {
            http_respond(f->held[before], 200, NULL, (struct bytes){0});
        }
        if (i % 3 != 0) {
            reset(&client); /* or as they are handed over */
        }
        turn(f);
        expect_stream(f);
    }
    assert_int_equal(ask(f, GET), 200);
    WAIT_FOR(f, fixture_connections(f) == 0);
}

/* Asked about, and gone before the answer: it never reaches the handler. */
static void test_clients_that_leave_while_they_are_asked_about(void **state)
{
    struct fixture *f = *state;
    int admitted = 0;

    for (int i = 0; i < 200; i++) {
        struct client client;

        client_open_tcp(&client, f);
        client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello");
        if (i % 2 == 0) {
            admitted++;
            WAIT_FOR(f, f->admitted >= admitted);
        }
        reset(&client);
        admitted = f->admitted;
    }
    WAIT_FOR(f, fixture_connections(f) == 0);
    assert_int_equal(f->handled, 0);
    assert_int_equal(f->gone, 0);
    assert_int_equal(ask(f, GET), 200);
}

/* --- the end --------------------------------------------------------------------------- */

/* Requests are on their way in, and answers on their way out, when it comes. */
static void end_in_the_middle(struct fixture *f, bool is_killed)
{
    struct client clients[MANY];
    struct reply reply;
    int answered = 0;

    for (int i = 0; i < MANY; i++) {
        client_open_tcp(&clients[i], f);
        client_say(&clients[i], LATER);
    }
    WAIT_FOR(f, f->held_count == MANY);
    for (int i = 0; i < MANY / 2; i++) {
        http_respond(f->held[i], 200, NULL, bytes_of_text("now"));
    }
    for (int i = 0; i < 8; i++) { /* of others, which nobody has looked at yet */
        assert_int_equal(send(clients[MANY - 1 - i].fd, LATER, strlen(LATER), MSG_NOSIGNAL),
                         strlen(LATER));
    }
    http_server_close(f->server, f, note_close);
    if (is_killed) {
        http_server_kill(f->server);
        assert_int_equal(f->gone, MANY / 2); /* told before it returns */
        WAIT_FOR(f, f->closed == 1);
    }
    for (int i = MANY / 2; i < MANY; i++) {
        http_respond(f->held[i], 200, NULL, bytes_of_text("later"));
    }
    for (int i = 0; i < MANY && !is_killed; i++) {
        client_reply(&clients[i], &reply);
        answered += reply.status == 200;
    }
    assert_int_equal(answered, is_killed ? 0 : MANY);
    assert_true(f->held_count == MANY);
    close_all(clients, MANY);
    WAIT_FOR(f, f->closed == 1);
}

static void test_close_answers_what_is_in_flight_in_both_directions(void **state)
{
    end_in_the_middle(*state, false);
}

static void test_kill_tells_all_handlers_and_outlives_no_request(void **state)
{
    end_in_the_middle(*state, true);
}

/* --- what cannot be had ----------------------------------------------------------------- */

static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

/* Where another process shares its address on purpose, too. */
static void test_an_address_that_another_shares_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    const int yes = 1;
    char text[32];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
    err_set_sink(ignore_error);
    assert_int_equal(http_listen_tcp(f->server, text), ERR_SYSTEM);
    err_set_sink(NULL);
    (void)close(fd);
    assert_int_equal(ask(f, GET), 200);
}

/* One allocation after the other, in whichever thread: its client is answered, or told by the end
 * of its connection; the next one is served as if nothing had been. */
static atomic_long fail_after = -1;
static atomic_bool has_failed;

static bool may_allocate(size_t size)
{
    (void)size;
    if (atomic_load(&fail_after) < 0 || atomic_fetch_sub(&fail_after, 1) > 0) {
        return true;
    }
    atomic_store(&has_failed, true);
    return false;
}

static void answer_in_pieces(struct fixture *f, struct http_request *request)
{
    struct bytes body = http_body(request);

    (void)f;
    http_add_header(request, "x-name", bytes_of_text("value"));
    http_begin(request, 200, "text/plain");
    (void)(http_send(request, body) && http_send(request, bytes_of_text("well done")));
    http_end(request);
}

/* In two parts, so that it is asked about: "POST" and its body. */
static bool try_asking(struct fixture *f, long after)
{
    struct client client;
    bool is_answered;

    client_open_tcp(&client, f);
    assert_non_null(buf_reserve(&client.received, 65536)); /* not the client's own */
    atomic_store(&fail_after, after);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
    client_say(&client, "ok");
    WAIT_FOR(f, (client_poll(&client),
                 client.is_ended || (client.received.len > 5 &&
                                     memcmp(client.received.data + client.received.len - 5,
                                            "0\r\n\r\n", 5) == 0)));
    atomic_store(&fail_after, -1);
    is_answered = !client.is_ended && memcmp(client.received.data, "HTTP/1.1 200", 12) == 0 &&
                  memmem(client.received.data, client.received.len, "well done", 9) != NULL;
    client_close(&client);
    return is_answered;
}

static void test_each_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    long n = 0;

    fixture_close(f);
    err_set_sink(ignore_error);
    mem_set_hook(may_allocate); /* before there are threads, and until there are none */
    do {
        fixture_open(f, &http_limits_default);
        f->on_handle = answer_in_pieces;
        atomic_store(&has_failed, false);
        (void)try_asking(f, n++);
        WAIT_FOR(f, fixture_connections(f) == 0);
        assert_true(try_asking(f, -1));
        fixture_close(f);
    } while (atomic_load(&has_failed));
    mem_set_hook(NULL);
    err_set_sink(NULL);
    assert_true(n > 8); /* connection, address, request, errand, texts, bodies and letters */
    fixture_open(f, &http_limits_default);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_threads, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_threads_come_with_the_address_and_go_with_the_server),
        TEST(test_handlers_run_in_the_loop_that_decides),
        TEST(test_connections_of_all_threads_are_counted_together),
        TEST(test_an_address_is_counted_over_all_threads),
        TEST(test_bodies_of_all_threads_are_counted_together),
        TEST(test_answers_and_clients_that_leave_may_cross),
        TEST(test_clients_that_leave_while_they_are_asked_about),
        TEST(test_close_answers_what_is_in_flight_in_both_directions),
        TEST(test_kill_tells_all_handlers_and_outlives_no_request),
        TEST(test_an_address_that_another_shares_is_refused),
        TEST(test_each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
