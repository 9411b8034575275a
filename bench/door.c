/* A door without a daemon: the Runtime API for one environment that always has work, and
 * checkpoints that are answered at once. What a runtime can do at most shows before it.
 *
 *     bench_door SECONDS WARM_SECONDS INVOCATIONS
 *
 * Prints {"port": P}, serves so many invocations at once to whoever asks on 127.0.0.1:P, and
 * after both times how many ended in SECONDS: {"count": N, "steps": N, "seconds": S}. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024U
#define TEXT_MAX 16384U
#define EVENTS_MAX 64

#define ID "01a209e0-ab05-7075-ac00-165daef612a8"
#define FUNCTION "arn:aws:lambda:us-east-1:123456789012:function:chain:$LATEST"
#define TOKEN "awGiCeCrBXB1rAAWXa72EqgBAAAAAgAAAITkYdYB0lCXOzJ2k2QKdFA="

struct connection {
    int fd;
    bool is_asking; /* for an invocation, and has none */
    size_t len;
    char text[TEXT_MAX];
};

struct door {
    int listener;
    int epoll;
    unsigned invocations_max;
    unsigned invocations;
    unsigned long started;
    unsigned long ended;
    unsigned long steps;
    unsigned connection_count;
    struct connection *connections[CONNECTIONS_MAX];
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench_door: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- answers ------------------------------------------------------------------------------ */

static void answer(struct connection *connection, const char *status, const char *headers,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
static void answer(struct connection *connection, const char *status, const char *headers,
                   const char *format, ...)
{
    char body[TEXT_MAX];
    char text[TEXT_MAX + 1024];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(body, sizeof body, format, args);
    va_end(args);
    len =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %s\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s",
                 status, headers, len, body);
    if (len <= 0 || (size_t)len >= sizeof text ||
        send(connection->fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
        fail("send");
    }
}

static void give(struct door *door, struct connection *connection)
{
    char headers[512];

    (void)snprintf(headers, sizeof headers,
                   "Lambda-Runtime-Aws-Request-Id: 01a209e0-ab05-7005-a900-%012lx\r\n"
                   "Lambda-Runtime-Deadline-Ms: 4102444800000\r\n"
                   "Lambda-Runtime-Invoked-Function-Arn: " FUNCTION "\r\n"
                   "Lambda-Runtime-Trace-Id: Root=1-6b0493a0-ab057075ac00165daef612a8;"
                   "Parent=97f75fd213eed137;Sampled=0\r\n",
                   door->started++);
    connection->is_asking = false;
    door->invocations++;
    answer(connection, "200 OK", headers,
           "{\"DurableExecutionArn\":\"" FUNCTION "/durable-execution/" ID "/" ID "\","
           "\"CheckpointToken\":\"" TOKEN "\",\"InitialExecutionState\":{\"Operations\":["
           "{\"Id\":\"" ID "\",\"Name\":\"" ID "\",\"Type\":\"EXECUTION\","
           "\"StartTimestamp\":1795462067714,\"Status\":\"STARTED\",\"ExecutionDetails\":"
           "{\"InputPayload\":\"\\\"S9Mo1206_-F3LEmG8S80p1zAEvsD21diUfub8UgRQgCvu58VIZEpqQtC9ZfhWTe"
           "bHrCSGL1VwXzGqhAYAeICyeuNyUuq9jIriS\\\"\"}}]},\"UpdatedOperationIds\":[]}");
}

/* Of an invocation that ended another one may take the place. */
static void give_some(struct door *door)
{
    for (unsigned i = 0; i < door->connection_count; i++) {
        if (door->connections[i]->is_asking && door->invocations < door->invocations_max) {
            give(door, door->connections[i]);
        }
    }
}

/* The string that is the last member of this name, with its quotes. */
static void copy_member(const char *body, const char *name, char ret[TEXT_MAX])
{
    const char *from = NULL;
    size_t len = 1;

    for (const char *at = body; (at = strstr(at, name)) != NULL; at++) {
        from = at + strlen(name);
    }
    if (from == NULL || *from != '"') {
        fail(name);
    }
    while (from[len] != '"') {
        len += (from[len] == '\\') ? 2 : 1;
    }
    memcpy(ret, from, len + 1);
    ret[len + 1] = '\0';
}

static void take_checkpoint(struct door *door, struct connection *connection, const char *body)
{
    char id[TEXT_MAX];
    char name[TEXT_MAX];
    char payload[TEXT_MAX];

    copy_member(body, "\"Id\":", id);
    copy_member(body, "\"Name\":", name);
    copy_member(body, "\"Payload\":", payload);
    door->steps++;
    answer(connection, "200 OK", "x-amzn-requestid: 01a209e0-ab0b-7077-8800-ebe3f59fdf56\r\n",
           "{\"CheckpointToken\":\"" TOKEN "\",\"NewExecutionState\":{\"Operations\":[{\"Id\":%s,"
           "\"Name\":%s,\"Type\":\"STEP\",\"SubType\":\"Step\",\"StartTimestamp\":1795462048.557,"
           "\"EndTimestamp\":1795462048.557,\"Status\":\"SUCCEEDED\",\"StepDetails\":"
           "{\"Attempt\":1,\"Result\":%s}}]}}",
           id, name, payload);
}

/* --- requests ----------------------------------------------------------------------------- */

static void take_request(struct door *door, struct connection *connection, const char *body)
{
    const char *text = connection->text;

    if (strncmp(text, "GET ", 4) == 0) {
        connection->is_asking = true;
    } else if (strstr(text, "/checkpoint HTTP/1.1\r\n") != NULL) {
        take_checkpoint(door, connection, body);
    } else if (strstr(text, "/response HTTP/1.1\r\n") != NULL) {
        door->ended++;
        door->invocations--;
        answer(connection, "202 Accepted", "", "{\"status\":\"OK\"}\n");
    } else {
        fail(text);
    }
}

/* False while it is incomplete. */
static bool take_some(struct door *door, struct connection *connection)
{
    const char *head_end = strstr(connection->text, "\r\n\r\n");
    const char *length = strcasestr(connection->text, "\r\ncontent-length:");
    size_t body_len = 0;
    size_t whole;
    char kept;

    if (head_end == NULL) {
        return false;
    }
    if (length != NULL && length < head_end) {
        body_len = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    }
    whole = (size_t)(head_end + 4 - connection->text) + body_len;
    if (whole > connection->len) {
        return false;
    }
    kept = connection->text[whole];
    connection->text[whole] = '\0';
    take_request(door, connection, head_end + 4);
    connection->text[whole] = kept;
    memmove(connection->text, connection->text + whole, connection->len - whole + 1);
    connection->len -= whole;
    return true;
}

static void take(struct door *door, struct connection *connection)
{
    ssize_t len = recv(connection->fd, connection->text + connection->len,
                       sizeof connection->text - 1 - connection->len, 0);

    if (len <= 0) {
        (void)epoll_ctl(door->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
        connection->is_asking = false;
        return;
    }
    connection->len += (size_t)len;
    connection->text[connection->len] = '\0';
    while (connection->len > 0 && take_some(door, connection)) {
    }
}

/* --- the whole ---------------------------------------------------------------------------- */

static void accept_one(struct door *door)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (connection == NULL || door->connection_count == CONNECTIONS_MAX) {
        fail("too many connections");
    }
    connection->fd = accept4(door->listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection->fd < 0 || epoll_ctl(door->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        fail("accept");
    }
    door->connections[door->connection_count++] = connection;
}

static void serve_until(struct door *door, double until_s)
{
    struct epoll_event events[EVENTS_MAX];

    while (now_s() < until_s) {
        int count = epoll_wait(door->epoll, events, EVENTS_MAX, 100);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                accept_one(door);
            } else {
                take(door, events[i].data.ptr);
            }
        }
        give_some(door);
    }
}

static void open_door(struct door *door)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t len = sizeof address;

    door->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    door->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (bind(door->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(door->listener, 128) != 0 ||
        getsockname(door->listener, (struct sockaddr *)&address, &len) != 0 ||
        epoll_ctl(door->epoll, EPOLL_CTL_ADD, door->listener, &event) != 0) {
        fail("listen");
    }
    (void)printf("{\"port\": %u}\n", (unsigned)ntohs(address.sin_port));
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct door door;
    unsigned long ended;
    unsigned long steps;
    double began_s;

    if (argc != 4) {
        (void)fputs("usage: bench_door SECONDS WARM_SECONDS INVOCATIONS\n", stderr);
        return 2;
    }
    door.invocations_max = (unsigned)strtoul(argv[3], NULL, 10);
    open_door(&door);
    serve_until(&door, now_s() + strtod(argv[2], NULL));
    ended = door.ended;
    steps = door.steps;
    began_s = now_s();
    (void)printf("{}\n"); /* from here on it counts */
    (void)fflush(stdout);
    serve_until(&door, began_s + strtod(argv[1], NULL));
    (void)printf("{\"count\": %lu, \"steps\": %lu, \"seconds\": %.3f}\n", door.ended - ended,
                 door.steps - steps, now_s() - began_s);
    return 0;
}
