/* Answers come in the order of the requests, whole or in pieces, now or later, or
 * to nobody. */
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/http/fixture.h"

#define LATER "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
#define NOW "GET /now HTTP/1.1\r\nHost: x\r\n\r\n"

static void expect_body(struct client *client, const char *body)
{
    struct reply reply;

    client_reply(client, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal((const char *)reply.body.data, body);
}

static void answer(struct http_request *request, const char *body)
{
    http_respond(request, 200, "text/plain", bytes_of_text(body));
}

static void test_answers_given_backwards_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    struct client client;
    char body[16];

    client_open_tcp(&client, f);
    for (int i = 0; i < 10; i++) {
        client_say(&client, LATER);
    }
    WAIT_FOR(f, f->held_count == 10);
    for (int i = 9; i >= 0; i--) {
        (void)snprintf(body, sizeof body, "%d", i);
        answer(f->held[i], body);
    }
    for (int i = 0; i < 10; i++) {
        (void)snprintf(body, sizeof body, "%d", i);
        expect_body(&client, body);
    }
    client_close(&client);
}

/* All 120 orders of answering five requests, some of them in pieces. */
static void answer_in_order(struct fixture *f, const int order[5])
{
    struct client client;
    char body[16];

    f->held_count = 0;
    client_open_unix(&client, f);
    client_say(&client, LATER LATER LATER LATER LATER);
    WAIT_FOR(f, f->held_count == 5);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(body, sizeof body, "%d%d", order[i], order[i]);
        if (order[i] % 2 == 0) {
            answer(f->held[order[i]], body);
            continue;
        }
        http_begin(f->held[order[i]], 200, "text/plain");
        assert_true(http_send(f->held[order[i]], bytes_of(body, 1)));
        turn(f);
        assert_true(http_send(f->held[order[i]], bytes_of(body + 1, 1)));
        http_end(f->held[order[i]]);
    }
    for (int i = 0; i < 5; i++) {
        (void)snprintf(body, sizeof body, "%d%d", i, i);
        expect_body(&client, body);
    }
    client_close(&client);
}

static void permute(struct fixture *f, int order[5], int from)
{
    if (from == 5) {
        answer_in_order(f, order);
        return;
    }
    for (int i = from; i < 5; i++) {
        int saved = order[from];

        order[from] = order[i];
        order[i] = saved;
        permute(f, order, from + 1);
        order[i] = order[from];
        order[from] = saved;
    }
}

static void test_every_order_of_answering_arrives_in_order(void **state)
{
    int order[5] = {0, 1, 2, 3, 4};

    permute(*state, order, 0);
}

static void test_answers_at_once_and_later_mix(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, NOW LATER NOW NOW LATER NOW);
    expect_body(&client, "GET /now? ");
    WAIT_FOR(f, f->held_count == 2 && f->handled == 6);
    answer(f->held[1], "second");
    for (int i = 0; i < 5; i++) {
        turn(f);
    }
    client_poll(&client);
    assert_int_equal(client.received.len, 0); /* all wait for the first */
    answer(f->held[0], "first");
    expect_body(&client, "first");
    expect_body(&client, "GET /now? ");
    expect_body(&client, "GET /now? ");
    expect_body(&client, "second");
    expect_body(&client, "GET /now? ");
    client_close(&client);
}

/* Deep in one read: handled one after the other, not inside each other. */
static void test_thousands_of_pipelined_requests_are_answered(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct buf text = {0};

    for (int i = 0; i < 5000; i++) {
        buf_append_text(&text, NOW);
    }
    client_open_tcp(&client, f);
    client_send(&client, (const char *)text.data, text.len);
    for (int i = 0; i < 5000; i++) {
        expect_body(&client, "GET /now? ");
    }
    assert_int_equal(f->handled, 5000);
    buf_fini(&text);
    client_close(&client);
}

static void test_100_continue_waits_for_its_turn(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, LATER "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                              "Expect: 100-continue\r\n\r\n");
    WAIT_FOR(f, f->admitted == 2);
    turn(f);
    client_poll(&client);
    assert_int_equal(client.received.len, 0);
    answer(f->held[0], "first");
    expect_body(&client, "first");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 100);
    client_say(&client, "ok");
    expect_body(&client, "POST /p? ok");
    client_close(&client);
}

static void test_header_values_cannot_begin_a_new_line(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, LATER);
    WAIT_FOR(f, f->held_count == 1);
    http_add_header(f->held[0], "x-name", bytes_of_text("a\r\nset-cookie: b\x7f"));
    answer(f->held[0], "");
    client_reply(&client, &reply);
    assert_non_null(strstr(reply.head, "\r\nx-name: a  set-cookie: b \r\n"));
    client_close(&client);
}

