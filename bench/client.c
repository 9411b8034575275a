/* A client that is cheap enough to measure with: one thread, raw sockets, HTTP/1.1 kept
 * alive over the daemon's unix socket.
 *
 *     bench_client --socket PATH --function NAME [OPTIONS]
 *
 *     --event              invoke asynchronously
 *     --connections N      requests at once, one a connection (1)
 *     --seconds S          how long (5)
 *     --count N            end after N answers, if that is sooner
 *     --rate R             open loop: R requests a second in all, each latency from when
 *                          the request was due; without it the loop is closed
 *     --bytes B            of the payload: a JSON string of random letters (100)
 *     --prefix TEXT        what the payload begins with
 *     --numbered           the function's name is NAME and the number of the request
 *     --echo               the answer must be the payload
 *     --port P             over TCP to 127.0.0.1, in place of the socket
 *     --key ID:SECRET      each request is signed, as AWS's clients do
 *
 * Prints one line of JSON; SIGTERM makes it print early. What is refused (429, 503) is
 * counted apart and sent again; any other failure counts as an error. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/answer.h"
#include "bench/client_options.h"
#include "bench/dial.h"
#include "bench/histogram.h"
#include "bench/signer.h"

#define REQUEST_MAX (CLIENT_BYTES_MAX + 2048U)
#define ANSWER_MAX 16384U
#define SAMPLES 32U
#define ARN_MAX 512U
#define ERRORS_MAX 1000U
#define GRACE_NS UINT64_C(60000000000) /* for answers after the last request */
#define REFUSED_PAUSE_NS UINT64_C(1000000)
#define WAIT_NS_MAX UINT64_C(5000000)

struct connection {
    int fd;
    bool is_open;           /* a request is unanswered */
    bool is_repeated;       /* refused: what is in `request` goes out again */
    uint64_t began_ns;      /* sent, or due to be sent */
    uint64_t not_before_ns; /* the next request */
    size_t request_len;
    size_t sent;
    size_t answer_len;
    char request[REQUEST_MAX];
    char answer[ANSWER_MAX];
};

struct client {
    struct client_options options;
    struct connection *connections;
    struct signer *signer; /* NULL: nothing is signed */
    int epoll;
    uint64_t random;
    uint64_t began_ns;
    uint64_t until_ns;
    uint64_t started; /* requests, without repetitions */
    uint64_t answered;
    uint64_t refused;
    uint64_t errors;
    unsigned open;
    unsigned turn; /* the connection whose turn is next */
    unsigned sample_count;
    char samples[SAMPLES][ARN_MAX];
    char first_error[256];
    struct histogram histogram;
};

static volatile sig_atomic_t is_stopped;

static void note_signal(int number)
{
    (void)number;
    is_stopped = 1;
}

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(struct client *client)
{
    uint64_t z = client->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* --- requests ------------------------------------------------------------------------- */

static void fill_payload(struct client *client, char *payload)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t at = 1 + strlen(client->options.prefix);
    uint64_t bits = 0;

    payload[0] = '"';
    memcpy(payload + 1, client->options.prefix, at - 1);
    for (unsigned i = 0; at < client->options.bytes - 1; at++, i++) {
        bits = (i % 10 == 0) ? next_random(client) : bits >> 6;
        payload[at] = letters[bits & 63];
    }
    payload[client->options.bytes - 1] = '"';
}

static void build_request(struct client *client, struct connection *connection)
{
    const struct client_options *options = &client->options;
    const char *type = options->is_event ? "Event" : "RequestResponse";
    char payload[CLIENT_BYTES_MAX];
    char headers[SIGNER_HEADERS_MAX] = "";
    char number[24] = "";
    char path[512];
    int len;

    if (options->is_numbered) {
        (void)snprintf(number, sizeof number, "%" PRIu64, client->started);
    }
    (void)snprintf(path, sizeof path, "/2015-03-31/functions/%s%s/invocations", options->function,
                   number);
    fill_payload(client, payload);
    if (client->signer != NULL) {
        (void)signer_sign(client->signer, path, "localhost", type, payload, options->bytes,
                          headers);
    }
    len = snprintf(connection->request, REQUEST_MAX - CLIENT_BYTES_MAX,
                   "POST %s HTTP/1.1\r\n"
                   "Host: localhost\r\n"
                   "X-Amz-Invocation-Type: %s\r\n"
                   "Content-Type: application/octet-stream\r\n"
                   "Content-Length: %u\r\n%s\r\n",
                   path, type, options->bytes, headers);
    if (len < 0 || (size_t)len >= REQUEST_MAX - CLIENT_BYTES_MAX) {
        errno = E2BIG;
        die("request");
    }
    memcpy(connection->request + len, payload, options->bytes);
    connection->request_len = (size_t)len + options->bytes;
}

static void watch(struct client *client, struct connection *connection, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(client->epoll, how, connection->fd, &event) != 0) {
        die("epoll");
    }
}

