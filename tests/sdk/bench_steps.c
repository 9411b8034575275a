/* What a durable step costs the function: a process that runs libpawl, and this one as a
 * daemon that answers at once. One JSON line for each number of executions at once. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sdk/lib/service.h"
#include "tests/sdk/crowd.h"

#define STEPS 200

static int work(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    (void)arg;
    *ret_result = pawl_value("\"a result of about forty bytes in length\"");
    return PAWL_OK;
}

static int steps(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    for (int i = 0; i < STEPS; i++) {
        PAWL_TRY(pawl_step(ctx, "work", work, NULL, NULL, ret));
    }
    *ret = pawl_value("1");
    return PAWL_OK;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double clock_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static pid_t start_function(int fds[2])
{
    struct service_options options = {
        .handler = steps, .cache_bytes_max = CACHE_BYTES_DEFAULT, .tick_ms = TICK_MS_DEFAULT};
    pid_t pid = fork();

    if (pid == 0) {
        close(fds[0]);
        _exit(service_run(fds[1], &options) == 0 ? 0 : 1);
    }
    close(fds[1]);
    return pid;
}

static bool measure(unsigned executions, unsigned rounds)
{
    struct crowd crowd = {.executions = executions, .rounds = rounds};
    double total = (double)executions * rounds * STEPS;
    struct rusage usage;
    int fds[2];
    double began_s;
    double took_s;
    double cpu_s;
    bool is_well;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 || start_function(fds) < 0) {
        return false;
    }
    crowd.fd = fds[0];
    began_s = clock_s();
    is_well = crowd_run(&crowd, "1") && crowd.failures == 0;
    took_s = clock_s() - began_s;
    close(fds[0]);
    if (wait4(-1, NULL, 0, &usage) < 0) {
        return false;
    }
    cpu_s = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    printf("{\"bench\":\"sdk_steps\",\"executions\":%u,\"steps\":%.0f,\"steps_per_s\":%.0f,"
           "\"function_cpu_us_per_step\":%.2f,\"us_per_step\":%.1f,\"checkpoints_per_read\":%.1f,"
           "\"switches_per_step\":%.2f}\n",
           executions, total, total / took_s, cpu_s * 1e6 / total,
           took_s * 1e6 / (total / executions), (double)crowd.checkpoints / (double)crowd.reads,
           (double)(usage.ru_nvcsw + usage.ru_nivcsw) / total);
    return is_well;
}

int main(void)
{
    return (measure(1, 100) && measure(16, 50) && measure(256, 10)) ? 0 : 1;
}