static void test_answer_carries_date_type_and_length(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;
    int day;
    int year;
    char month[4];

    client_open_tcp(&client, f);
    client_say(&client, NOW);
    client_reply(&client, &reply);
    assert_int_equal(
        sscanf(strstr(reply.head, "date: "), "date: %*3s, %d %3s %d", &day, month, &year), 3);
    assert_true(year >= 2024 && day >= 1 && day <= 31);
    assert_non_null(strstr(reply.head, "content-type: text/plain\r\n"));
    assert_non_null(strstr(reply.head, "content-length: 10\r\n"));
    assert_null(strstr(reply.head, "connection:"));
    client_close(&client);
}

/* --- pieces -------------------------------------------------------------------- */

static void test_chunked_answer_arrives_as_it_is_made(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, LATER NOW);
    WAIT_FOR(f, f->held_count == 1);
    http_begin(f->held[0], 200, "text/event-stream");
    assert_true(http_send(f->held[0], bytes_of_text("one")));
    WAIT_FOR(f, (client_poll(&client),
                 client.received.len > 8 && memcmp(client.received.data + client.received.len - 8,
                                                   "3\r\none\r\n", 8) == 0));
    assert_true(http_send(f->held[0], (struct bytes){0})); /* is not the end */
    assert_true(http_send(f->held[0], bytes_of_text(" two")));
    http_end(f->held[0]);
    expect_body(&client, "one two");
    expect_body(&client, "GET /now? ");
    client_close(&client);
}

static void test_http_1_0_gets_pieces_until_the_end(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, "GET /later HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                        "GET /now HTTP/1.0\r\n\r\n");
    WAIT_FOR(f, f->held_count == 1);
    http_begin(f->held[0], 200, NULL);
    assert_true(http_send(f->held[0], bytes_of_text("one ")));
    assert_true(http_send(f->held[0], bytes_of_text("two")));
    http_end(f->held[0]);
    client_reply(&client, &reply);
    assert_null(strstr(reply.head, "chunked"));
    assert_non_null(strstr(reply.head, "connection: close\r\n"));
    assert_string_equal((const char *)reply.body.data, "one two");
    assert_int_equal(f->handled, 1); /* what came behind it is nobody's */
    client_close(&client);
}

static void test_head_gets_no_pieces(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, "HEAD /later HTTP/1.1\r\nHost: x\r\n\r\n" NOW);
    WAIT_FOR(f, f->held_count == 1);
    http_begin(f->held[0], 200, NULL);
    assert_true(http_send(f->held[0], bytes_of_text("unseen")));
    http_end(f->held[0]);
    client_reply_to_head(&client, &reply);
    assert_int_equal(reply.status, 200);
    expect_body(&client, "GET /now? ");
    client_close(&client);
}

/* The client does not read: the sender is told within the kernel's buffers and a
 * mebibyte, and the connection ends without a last chunk. */
static void test_slow_reader_is_cut_off(void **state)
{
    static const uint8_t piece[65536];
    struct fixture *f = *state;
    struct client client;
    size_t sent = 0;

    client_open_tcp(&client, f);
    client_say(&client, LATER);
    WAIT_FOR(f, f->held_count == 1);
    http_begin(f->held[0], 200, NULL);
    while (http_send(f->held[0], bytes_of(piece, sizeof piece))) {
        sent += sizeof piece;
        assert_true(sent < (size_t)64 << 20);
        turn(f);
    }
    assert_true(sent >= (size_t)1 << 20);
    http_end(f->held[0]);
    assert_int_equal(f->gone, 0); /* its "no" has told */
    WAIT_FOR(f, (client_poll(&client), client.is_ended));
    assert_memory_not_equal(client.received.data + client.received.len - 5, "0\r\n\r\n", 5);
    client_close(&client);
}

/* The control: one that reads gets as much as there is. */
static void test_reader_that_keeps_up_gets_everything(void **state)
{
    static const uint8_t piece[65536];
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, LATER);
    WAIT_FOR(f, f->held_count == 1);
    http_begin(f->held[0], 200, NULL);
    for (int i = 0; i < 320; i++) {
        assert_true(http_send(f->held[0], bytes_of(piece, sizeof piece)));
        WAIT_FOR(f, (client_poll(&client), http_unread(f->held[0]) < (size_t)1 << 19));
    }
    http_end(f->held[0]);
    client_reply(&client, &reply);
    assert_int_equal(reply.body.len, 320 * sizeof piece);
    client_close(&client);
}

static void respond_large(struct fixture *f, struct http_request *request)
{
    size_t len = (size_t)6 << 20;
    uint8_t *data = malloc(len);

    (void)f;
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    http_respond(request, 200, "application/octet-stream", bytes_of(data, len));
    free(data);
}

/* Larger than any buffer of the kernel: twice, and nothing handled ahead of it (a thread has
 * handed over what came with it, before it had the answer). */
