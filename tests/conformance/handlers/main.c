#include "tests/conformance/handlers/handlers.h"

#include <assert.h>

#define HANDLERS_MAX 128

static struct pawl_handler handlers[HANDLERS_MAX + 1];

static size_t add(size_t count, const struct pawl_handler *suite)
{
    for (; suite->name != NULL; suite++) {
        assert(count < HANDLERS_MAX);
        handlers[count++] = *suite;
    }
    return count;
}

int main(void)
{
    size_t count = 0;

    count = add(count, step_handlers);
    count = add(count, wait_handlers);
    count = add(count, child_handlers);
    count = add(count, callback_handlers);
    add(count, invoke_handlers);
    return pawl_main(handlers);
}
