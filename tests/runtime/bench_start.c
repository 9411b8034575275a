/* Cold start: from environment_start() to the program's first word on its socket.
 * One JSON line a figure: p50, p99 and the most, in microseconds, one at a time (closed
 * loop), beside fork and exec of the same program without anything. */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

#define RUNS_MAX 5000

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static void print_figure(const char *name, double *us, int count)
{
    qsort(us, (size_t)count, sizeof *us, by_value);
    printf("{\"figure\":\"%s\",\"runs\":%d,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f}\n",
           name, count, us[count / 2], us[count * 99 / 100], us[count - 1]);
}

static double start_once(struct fixture *f)
{
    struct run run;
    struct pollfd both[2];
    char word;
    double start = now_us();
    double first;

    run_start(&run, f, "touch", NULL);
    both[0] = (struct pollfd){.fd = run.fds[0], .events = POLLIN};
    both[1] = (struct pollfd){.fd = uv_backend_fd(&f->loop), .events = POLLIN};
    while (read(run.fds[0], &word, 1) != 1) {
        (void)poll(both, 2, 1000);
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    first = now_us() - start;
    run_wait_end(&run, f);
    run_fini(&run);
    return first;
}

static double spawn_once(void)
{
    char *argv[] = {(char *)(uintptr_t)PROBE_PATH, NULL};
    char *env[] = {(char *)(uintptr_t) "PROBE=nothing", NULL};
    double start = now_us();
    pid_t pid = 0;

    (void)posix_spawn(&pid, PROBE_PATH, NULL, NULL, argv, env);
    (void)waitpid(pid, NULL, 0);
    return now_us() - start;
}

static void bench(enum isolation isolation, const char *name, int runs, int pause_ms)
{
    static double us[RUNS_MAX];
    struct fixture f;

    fixture_init(&f);
    f.isolation = isolation;
    fixture_open(&f);
    for (int i = 0; i < runs; i++) {
        (void)usleep((useconds_t)pause_ms * 1000);
        us[i] = start_once(&f);
    }
    print_figure(name, us, runs);
    fixture_close(&f);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    int runs = (argc > 1) ? (int)strtol(argv[1], NULL, 10) : 300;
    static double us[RUNS_MAX];

    fixture_enter(argc, argv);
    runs = (runs > RUNS_MAX) ? RUNS_MAX : runs;
    for (int i = 0; i < runs; i++) {
        us[i] = spawn_once();
    }
    print_figure("posix_spawn and wait, bare", us, runs);
    bench(ISOLATION_NONE, "cold start without isolation", runs, 0);
    bench(ISOLATION_SANDBOX, "cold start, sandbox, back to back", runs, 0);
    bench(ISOLATION_SANDBOX, "cold start, sandbox, 50 ms apart", runs / 5, 50);
    return 0;
}
