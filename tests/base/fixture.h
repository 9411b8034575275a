/* Allocations that fail on demand, errors that are counted, a seed that is printed. */
#ifndef TESTS_BASE_FIXTURE_H
#define TESTS_BASE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/prng.h"

/* So many more allocations succeed, and all after them fail; -1: none fails. */
void fixture_fail_after(long allocations);

/* From now on errors are counted and not logged; returns how many came so far. */
int fixture_count_errors(void);

/* PAWL_SEED, or a fixed one; printed, so that a failed run can be repeated. */
struct prng fixture_seed(void);

/* Teardown of each test: allocations succeed and errors are logged again. */
int fixture_restore(void **state);

#endif /* TESTS_BASE_FIXTURE_H */