static void test_large_answers_arrive_whole_and_hold_back_the_next(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    f->on_handle = respond_large;
    client_open_tcp(&client, f);
    client_say(&client, NOW NOW NOW);
    WAIT_FOR(f, f->handled >= 1);
    for (int i = 0; i < 10; i++) {
        turn(f);
    }
    assert_true(f->handled == 1 || f->thread_count > 0);
    for (int n = 0; n < 3; n++) {
        client_reply(&client, &reply);
        assert_int_equal(reply.body.len, (size_t)6 << 20);
        for (size_t i = 0; i < reply.body.len; i += 4099) {
            assert_int_equal(reply.body.data[i], (uint8_t)(i * 7 + i / 251));
        }
    }
    client_close(&client);
}

/* --- clients that leave -------------------------------------------------------- */

static void test_handler_hears_that_the_client_left(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, LATER LATER);
    WAIT_FOR(f, f->held_count == 2);
    client_close(&client);
    WAIT_FOR(f, f->gone == 2);
    answer(f->held[0], "to nobody");
    http_begin(f->held[1], 200, NULL);
    (void)http_send(f->held[1], bytes_of_text("to nobody"));
    http_end(f->held[1]);
    assert_int_equal(ask(f, NOW), 200);
    assert_int_equal(f->gone, 2);
}

/* A reset ends the connection before the answers: they have nowhere to go. */
static void test_answers_after_a_reset_go_to_nobody(void **state)
{
    struct fixture *f = *state;
    struct linger at_once = {.l_onoff = 1};
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, LATER LATER LATER);
    WAIT_FOR(f, f->held_count == 3);
    http_begin(f->held[1], 200, NULL);
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(&client);
    WAIT_FOR(f, f->gone == 3);
    assert_int_equal(http_path(f->held[2]).len, 6); /* still readable */
    answer(f->held[2], "");
    assert_false(http_send(f->held[1], bytes_of_text("a")));
    http_end(f->held[1]);
    http_begin(f->held[0], 200, NULL);
    assert_false(http_send(f->held[0], bytes_of_text("a")));
    http_end(f->held[0]);
    assert_int_equal(f->gone, 3);
}

/* It has only said that it will not ask again: printf ... | nc. */
static void test_half_closed_client_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, LATER);
    WAIT_FOR(f, f->held_count == 1);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    WAIT_FOR(f, f->gone == 1);
    answer(f->held[0], "still here");
    expect_body(&client, "still here");
    client_expect_end(&client);
    client_close(&client);
}

static void test_incomplete_request_of_a_client_that_left_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhel");
    WAIT_FOR(f, f->admitted == 1);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    client_expect_end(&client);
    assert_int_equal(f->handled, 0);
    assert_int_equal(f->gone, 0);
    client_close(&client);
}

static struct http_request *to_answer;

static void answer_when_gone(void *user)
{
    struct fixture *f = user;

    f->gone++;
    answer(to_answer, "from on_gone");
}

static void test_on_gone_may_answer(void **state)
{
    struct fixture *f = *state;
    struct linger at_once = {.l_onoff = 1};
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, LATER LATER);
    WAIT_FOR(f, f->held_count == 2);
    to_answer = f->held[0];
    http_set_user(f->held[0], f, answer_when_gone);
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(&client);
    WAIT_FOR(f, f->gone == 2);
    answer(f->held[1], "");
}

/* --- the server ends ----------------------------------------------------------- */

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

static void test_close_answers_what_is_in_flight_and_ends_the_idle(void **state)
{
    struct fixture *f = *state;
    struct client idle;
    struct client busy;
    struct client half;
    struct reply reply;

    client_open_tcp(&idle, f);
    client_say(&idle, NOW);
    client_reply(&idle, &reply);
    client_open_tcp(&half, f);
    client_say(&half, "GET / HT");
    client_open_tcp(&busy, f);
    client_say(&busy, LATER LATER);
    WAIT_FOR(f, f->held_count == 2);
    http_server_close(f->server, f, note_close);
    client_expect_end(&idle);
    client_reply(&half, &reply); /* it may come again: nothing has been done */
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.head, "retry-after: 1\r\n"));
    client_expect_end(&half);
    assert_int_equal(f->closed, 0);
    answer(f->held[0], "first");
    answer(f->held[1], "last");
    client_reply(&busy, &reply);
    assert_null(strstr(reply.head, "connection: close"));
    client_reply(&busy, &reply);
    assert_non_null(strstr(reply.head, "connection: close"));
    assert_string_equal((const char *)reply.body.data, "last");
    client_expect_end(&busy);
    client_close(&busy);
    WAIT_FOR(f, f->closed == 1);
    client_close(&idle);
    client_close(&half);
}

