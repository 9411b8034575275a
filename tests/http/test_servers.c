/* Servers by the hundred, each on a descriptor that listens already: what one environment
 * has. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "invoke/http_connection.h"
#include "tests/http/fixture.h"

enum { SERVERS = 300 };

struct place {
    struct fixture *f;
    struct http_server *server;
    struct http_request *held; /* for /next */
    int number;
    int port;
    int gone;
    int closed;
    int large_count; /* answers of /large */
};

static const struct http_limits limits = {.connections_max = 16,
                                          .pipeline_max = 1,
                                          .header_ms = 5000,
                                          .body_bytes_per_s = 1024,
                                          .buffered_bytes_max = 16 << 20,
                                          .unread_bytes_max = 16 << 20,
                                          .trailer_bytes_max = 8192};

static uint8_t large[16 << 20]; /* more than the kernel takes of an unread answer */

static int listen_somewhere(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static size_t admit(void *arg, struct http_request *request)
{
    (void)arg;
    (void)request;
    return 1000;
}

static void note_gone(void *user)
{
    ((struct place *)user)->gone++;
}

static void handle(void *arg, struct http_request *request)
{
    struct place *place = arg;
    char text[16];

    if (bytes_equal(http_path(request), bytes_of_text("/next"))) {
        place->held = request;
        http_set_user(request, place, note_gone);
        return;
    }
    if (bytes_equal(http_path(request), bytes_of_text("/large"))) {
        http_respond(request, 200, "text/plain", bytes_of(large, sizeof large));
        place->large_count++;
        return;
    }
    (void)snprintf(text, sizeof text, "%d", place->number);
    http_respond(request, 200, "text/plain", bytes_of_text(text));
}

static void open_limited(struct place *place, struct fixture *f, int number,
                         const struct http_limits *its_limits)
{
    *place = (struct place){.f = f, .number = number};
    assert_int_equal(http_server_create(&place->server, &f->loop, its_limits, place, admit, handle),
                     0);
    assert_int_equal(http_listen_fd(place->server, listen_somewhere(&place->port)), 0);
    assert_int_equal(http_server_port(place->server), place->port);
}

static void open_place(struct place *place, struct fixture *f, int number)
{
    open_limited(place, f, number, &limits);
}

static void note_close(void *arg)
{
    struct place *place = arg;

    place->closed++;
    place->server = NULL;
}

/* As when its environment is killed. */
static void kill_place(struct place *place)
{
    http_server_close(place->server, place, note_close);
    http_server_kill(place->server);
}

static void connect_to(struct client *client, struct place *place)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)place->port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *client = (struct client){.f = place->f};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

static void expect_number(struct client *client, int number)
{
    struct reply reply;
    char text[16];

    client_say(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client_reply(client, &reply);
    (void)snprintf(text, sizeof text, "%d", number);
    assert_string_equal((const char *)reply.body.data, text);
}

static void ask_for_next(struct client *client, struct place *place)
{
    connect_to(client, place);
    client_say(client, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(place->f, place->held != NULL);
}

static void test_listening_descriptor_is_served_and_closed(void **state)
{
    struct fixture *f = *state;
    struct place place;
    struct client client;
    int fd;

    open_place(&place, f, 7);
    fd = place.server->listeners[0]->socket.tcp.io_watcher.fd;
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    connect_to(&client, &place);
    expect_number(&client, 7);
    kill_place(&place);
    client_expect_end(&client);
    WAIT_FOR(f, place.closed == 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    client_close(&client);
}

static int count_errors;

static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)file;
    (void)line;
    assert_int_equal(code, ERR_INVALID);
    assert_non_null(strstr(text, "not a listening TCP socket"));
    count_errors++;
}

static void test_other_descriptors_are_refused_and_closed(void **state)
{
    struct fixture *f = *state;
    int fds[] = {open("/dev/null", O_RDONLY | O_CLOEXEC), socket(AF_INET, SOCK_STREAM, 0),
                 socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_STREAM, 0)};

    err_set_sink(ignore_error);
    count_errors = 0;
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        assert_true(fds[i] >= 0);
        assert_int_equal(http_listen_fd(f->server, fds[i]), ERR_INVALID);
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    }
    assert_int_equal(count_errors, 4);
    err_set_sink(NULL);
}

/* Each asks its own, all hold one request, and one after the other is killed. */
static void test_hundreds_of_servers_are_apart(void **state)
{
    static struct place places[SERVERS];
    static struct client held[SERVERS];
    struct fixture *f = *state;
    struct client client;

    for (int i = 0; i < SERVERS; i++) {
        open_place(&places[i], f, i);
        ask_for_next(&held[i], &places[i]);
        assert_ptr_equal(places[i].server->input, f->server->input);
    }
    WAIT_FOR(f, uv_backend_timeout(&f->loop) == -1); /* none of them has a timer */
    for (int i = 0; i < SERVERS - 1; i++) {
        connect_to(&client, &places[SERVERS - 1]);
        expect_number(&client, SERVERS - 1);
        client_close(&client);
        kill_place(&places[i]);
        assert_int_equal(places[i].gone, 1);
        http_respond(places[i].held, 200, NULL, (struct bytes){0}); /* to nobody */
        client_expect_end(&held[i]);
        client_close(&held[i]);
        WAIT_FOR(f, places[i].closed == 1);
    }
    kill_place(&places[SERVERS - 1]);
    http_respond(places[SERVERS - 1].held, 200, NULL, (struct bytes){0});
    WAIT_FOR(f, places[SERVERS - 1].closed == 1);
    client_close(&held[SERVERS - 1]);
    assert_int_equal(ask(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
}

static void test_server_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct http_server) < 2048);
}

