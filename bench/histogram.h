/* Latencies, counted in buckets of 1/32 of their size: a fixed 16 KiB holds any number of
 * them, and what is read out is at most 3 % too high. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The latency that `share` (0 .. 1) of all stay under; 0 when there are none. */
double histogram_us(const struct histogram *histogram, double share);

#endif /* BENCH_HISTOGRAM_H */
