#include "engine/driver/growth.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define BUSY_PERCENT 75U
#define LINE_BYTES 256U

void machine_load_init(struct machine_load *load)
{
    *load = (struct machine_load){.fd = open("/proc/stat", O_RDONLY | O_CLOEXEC)};
}

void machine_load_fini(struct machine_load *load)
{
    if (load->fd >= 0) {
        (void)close(load->fd);
        load->fd = -1;
    }
}

/* "cpu  user nice system idle iowait irq softirq steal …", in ticks since the start. */
static bool read_ticks(int fd, uint64_t *ret_idle, uint64_t *ret_total)
{
    char line[LINE_BYTES];
    uint64_t ticks[8];
    ssize_t n = pread(fd, line, sizeof line - 1, 0);

    if (n <= 0) {
        return false;
    }
    line[n] = '\0';
    if (sscanf(line,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6],
               &ticks[7]) != 8) {
        return false;
    }
    *ret_idle = ticks[3];
    *ret_total = 0;
    for (size_t i = 0; i < 8; i++) {
        *ret_total += ticks[i];
    }
    return true;
}

bool machine_load_is_busy(struct machine_load *load, int64_t now_ms)
{
    uint64_t idle;
    uint64_t total;

    if (load->fd < 0 || now_ms < load->read_ms + GROWTH_STEP_MS ||
        !read_ticks(load->fd, &idle, &total) || total <= load->total) {
        return load->is_busy;
    }
    if (load->total > 0) {
        load->is_busy = (total - load->total) * (100 - BUSY_PERCENT) > (idle - load->idle) * 100;
    }
    load->idle = idle;
    load->total = total;
    load->read_ms = now_ms;
    return load->is_busy;
}

bool growth_may(struct growth *growth, struct machine_load *load, uint32_t serving, int64_t now_ms)
{
    if (now_ms >= growth->step_ms + GROWTH_STEP_MS) {
        growth->step_ms = now_ms;
        growth->left = (serving > 1) ? serving : 1;
    }
    if (machine_load_is_busy(load, now_ms) && now_ms < growth->last_ms + GROWTH_BUSY_MS) {
        return false;
    }
    return growth->left > 0;
}

void growth_note(struct growth *growth, int64_t now_ms)
{
    growth->last_ms = now_ms;
    if (growth->left > 0) {
        growth->left--;
    } else {
        growth->step_ms = now_ms; /* the first one */
    }
}
