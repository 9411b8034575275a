/* Any bytes, whole and cut at random points: the parser gives the same requests and
 * the same refusal. The cuts come from the bytes themselves, so a finding repeats. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/table.h"
#include "tests/fuzz/target.h"
#include "tests/http/transcript.h"

enum { CUTS = 3 };

static size_t whole_piece(void *arg)
{
    (void)arg;
    return SIZE_MAX;
}

static size_t random_piece(void *arg)
{
    struct prng *prng = arg;

    return 1 + prng_below(prng, (prng_below(prng, 4) == 0) ? 200 : 4);
}

static void expect_same(const struct buf *whole, struct bytes stream, uint64_t seed)
{
    struct prng prng = {.state = seed};
    struct buf text = {0};

    transcript_write(&text, stream, random_piece, &prng);
    if (!bytes_equal(buf_bytes(&text), buf_bytes(whole))) {
        (void)fprintf(stderr, "whole:\n%.*s\ncut:\n%.*s\n", (int)whole->len, (char *)whole->data,
                      (int)text.len, (char *)text.data);
        abort();
    }
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes stream = bytes_of(data, size);
    uint64_t seed = table_hash(stream);
    struct buf whole = {0};

    transcript_write(&whole, stream, whole_piece, NULL);
    for (uint64_t i = 0; i < CUTS; i++) {
        expect_same(&whole, stream, seed + i);
    }
    buf_fini(&whole);
    return 0;
}
