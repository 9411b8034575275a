/* A durable function over the Runtime API, without a runtime's own cost: it says over HTTP what
 * AWS's Node.js runtime and its durable SDK say for a chain of STEPS steps, the same requests
 * with the same headers on the same kinds of connections, and decides nothing itself. What the
 * daemon takes for a step in HTTP and JSON shows beside it.
 *
 * Not as in the original: the signature is no signature (a door of an environment does not ask
 * for one), and of an answer only what the next request needs is looked at.
 *
 *     AWS_LAMBDA_RUNTIME_API       where the door is
 *     AWS_LAMBDA_MAX_CONCURRENCY   invocations at once (1) */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/answer.h"

#define STEPS 10U
#define SLOTS_MAX 256U
#define TEXT_MAX 8192U
#define ARN_MAX 1024U
#define WORD_MAX 128U
#define RESULT_BYTES 98U /* and its quotes */

/* AWS's client asks and answers on connections of its own; the SDK has another client. */
enum line { LINE_NEXT, LINE_CHECKPOINT, LINE_RESPONSE, LINES };

/* One invocation at a time: there is one request, on the line that it is about. */
struct slot {
    int fds[LINES];
    enum line line;
    unsigned step;
    char request_id[WORD_MAX];
    char arn[ARN_MAX]; /* encoded as part of a path */
    char token[WORD_MAX];
    size_t answer_len;
    char answer[TEXT_MAX];
};

