#include "tests/base/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

static long allocations_left;
static int error_count;

static bool is_allowed(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

void fixture_fail_after(long allocations)
{
    allocations_left = allocations;
    mem_set_hook((allocations >= 0) ? is_allowed : NULL);
}

static void count_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
    error_count++;
}

int fixture_count_errors(void)
{
    err_set_sink(count_error);
    return error_count;
}

struct prng fixture_seed(void)
{
    const char *text = getenv("PAWL_SEED");
    struct prng prng = {.state = (text != NULL) ? strtoull(text, NULL, 10) : 20261123};

    (void)printf("PAWL_SEED=%" PRIu64 "\n", prng.state);
    return prng;
}

int fixture_restore(void **state)
{
    (void)state;
    fixture_fail_after(-1);
    err_set_sink(NULL);
    error_count = 0;
    return 0;
}
