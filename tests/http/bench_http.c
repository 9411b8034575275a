/* A server to aim a load generator at: answers each request with a small JSON body.
 *
 *     bench_http 127.0.0.1:9100 [SECONDS [THREADS [CERTIFICATE KEY [SOCKET]]]] &
 *     wrk -t1 -c64 -d5s http://127.0.0.1:9100/2025-12-01/functions
 *
 * After SECONDS (60) it closes and prints what it served and what that cost. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "invoke/http.h"

#define BODY_BYTES_MAX ((size_t)6 << 20)

static unsigned long request_count;
static struct http_server *server;
static uv_timer_t ending;

static size_t admit(void *arg, struct http_request *request)
{
    (void)arg;
    (void)request;
    return BODY_BYTES_MAX;
}

static void handle(void *arg, struct http_request *request)
{
    (void)arg;
    request_count++;
    http_add_header(request, "x-amzn-requestid",
                    bytes_of_text("6f1c2a54-0b5e-4f0e-9d0a-5d3c1b7e8f90"));
    http_respond(request, 200, "application/json", bytes_of_text("{\"Functions\":[]}"));
}

static void ignore_close(void *arg)
{
    (void)arg;
}

static void end(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    http_server_close(server, NULL, ignore_close);
    http_server_kill(server);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void report(void)
{
    struct rusage usage;
    double user;
    double system;

    (void)getrusage(RUSAGE_SELF, &usage);
    user = seconds_of(usage.ru_utime);
    system = seconds_of(usage.ru_stime);
    printf("{\"requests\":%lu,\"user_s\":%.3f,\"system_s\":%.3f,\"user_us_per_request\":%.3f,"
           "\"cpu_us_per_request\":%.3f,\"max_rss_kib\":%ld}\n",
           request_count, user, system, user * 1e6 / (double)(request_count + 1),
           (user + system) * 1e6 / (double)(request_count + 1), usage.ru_maxrss);
}

static bool listen_at(const char *address, unsigned threads)
{
    http_server_use_threads(server, threads);
    return http_listen_tcp(server, address) == 0;
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uint64_t seconds = (argc > 2) ? strtoul(argv[2], NULL, 10) : 60;
    unsigned threads = (argc > 3) ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

    if (argc < 2 || threads > HTTP_THREADS_MAX ||
        http_server_create(&server, loop, &http_limits_default, NULL, admit, handle) != 0 ||
        (argc > 5 && http_server_use_tls(server, argv[4], argv[5]) != 0) ||
        !listen_at(argv[1], threads) || (argc > 6 && http_listen_unix(server, argv[6]) != 0)) {
        (void)fprintf(stderr,
                      "usage: bench_http ADDRESS [SECONDS [THREADS [CERTIFICATE KEY [SOCKET]]]]\n");
        return 2;
    }
    (void)uv_timer_init(loop, &ending);
    (void)uv_timer_start(&ending, end, seconds * 1000, 0);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    report();
    return 0;
}