/* The event that has not come yet: nothing ends the wait but the client. */
static void test_held_request_has_no_deadline_and_its_client_is_watched(void **state)
{
    struct fixture *f = *state;
    struct http_connection *connection;
    struct place place;
    struct client client;
    struct reply reply;

    open_place(&place, f, 1);
    ask_for_next(&client, &place);
    connection = container_of(place.server->connections.next, struct http_connection, link);
    assert_false(http_connection_check_time(connection, connection->since_ms + 86400000));
    assert_int_equal(connection->state, HTTP_CONNECTION_OPEN);
    http_respond(place.held, 202, NULL, (struct bytes){0});
    place.held = NULL;
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 202);
    assert_false(http_connection_check_time(connection, connection->since_ms + 86400000));
    client_say(&client, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(f, place.held != NULL);
    client_close(&client);
    WAIT_FOR(f, place.gone == 1);
    http_respond(place.held, 200, NULL, (struct bytes){0});
    kill_place(&place);
    WAIT_FOR(f, place.closed == 1);
}

/* More connections than one address may have at the front door. */
static void test_address_is_not_limited_where_all_have_the_same(void **state)
{
    struct fixture *f = *state;
    struct http_limits many = limits;
    struct client clients[300];
    struct place place = {.f = f, .number = 9};

    many.connections_max = 300;
    assert_int_equal(http_server_create(&place.server, &f->loop, &many, &place, admit, handle), 0);
    assert_int_equal(http_listen_fd(place.server, listen_somewhere(&place.port)), 0);
    for (int i = 0; i < 300; i++) {
        connect_to(&clients[i], &place);
        expect_number(&clients[i], 9);
    }
    kill_place(&place);
    for (int i = 0; i < 300; i++) {
        client_close(&clients[i]);
    }
    WAIT_FOR(f, place.closed == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- answers that nobody reads ------------------------------------------------------------ */

static uint64_t unread_of(const struct place *place)
{
    return atomic_load(&place->server->census->unread.used);
}

/* Asks and does not read. */
static void ask_for_large(struct client *client, struct place *place)
{
    int before = place->large_count;

    connect_to(client, place);
    client_say(client, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(place->f, place->large_count > before);
    turn(place->f);
}

static void read_large(struct client *client)
{
    struct reply reply;

    client_reply(client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, sizeof large);
}

static void close_place(struct place *place)
{
    struct fixture *f = place->f;

    kill_place(place);
    WAIT_FOR(f, place->closed == 1);
}

static void test_unread_answers_together_are_limited(void **state)
{
    struct fixture *f = *state;
    struct http_limits its_limits = limits;
    struct place place;
    struct client clients[6];

    its_limits.unread_bytes_max = sizeof large + (4 << 20);
    open_limited(&place, f, 1, &its_limits);
    for (size_t i = 0; i < 6; i++) {
        ask_for_large(&clients[i], &place);
        assert_true(unread_of(&place) <= its_limits.unread_bytes_max);
    }
    WAIT_FOR(f, place.server->connection_count < 6);
    assert_true(unread_of(&place) > 0);
    read_large(&clients[0]);
    for (size_t i = 0; i < 6; i++) {
        client_close(&clients[i]);
    }
    WAIT_FOR(f, place.server->connection_count == 0);
    assert_int_equal(unread_of(&place), 0);
    ask_for_large(&clients[0], &place);
    read_large(&clients[0]);
    client_close(&clients[0]);
    close_place(&place);
}

/* A neighbour holds all that there is. */
static void test_a_shared_budget_leaves_each_its_reserve(void **state)
{
    struct fixture *f = *state;
    struct http_budget shared = {.max = sizeof large + (1 << 20)};
    struct http_limits its_limits = limits;
    struct place places[2];
    struct client greedy[4];
    struct client others[2];
    struct client client;

    its_limits.unread_bytes_max = 10 * sizeof large;
    its_limits.reserve_bytes = 1 << 20;
    its_limits.budget = &shared;
    open_limited(&places[0], f, 1, &its_limits);
    open_limited(&places[1], f, 2, &its_limits);
    for (size_t i = 0; i < 4; i++) {
        ask_for_large(&greedy[i], &places[0]);
        assert_true(atomic_load(&shared.used) <= shared.max);
    }
    WAIT_FOR(f, places[0].server->connection_count < 4);
    ask_for_large(&others[0], &places[1]);
    ask_for_large(&others[1], &places[1]);
    WAIT_FOR(f, places[1].server->connection_count < 2);
    connect_to(&client, &places[1]);
    expect_number(&client, 2);
    read_large(&greedy[0]);
    close_place(&places[0]);
    close_place(&places[1]);
    assert_int_equal(atomic_load(&shared.used), 0);
    for (size_t i = 0; i < 4; i++) {
        client_close(&greedy[i]);
    }
    client_close(&others[0]);
    client_close(&others[1]);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_listening_descriptor_is_served_and_closed),
        TEST(test_other_descriptors_are_refused_and_closed),
        TEST(test_hundreds_of_servers_are_apart),
        TEST(test_server_is_small),
        TEST(test_held_request_has_no_deadline_and_its_client_is_watched),
        TEST(test_address_is_not_limited_where_all_have_the_same),
        TEST(test_unread_answers_together_are_limited),
        TEST(test_a_shared_budget_leaves_each_its_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
