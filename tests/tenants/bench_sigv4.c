/* What one verification costs, in processor time; and whether an unknown key can be told
 * from a wrong signature by it (Welch's t over interleaved measurements; dudect calls
 * 4.5 the limit). Figures, no verdicts: they are of this machine and its load.
 *
 *     bench_sigv4 [VERIFICATIONS] */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/tenants/vector.h"

struct asked {
    const char *name;
    struct request_head head;
    struct request_header headers[VECTOR_HEADERS_MAX];
    struct bytes body;
};

static double cpu_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static uint64_t ticks(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static bool verify(struct verifier *verifier, const struct asked *asked, struct arena *arena)
{
    const struct credentials credentials = {
        .kind = CREDENTIALS_TCP, .head = asked->head, .now_ms = VECTOR_NOW_S * (int64_t)1000};
    struct principal principal;
    struct admission *admission;

    arena_reset(arena);
    admission = verifier_admit(verifier, &credentials, arena);
    return verifier_finish(verifier, admission, asked->body, credentials.now_ms, &principal) ==
           NULL;
}

static void use(struct asked *asked, const char *name)
{
    const struct vector *vector = vector_find(name);

    asked->name = name;
    asked->head = vector_head(vector, asked->headers);
    asked->body = vector_body(vector);
}

static void measure(struct verifier *verifier, const struct asked *asked, long count)
{
    struct arena arena;
    double start;
    long good = 0;

    arena_init(&arena, 0);
    start = cpu_us();
    for (long i = 0; i < count; i++) {
        good += verify(verifier, asked, &arena) ? 1 : 0;
    }
    printf("%-32s %6.2f us, body of %zu bytes, %s\n", asked->name,
           (cpu_us() - start) / (double)count, asked->body.len,
           (good == count) ? "admitted" : "refused");
    arena_fini(&arena);
}

/* --- telling two refusals apart ------------------------------------------------------------ */

struct sample {
    double count, mean, squares;
};

static void add(struct sample *sample, double value)
{
    double delta = value - sample->mean;

    sample->count += 1;
    sample->mean += delta / sample->count;
    sample->squares += delta * (value - sample->mean);
}

static double welch_t(const struct sample *a, const struct sample *b)
{
    double va = a->squares / (a->count - 1) / a->count;
    double vb = b->squares / (b->count - 1) / b->count;

    return (a->mean - b->mean) / sqrt(va + vb);
}

/* The longest tenth of all is what others did meanwhile. */
static void compare(struct verifier *verifier, const struct asked *asked, long count)
{
    struct sample samples[2] = {{0}};
    struct arena arena;
    uint64_t limit = UINT64_MAX;
    uint64_t random = 1;

    arena_init(&arena, 0);
    for (long i = 0; i < count; i++) {
        int which = (int)((random = random * 6364136223846793005U + 1442695040888963407U) >> 63);
        uint64_t start = ticks();
        uint64_t taken;

        (void)verify(verifier, &asked[which], &arena);
        taken = ticks() - start;
        if (i == 1000) {
            limit = 3 * (uint64_t)samples[0].mean;
        }
        if (taken < limit) {
            add(&samples[which], (double)taken);
        }
    }
    printf("%s against %s: %.1f and %.1f ns, t = %.2f over %.0f\n", asked[0].name, asked[1].name,
           samples[0].mean, samples[1].mean, welch_t(&samples[0], &samples[1]),
           samples[0].count + samples[1].count);
    arena_fini(&arena);
}

/* A digit of the key's id, or of the signature, is another one. */
static void spoil(struct asked *asked, const char *name, const char *behind)
{
    struct bytes value = asked->headers[0].value;
    char *text = NULL;

    for (size_t i = 0; i < asked->head.header_count; i++) {
        if (bytes_equal(asked->headers[i].name, bytes_of_text("authorization"))) {
            value = asked->headers[i].value;
            text = strndup((const char *)value.data, value.len);
            asked->headers[i].value = bytes_of(text, value.len);
        }
    }
    text = strstr(text, behind) + strlen(behind);
    *text = (*text == 'A') ? 'B' : (*text == '0') ? '1' : (*text == 'B') ? 'A' : '0';
    asked->name = name;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"list_functions", "invoke", "presigned list_functions",
                                        "create_function"};
    long count = (argc > 1) ? strtol(argv[1], NULL, 10) : 200000;
    char dir[] = "/tmp/bench_sigv4.XXXXXX";
    char path[64];
    struct fixture fixture = {.keyring = NULL};
    struct verifier *verifier;
    struct asked asked[2];

    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    (void)snprintf(fixture.dir, sizeof fixture.dir, "%s", dir);
    verifier = vector_verifier(&fixture);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        use(&asked[0], names[i]);
        measure(verifier, &asked[0], count);
    }
    for (size_t i = 0; i < 2; i++) {
        use(&asked[i], "invoke");
        asked[i].head.headers = asked[i].headers;
    }
    spoil(&asked[0], "unknown key", "Credential=AKI");
    spoil(&asked[1], "wrong signature", "Signature=");
    compare(verifier, asked, 5 * count);
    verifier_destroy(verifier);
    (void)snprintf(path, sizeof path, "%s/token", dir);
    (void)unlink(path);
    (void)rmdir(dir);
    return 0;
}
