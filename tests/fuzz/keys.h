/* Keys for fuzz targets: the tenant key is random, so nothing here depends on it. */
#ifndef TESTS_FUZZ_KEYS_H
#define TESTS_FUZZ_KEYS_H

#include "tenants/keyring.h"

/* Made at the first call, kept to the end. */
struct keyring *fuzz_keyring(void);
const struct tenant_keys *fuzz_tenant_keys(void);

#endif /* TESTS_FUZZ_KEYS_H */
