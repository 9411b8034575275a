/* What a runtime posts: any bytes are a verdict or an error of exactly one invocation. */
#include <stdlib.h>
#include <string.h>

#include "invoke/guest_parts.h"
#include "sdk/wire/wire.h"
#include "tests/fuzz/target.h"

#define TYPE_MAX 128U

static struct bytes posted;
static int ends;

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_error(struct bytes encoded)
{
    struct error_object error;
    struct arena arena;

    arena_init(&arena, 0);
    check(wire_get_error(&arena, encoded, &error) == 0);
    arena_fini(&arena);
}

/* In place of guest.c. */
void guest_end_run(struct guest *guest, struct guest_run *run, const struct guest_end *end)
{
    (void)guest;
    ends++;
    check(end->complete.outcome <= OUTCOME_FAILED);
    check(!end->is_error || run->is_durable);
    check(!end->is_error || (end->error_type.len > 0 && end->error_type.len <= TYPE_MAX));
    check(end->document.len == 0 || bytes_equal(end->document, posted));
    if (end->complete.outcome == OUTCOME_FAILED) {
        check_error(end->complete.error);
    }
}

void guest_accept(struct http_request *request)
{
    (void)request;
}

void guest_fails_init(struct place *place, struct bytes type, struct bytes message)
{
    (void)place;
    (void)type;
    (void)message;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest guest = {0};
    struct guest_run run = {.is_durable = true};
    struct arena arena;

    posted = bytes_of(data, size);
    ends = 0;
    arena_init(&arena, 0);
    guest_end_durable(&guest, &run, posted, &arena);
    guest_end_with_document(&guest, &run, posted, bytes_of("Type", 4), &arena);
    run.is_durable = false;
    guest_end_with_document(&guest, &run, posted, (struct bytes){0}, &arena);
    check(ends == 3);
    arena_fini(&arena);
    return 0;
}