static void test_kill_ends_what_is_left_and_outlives_no_request(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, LATER LATER);
    WAIT_FOR(f, f->held_count == 2);
    http_begin(f->held[0], 200, NULL);
    http_server_close(f->server, f, note_close);
    http_server_kill(f->server);
    assert_int_equal(f->gone, 2);
    WAIT_FOR(f, f->closed == 1);
    assert_false(http_send(f->held[0], bytes_of_text("a"))); /* they are still ours */
    http_end(f->held[0]);
    assert_non_null(http_arena(f->held[1]));
    answer(f->held[1], "to nobody");
    client_close(&client);
}

/* What a thread had handed over when the server was closed is answered too. */
static void expect_ending(struct client *client)
{
    struct reply reply;

    if (client->f->thread_count > 0) {
        client_reply(client, &reply);
        assert_int_equal(reply.status, 503);
        assert_non_null(strstr(reply.head, "retry-after: 1\r\n"));
        assert_non_null(strstr(reply.head, "connection: close\r\n"));
    }
}

static void close_inside(struct fixture *f, struct http_request *request)
{
    http_server_close(f->server, f, note_close);
    answer(request, "closing");
}

static void test_handler_may_close_the_server(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->on_handle = close_inside;
    client_open_tcp(&client, f);
    client_say(&client, NOW NOW);
    expect_body(&client, "closing");
    expect_ending(&client);
    client_expect_end(&client);
    assert_int_equal(f->handled, 1);
    client_close(&client);
    WAIT_FOR(f, f->closed == 1);
}

static void close_at_head(struct fixture *f)
{
    http_server_close(f->server, f, note_close);
}

static void test_router_may_close_the_server_at_the_head(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    f->on_admit = close_at_head;
    client_open_tcp(&client, f);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok" NOW);
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 503);
    expect_ending(&client);
    client_expect_end(&client);
    assert_int_equal(f->handled, 0);
    client_close(&client);
    WAIT_FOR(f, f->closed == 1);
}

static void kill_inside(struct fixture *f, struct http_request *request)
{
    http_server_close(f->server, f, note_close);
    http_server_kill(f->server);
    answer(request, "to nobody");
}

static void test_handler_may_kill_the_server(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->on_handle = kill_inside;
    client_open_tcp(&client, f);
    client_say(&client, NOW NOW);
    WAIT_FOR(f, f->closed == 1);
    WAIT_FOR(f, (client_poll(&client), client.is_ended));
    assert_int_equal(f->handled, 1);
    client_close(&client);
}

/* --- outside of the loop's polling --------------------------------------------- */

static void answer_from_timer(uv_timer_t *timer)
{
    struct fixture *f = timer->data;

    assert_int_not_equal(uv_backend_timeout(&f->loop), 0);
    answer(f->held[0], "from a timer");
    assert_int_equal(uv_backend_timeout(&f->loop), 0); /* the loop will not sleep on it */
    uv_close((uv_handle_t *)timer, NULL);
}

/* Nothing else happens in the loop: the answer must not wait for the next event. */
static void test_answer_from_a_timer_leaves_at_once(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_timer_t timer;

    client_open_tcp(&client, f);
    client_say(&client, LATER);
    WAIT_FOR(f, f->held_count == 1);
    timer.data = f;
    assert_int_equal(uv_timer_init(&f->loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, answer_from_timer, 0, 0), 0);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    client_poll(&client);
    assert_true(client.received.len > 0 || f->thread_count > 0);
    expect_body(&client, "from a timer");
    client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers_given_backwards_arrive_in_order),
        TEST(test_every_order_of_answering_arrives_in_order),
        TEST(test_answers_at_once_and_later_mix),
        TEST(test_thousands_of_pipelined_requests_are_answered),
        TEST(test_100_continue_waits_for_its_turn),
        TEST(test_header_values_cannot_begin_a_new_line),
        TEST(test_answer_carries_date_type_and_length),
        TEST(test_chunked_answer_arrives_as_it_is_made),
        TEST(test_http_1_0_gets_pieces_until_the_end),
        TEST(test_head_gets_no_pieces),
        TEST(test_slow_reader_is_cut_off),
        TEST(test_reader_that_keeps_up_gets_everything),
        TEST(test_large_answers_arrive_whole_and_hold_back_the_next),
        TEST(test_handler_hears_that_the_client_left),
        TEST(test_answers_after_a_reset_go_to_nobody),
        TEST(test_half_closed_client_gets_its_answer),
        TEST(test_incomplete_request_of_a_client_that_left_is_dropped),
        TEST(test_on_gone_may_answer),
        TEST(test_close_answers_what_is_in_flight_and_ends_the_idle),
        TEST(test_kill_ends_what_is_left_and_outlives_no_request),
        TEST(test_handler_may_close_the_server),
        TEST(test_router_may_close_the_server_at_the_head),
        TEST(test_handler_may_kill_the_server),
        TEST(test_answer_from_a_timer_leaves_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
