#include "bench/histogram.h"

#include <stddef.h>

#define SUBS (UINT64_C(1) << HISTOGRAM_SUB_BITS)

/* Below SUBS a bucket a value; above, SUBS buckets a power of two. */
static size_t bucket_of(uint64_t ns)
{
    unsigned shift;

    if (ns < SUBS) {
        return (size_t)ns;
    }
    shift = 63U - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    return (size_t)((((uint64_t)shift + 1) << HISTOGRAM_SUB_BITS) + ((ns >> shift) & (SUBS - 1)));
}

static uint64_t top_of(size_t bucket)
{
    uint64_t block = bucket >> HISTOGRAM_SUB_BITS;
    uint64_t sub = bucket & (SUBS - 1);

    return (block == 0) ? sub : ((SUBS + sub + 1) << (block - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->buckets[bucket_of(ns)]++;
    histogram->max_ns = (ns > histogram->max_ns) ? ns : histogram->max_ns;
}

double histogram_us(const struct histogram *histogram, double share)
{
    double wanted = (double)histogram->count * share;
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t ns = top_of(i);

            return (double)((ns < histogram->max_ns) ? ns : histogram->max_ns) / 1000;
        }
    }
    return 0;
}
