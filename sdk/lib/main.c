#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sdk/lib/service.h"

static int explain(void)
{
    (void)fputs("This is a Pawl function. Pawl runs it; by hand it does nothing. To try it:\n"
                "\n"
                "    pawl dev                             (a daemon, in another terminal)\n"
                "    pawl deploy NAME PROGRAM --durable   (PROGRAM: this file)\n"
                "    pawl invoke NAME '{}'\n",
                stderr);
    return 2;
}

static bool is_end(const struct pawl_handler *handler)
{
    return handler->fn == NULL;
}

static pawl_handler_fn *choose(const struct pawl_handler *handlers)
{
    const char *wanted = getenv("_HANDLER");

    if (is_end(handlers)) {
        (void)fputs("pawl: pawl_main() was given no handlers\n", stderr);
        return NULL;
    }
    if (is_end(handlers + 1)) {
        return handlers->fn;
    }
    for (const struct pawl_handler *handler = handlers; !is_end(handler); handler++) {
        if (wanted != NULL && handler->name != NULL && strcmp(handler->name, wanted) == 0) {
            return handler->fn;
        }
    }
    (void)fprintf(stderr, "pawl: no handler is named \"%s\". There are:", wanted ? wanted : "");
    for (const struct pawl_handler *handler = handlers; !is_end(handler); handler++) {
        (void)fprintf(stderr, " %s", handler->name ? handler->name : "(unnamed)");
    }
    (void)fputc('\n', stderr);
    return NULL;
}

/* A number of at most `max`, or -1. */
static long get_number(const char *name, long max)
{
    const char *text = getenv(name);
    char *end;
    long number;

    if (text == NULL || *text == '\0') {
        return -1;
    }
    errno = 0;
    number = strtol(text, &end, 10);
    return (*end == '\0' && errno == 0 && number >= 0 && number <= max) ? number : -1;
}

/* Blocking, and not for programs that the handler starts. */
static bool prepare(int fd)
{
    struct stat facts;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode) &&
           fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int pawl_main(const struct pawl_handler *handlers)
{
    struct service_options options = {
        .cache_bytes_max = CACHE_BYTES_DEFAULT, .tick_ms = TICK_MS_DEFAULT, .is_to_death = true};
    long fd = get_number("PAWL_FD", 1 << 20);
    long cache_bytes = get_number("PAWL_CACHE_BYTES", 1L << 40);

    if (fd < 0 || !prepare((int)fd)) {
        return explain();
    }
    options.handler = choose(handlers);
    if (options.handler == NULL) {
        return 1;
    }
    if (cache_bytes >= 0) {
        options.cache_bytes_max = (size_t)cache_bytes;
    }
    return (service_run((int)fd, &options) == 0) ? 0 : 1;
}

int pawl_run(pawl_handler_fn *handler)
{
    const struct pawl_handler handlers[] = {{"handler", handler}, {NULL, NULL}};

    return pawl_main(handlers);
}
