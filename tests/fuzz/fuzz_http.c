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

static void write_down(struct buf *to, struct bytes stream, bool has_trailers, transcript_cut cut,
                       void *arg)
{
    if (has_trailers) {
        transcript_write_with_trailers(to, stream, cut, arg);
    } else {
        transcript_write(to, stream, cut, arg);
    }
}

static void expect_same(const struct buf *whole, struct bytes stream, bool has_trailers,
                        uint64_t seed)
{
    struct prng prng = {.state = seed};
    struct buf text = {0};

    write_down(&text, stream, has_trailers, random_piece, &prng);
    if (!bytes_equal(buf_bytes(&text), buf_bytes(whole))) {
        (void)fprintf(stderr, "whole:\n%.*s\ncut:\n%.*s\n", (int)whole->len, (char *)whole->data,
                      (int)text.len, (char *)text.data);
        abort();
    }
    buf_fini(&text);
}

static void check(struct bytes stream, bool has_trailers)
{
    uint64_t seed = table_hash(stream);
    struct buf whole = {0};

    write_down(&whole, stream, has_trailers, whole_piece, NULL);
    for (uint64_t i = 0; i < CUTS; i++) {
        expect_same(&whole, stream, has_trailers, seed + i);
    }
    buf_fini(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(bytes_of(data, size), false);
    check(bytes_of(data, size), true);
    return 0;
}