static void send_rest(struct client *client, struct connection *connection)
{
    size_t left = connection->request_len - connection->sent;
    ssize_t n = send(connection->fd, connection->request + connection->sent, left, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        die("send");
    }
    connection->sent += (n > 0) ? (size_t)n : 0;
    if (connection->sent < connection->request_len) {
        watch(client, connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
}

/* When the next request may go out; 0: none any more. */
static uint64_t next_due_ns(const struct client *client)
{
    const struct client_options *options = &client->options;
    uint64_t due_ns = client->began_ns;

    if (options->count > 0 && client->started >= options->count) {
        return 0;
    }
    if (options->rate > 0) {
        due_ns += client->started * 1000000000U / options->rate;
        return (due_ns < client->until_ns) ? due_ns : 0;
    }
    return due_ns;
}

static void start_request(struct client *client, struct connection *connection, uint64_t now)
{
    uint64_t due_ns = next_due_ns(client);

    if (connection->is_repeated) {
        connection->is_repeated = false;
    } else {
        build_request(client, connection);
        connection->began_ns = (client->options.rate > 0) ? due_ns : now;
        client->started++;
    }
    connection->sent = 0;
    connection->answer_len = 0;
    connection->is_open = true;
    client->open++;
    send_rest(client, connection);
}

static bool is_over(const struct client *client, uint64_t now)
{
    return is_stopped || now >= client->until_ns || client->errors >= ERRORS_MAX;
}

static bool may_start(const struct client *client, const struct connection *connection,
                      uint64_t now)
{
    uint64_t due_ns = next_due_ns(client);

    if (is_over(client, now) || connection->is_open || now < connection->not_before_ns) {
        return false;
    }
    return connection->is_repeated || (due_ns != 0 && due_ns <= now);
}

/* --- answers -------------------------------------------------------------------------- */

static bool is_expected(const struct client *client, const struct connection *connection,
                        const struct answer *answer)
{
    size_t bytes = client->options.bytes;

    if (answer->status != (client->options.is_event ? 202U : 200U) || answer->is_function_error) {
        return false;
    }
    return !client->options.is_echo ||
           (answer->body_len == bytes &&
            memcmp(connection->answer + answer->head_len,
                   connection->request + connection->request_len - bytes, bytes) == 0);
}

/* Every answer has the same chance to be among the samples. */
static void sample(struct client *client, const struct answer *answer)
{
    uint64_t at = client->answered;

    if (answer->arn == NULL || answer->arn_len >= ARN_MAX) {
        return;
    }
    if (at >= SAMPLES) {
        at = next_random(client) % (client->answered + 1);
    }
    if (at >= SAMPLES) {
        return;
    }
    memcpy(client->samples[at], answer->arn, answer->arn_len);
    client->samples[at][answer->arn_len] = '\0';
    client->sample_count += (at == client->sample_count) ? 1 : 0;
}

static void note_error(struct client *client, const struct connection *connection,
                       const struct answer *answer)
{
    if (client->errors++ == 0) {
        (void)snprintf(client->first_error, sizeof client->first_error, "%u %.*s", answer->status,
                       (int)answer->body_len, connection->answer + answer->head_len);
    }
}

static void take_answer(struct client *client, struct connection *connection,
                        const struct answer *answer, uint64_t now)
{
    connection->is_open = false;
    client->open--;
    if (answer->status == 429 || answer->status == 503) {
        client->refused++;
        connection->is_repeated = true;
        connection->not_before_ns = now + REFUSED_PAUSE_NS;
    } else if (is_expected(client, connection, answer)) {
        histogram_add(&client->histogram, now - connection->began_ns);
        sample(client, answer);
        client->answered++;
    } else {
        note_error(client, connection, answer);
    }
}

static void on_readable(struct client *client, struct connection *connection)
{
    struct answer answer;
    int whole;
    ssize_t n = recv(connection->fd, connection->answer + connection->answer_len,
                     ANSWER_MAX - connection->answer_len, 0);

    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        errno = (n == 0) ? ECONNRESET : errno;
        die("receive");
    }
    connection->answer_len += (size_t)n;
    whole = answer_parse(connection->answer, connection->answer_len, &answer);
    if (whole < 0) {
        errno = EPROTO;
        die("answer");
    }
    if (whole == 1) {
        uint64_t now = now_ns();

        take_answer(client, connection, &answer, now);
        if (may_start(client, connection, now)) {
            start_request(client, connection, now);
        }
    } else if (connection->answer_len == ANSWER_MAX) {
        errno = EMSGSIZE;
        die("answer");
    }
}

/* --- the loop ------------------------------------------------------------------------- */

static void open_connection(struct client *client, struct connection *connection)
{
    connection->fd = dial(client->options.socket, client->options.port);
    watch(client, connection, EPOLLIN, EPOLL_CTL_ADD);
}

/* Starts what is due on connections that are idle, in turn: the daemon closes one that is
 * left idle for a minute. */
static void start_due(struct client *client)
{
    unsigned count = client->options.connections;
    unsigned first = client->turn;
    uint64_t now = now_ns();

    for (unsigned i = 0; i < count; i++) {
        struct connection *connection = &client->connections[(first + i) % count];

        if (may_start(client, connection, now)) {
            start_request(client, connection, now);
            client->turn = (first + i + 1) % count;
        }
    }
}

static void serve_events(struct client *client, struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;

        if (events[i].events & EPOLLOUT) {
            watch(client, connection, EPOLLIN, EPOLL_CTL_MOD);
            send_rest(client, connection);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            on_readable(client, connection);
        }
    }
}

