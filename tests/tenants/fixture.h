/* A directory of its own for each test, a keyring in it, and the last error's text. */
#ifndef TESTS_TENANTS_FIXTURE_H
#define TESTS_TENANTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "tenants/keyring.h"

#define TENANT_A 111111111111U
#define TENANT_B 222222222222U

struct fixture {
    char dir[64];
    char path[128];
    struct keyring *keyring;
};

/* setup/teardown of cmocka: `*state` is a struct fixture with an empty directory. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The path of a file in the directory, until the next call. */
const char *fixture_path(struct fixture *fixture, const char *name);
void fixture_write(struct fixture *fixture, const char *name, mode_t mode, struct bytes content);
size_t fixture_read(struct fixture *fixture, const char *name, uint8_t *out, size_t max);

/* Opens the keyring of the directory into fixture->keyring. */
void fixture_open(struct fixture *fixture);
struct tenant_keys *fixture_tenant(struct fixture *fixture, uint64_t tenant);

/* The sentence of the last error, "" if there was none. */
const char *fixture_error(void);

/* So many more allocations succeed, and all after them fail; -1: none fails. */
void fixture_fail_after(long allocations);

#endif /* TESTS_TENANTS_FIXTURE_H */
