/* Seeded random numbers (splitmix64, Steele et al. 2014): the same seed gives the
 * same numbers on every machine. For ids, jitter and simulation; never for keys. */
#ifndef ENGINE_BASE_PRNG_H
#define ENGINE_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *prng)
{
    uint64_t z = (prng->state += 0x9E3779B97F4A7C15U);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* 0 .. below-1; `below` must not be 0. */
static inline uint32_t prng_below(struct prng *prng, uint32_t below)
{
    return (uint32_t)(((prng_next(prng) >> 32) * below) >> 32);
}

#endif /* ENGINE_BASE_PRNG_H */