static bool has_repeated(const struct client *client)
{
    for (unsigned i = 0; i < client->options.connections; i++) {
        if (client->connections[i].is_repeated) {
            return true;
        }
    }
    return false;
}

static bool has_more(const struct client *client, uint64_t now)
{
    return !is_over(client, now) && (next_due_ns(client) != 0 || has_repeated(client));
}

/* Until something comes, or until the next request of an open loop is due. */
static int wait_events(const struct client *client, struct epoll_event *events, int max)
{
    uint64_t due_ns = next_due_ns(client);
    uint64_t now = now_ns();
    uint64_t wait_ns = WAIT_NS_MAX;
    struct timespec timeout;

    if (client->open < client->options.connections && due_ns != 0) {
        wait_ns =
            (client->options.rate > 0) ? ((due_ns > now) ? due_ns - now : 0) : REFUSED_PAUSE_NS;
    }
    wait_ns = (wait_ns < WAIT_NS_MAX) ? wait_ns : WAIT_NS_MAX;
    timeout.tv_sec = (time_t)(wait_ns / 1000000000U);
    timeout.tv_nsec = (long)(wait_ns % 1000000000U);
    return epoll_pwait2(client->epoll, events, max, &timeout, NULL);
}

static void run(struct client *client)
{
    struct epoll_event events[256];

    client->began_ns = now_ns();
    client->until_ns = client->began_ns + client->options.seconds * UINT64_C(1000000000);
    start_due(client);
    while (client->open > 0 || has_more(client, now_ns())) {
        int count = wait_events(client, events, 256);

        if (count < 0 && errno != EINTR) {
            die("epoll_pwait2");
        }
        serve_events(client, events, count);
        if (client->open < client->options.connections) {
            start_due(client);
        }
        if (now_ns() > client->until_ns + GRACE_NS) {
            client->errors += client->open;
            (void)snprintf(client->first_error, sizeof client->first_error, "no answer");
            break;
        }
    }
}

/* Of an open loop: what was due and never sent, for want of a free connection. */
static uint64_t unsent(const struct client *client, double seconds)
{
    double length = (seconds < client->options.seconds) ? seconds : client->options.seconds;
    uint64_t due = (uint64_t)(length * (double)client->options.rate);

    if (client->options.count > 0 && due > client->options.count) {
        due = client->options.count;
    }
    return (due > client->started) ? due - client->started : 0;
}

static double cpu_s(void)
{
    struct rusage use;

    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void print_text(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ') {
            (void)printf("\\u%04x", (unsigned)(unsigned char)*text);
        } else {
            (void)putchar(*text);
        }
    }
    (void)putchar('"');
}

static void report(const struct client *client, double seconds)
{
    (void)printf("{\"count\":%" PRIu64 ",\"seconds\":%.6f,\"per_s\":%.1f,\"p50_us\":%.1f,"
                 "\"p99_us\":%.1f,\"max_us\":%.1f,\"refused\":%" PRIu64 ",\"errors\":%" PRIu64
                 ",\"unsent\":%" PRIu64 ",\"client_cpu_s\":%.3f,\"first_error\":",
                 client->answered, seconds, (double)client->answered / seconds,
                 histogram_us(&client->histogram, 0.5), histogram_us(&client->histogram, 0.99),
                 (double)client->histogram.max_ns / 1000, client->refused, client->errors,
                 unsent(client, seconds), cpu_s());
    print_text(client->first_error);
    (void)printf(",\"samples\":[");
    for (unsigned i = 0; i < client->sample_count; i++) {
        (void)printf("%s", (i > 0) ? "," : "");
        print_text(client->samples[i]);
    }
    (void)printf("]}\n");
}

int main(int argc, char **argv)
{
    static struct client client;
    struct sigaction action = {.sa_handler = note_signal};

    client_options_parse(&client.options, argc, argv);
    client.connections = calloc(client.options.connections, sizeof *client.connections);
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client.connections == NULL || client.epoll < 0 ||
        getrandom(&client.random, sizeof client.random, 0) != sizeof client.random ||
        sigaction(SIGTERM, &action, NULL) != 0) {
        die("setting up");
    }
    if (client.options.key != NULL) {
        client.signer = signer_create(client.options.key, "us-east-1");
    }
    for (unsigned i = 0; i < client.options.connections; i++) {
        open_connection(&client, &client.connections[i]);
    }
    run(&client);
    report(&client, (double)(now_ns() - client.began_ns) / 1e9);
    signer_destroy(client.signer);
    free(client.connections);
    return 0;
}
