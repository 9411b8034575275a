/* What a fuzz target is: one function that takes any bytes, and ends the process
 * where something that must hold does not. The same file is linked with libFuzzer
 * (`./dev fuzz`) and with replay.c, which every `meson test` runs. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* TESTS_FUZZ_TARGET_H */