struct guest {
    const char *api;
    struct sockaddr_in address;
    int epoll;
    uint64_t random;
    unsigned slot_count;
    struct slot slots[SLOTS_MAX];
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench_guest: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- requests --------------------------------------------------------------------------- */

static int dial(struct guest *guest, struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&guest->address, sizeof guest->address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(guest->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("connect");
    }
    return fd;
}

/* A small request always fits into an empty socket. */
static void ask(struct slot *slot, enum line line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void ask(struct slot *slot, enum line line, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    slot->line = line;
    slot->answer_len = 0;
    if (len <= 0 || (size_t)len >= sizeof text ||
        send(slot->fds[line], text, (size_t)len, 0) != len) {
        fail("send");
    }
}

static void ask_next(const struct guest *guest, struct slot *slot)
{
    ask(slot, LINE_NEXT,
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
        "Host: %s\r\n"
        "Accept: */*\r\n"
        "User-Agent: AWS_Lambda_Cpp/0.2.6\r\n\r\n",
        guest->api);
}

static void respond(const struct guest *guest, struct slot *slot)
{
    static const char body[] = "{\"Status\":\"SUCCEEDED\",\"Result\":\"10\"}";

    ask(slot, LINE_RESPONSE,
        "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
        "Host: %s\r\n"
        "Accept: */*\r\n"
        "content-type: application/json\r\n"
        "User-Agent: AWS_Lambda_Cpp/0.2.6\r\n"
        "content-length: %zu\r\n\r\n%s",
        slot->request_id, guest->api, sizeof body - 1, body);
}

/* --- a checkpoint ----------------------------------------------------------------------- */

/* SplitMix64: what is stored must not compress, and should cost nothing. */
static uint64_t next_random(struct guest *guest)
{
    uint64_t z = guest->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_result(struct guest *guest, char text[RESULT_BYTES + 1])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    uint64_t bits = 0;

    for (size_t i = 0; i < RESULT_BYTES; i++) {
        bits = (i % 10 == 0) ? next_random(guest) : bits >> 6;
        text[i] = letters[bits & 63];
    }
    text[RESULT_BYTES] = '\0';
}

/* A UUID as far as its looks go. */
static void fill_uuid(struct guest *guest, char text[WORD_MAX])
{
    uint64_t a = next_random(guest);
    uint64_t b = next_random(guest);

    (void)snprintf(text, WORD_MAX, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a & 0xffffffff),
                   (unsigned)(a >> 32 & 0xffff), (unsigned)(a >> 48 & 0xfff),
                   (unsigned)(b >> 48 & 0xfff), (unsigned long long)(b & 0xffffffffffff));
}

static int put_body(struct guest *guest, const struct slot *slot, char text[TEXT_MAX])
{
    char result[RESULT_BYTES + 1];
    char client_token[WORD_MAX];
    char id[WORD_MAX];

    fill_result(guest, result);
    fill_uuid(guest, client_token);
    (void)snprintf(id, sizeof id, "c4ca4238a0b923%02x", slot->step);
    return snprintf(text, TEXT_MAX,
                    "{\"CheckpointToken\":\"%s\",\"Updates\":["
                    "{\"Id\":\"%s\",\"Type\":\"STEP\",\"Action\":\"START\",\"Name\":\"step-%u\","
                    "\"SubType\":\"Step\"},"
                    "{\"Id\":\"%s\",\"Type\":\"STEP\",\"Action\":\"SUCCEED\",\"Name\":\"step-%u\","
                    "\"SubType\":\"Step\",\"Payload\":\"\\\"%s\\\"\"}],\"ClientToken\":\"%s\"}",
                    slot->token, id, slot->step, id, slot->step, result, client_token);
}

#define AGENT "aws-sdk-js/3.1163.0"
#define DURABLE_AGENT "aws-durable-execution-sdk-js/2.4.0-bundled"
#define HASH "67d6e9768a45bbc9e99a4c61ccd1fe50e74adb97c62b59e465ffffa6b5b74a7c"

static void checkpoint(struct guest *guest, struct slot *slot)
{
    char body[TEXT_MAX];
    char id[WORD_MAX];
    int len = put_body(guest, slot, body);

    fill_uuid(guest, id);
    ask(slot, LINE_CHECKPOINT,
        "POST /2025-12-01/durable-executions/%s/checkpoint HTTP/1.1\r\n"
        "content-type: application/json\r\n"
        "content-length: %d\r\n"
        "x-amz-user-agent: " AGENT " " DURABLE_AGENT "\r\n"
        "user-agent: " AGENT " ua/2.1 os/linux#6.18.44 lang/js md/nodejs#22.23.3 "
        "api/lambda#3.1163.0 exec-env/AWS_Lambda_nodejs22.x m/E,g " DURABLE_AGENT "\r\n"
        "host: %s\r\n"
        "X-Amzn-Trace-Id: Root=1-6b0493a0-ab057075ac00165daef612a8;Parent=97f75fd213eed137;"
        "Sampled=0\r\n"
        "amz-sdk-invocation-id: %s\r\n"
        "amz-sdk-request: attempt=1; max=3\r\n"
        "x-amz-date: 20261123T192728Z\r\n"
        "x-amz-content-sha256: " HASH "\r\n"
        "authorization: AWS4-HMAC-SHA256 Credential=environment/20261123/us-east-1/lambda/"
        "aws4_request, SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;"
        "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-user-agent, Signature=" HASH "\r\n"
        "Connection: keep-alive\r\n\r\n%s",
        slot->arn, len, guest->api, id, body);
}

/* --- answers ------------------------------------------------------------------------------ */

/* What stands between `before` and the first `end` behind it. */
static void copy_part(const char *text, const char *before, char end, char *ret, size_t size)
{
    const char *from = strstr(text, before);
    const char *to = (from != NULL) ? strchr(from + strlen(before), end) : NULL;
    size_t len;

    if (to == NULL) {
        fail(before);
    }
    from += strlen(before);
    len = (size_t)(to - from);
    if (len >= size) {
        fail("an answer has a part that is too long");
    }
    memcpy(ret, from, len);
    ret[len] = '\0';
}

/* As encodeURIComponent() has it, of the characters that are in an ARN. */
static void encode(const char *text, char ret[ARN_MAX])
{
    size_t len = 0;

    for (; *text != '\0' && len + 4 < ARN_MAX; text++) {
        if (*text == ':' || *text == '/' || *text == '$') {
            len += (size_t)snprintf(ret + len, ARN_MAX - len, "%%%02X", (unsigned)*text);
        } else {
            ret[len++] = *text;
        }
    }
    ret[len] = '\0';
}

static void begin(struct slot *slot)
{
    char arn[ARN_MAX];

    copy_part(slot->answer, "Lambda-Runtime-Aws-Request-Id: ", '\r', slot->request_id, WORD_MAX);
    copy_part(slot->answer, "\"DurableExecutionArn\":\"", '"', arn, sizeof arn);
    encode(arn, slot->arn);
    slot->step = 0;
}

static void go_on(struct guest *guest, struct slot *slot)
{
    if (slot->line == LINE_RESPONSE) {
        ask_next(guest, slot);
        return;
    }
    if (slot->line == LINE_NEXT) {
        begin(slot);
    }
    if (slot->step++ == STEPS) {
        respond(guest, slot);
        return;
    }
    copy_part(slot->answer, "\"CheckpointToken\":\"", '"', slot->token, WORD_MAX);
    checkpoint(guest, slot);
}

static void take(struct guest *guest, struct slot *slot)
{
    ssize_t len = recv(slot->fds[slot->line], slot->answer + slot->answer_len,
                       sizeof slot->answer - 1 - slot->answer_len, 0);
    struct answer answer;

    if (len <= 0) {
        fail("the door has closed a connection");
    }
    slot->answer_len += (size_t)len;
    slot->answer[slot->answer_len] = '\0';
    if (answer_parse(slot->answer, slot->answer_len, &answer) == 0) {
        return;
    }
    if (answer.status / 100 != 2) {
        fail(slot->answer);
    }
    go_on(guest, slot);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void open_slots(struct guest *guest)
{
    const char *count = getenv("AWS_LAMBDA_MAX_CONCURRENCY");

    guest->slot_count = (count != NULL) ? (unsigned)strtoul(count, NULL, 10) : 1;
    if (guest->slot_count == 0 || guest->slot_count > SLOTS_MAX) {
        fail("AWS_LAMBDA_MAX_CONCURRENCY");
    }
    for (unsigned i = 0; i < guest->slot_count; i++) {
        for (unsigned line = 0; line < LINES; line++) {
            guest->slots[i].fds[line] = dial(guest, &guest->slots[i]);
        }
        ask_next(guest, &guest->slots[i]);
    }
}

static void find_door(struct guest *guest)
{
    char host[WORD_MAX];
    const char *colon;

    guest->api = getenv("AWS_LAMBDA_RUNTIME_API");
    colon = (guest->api != NULL) ? strchr(guest->api, ':') : NULL;
    if (colon == NULL || (size_t)(colon - guest->api) >= sizeof host) {
        fail("AWS_LAMBDA_RUNTIME_API");
    }
    memcpy(host, guest->api, (size_t)(colon - guest->api));
    host[colon - guest->api] = '\0';
    guest->address.sin_family = AF_INET;
    guest->address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &guest->address.sin_addr) != 1) {
        fail("AWS_LAMBDA_RUNTIME_API");
    }
}

int main(void)
{
    static struct guest guest;
    struct epoll_event events[SLOTS_MAX];

    find_door(&guest);
    guest.random = (uint64_t)getpid() << 32 ^ (uintptr_t)&events;
    guest.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (guest.epoll < 0) {
        fail("epoll");
    }
    open_slots(&guest);
    for (;;) {
        int count = epoll_wait(guest.epoll, events, SLOTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            take(&guest, events[i].data.ptr);
        }
    }
}
