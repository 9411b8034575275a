#include "examples/audit/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 10

static int complain(struct pawl_context *ctx, const char *doing, const char *path)
{
    return pawl_fail(ctx, "LedgerError", "cannot %s the ledger at %s: errno %d", doing, path,
                     errno);
}

/* The descriptor, or -1 when `ctx` has failed. */
static int connect_to(struct pawl_context *ctx, const char *path)
{
    const struct timeval patience = {.tv_sec = ANSWER_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd;

    if (n < 0 || (size_t)n >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        (void)complain(ctx, "name", path);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        (void)complain(ctx, "make a socket for", path);
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)complain(ctx, "reach", path);
        (void)close(fd);
        return -1;
    }
    return fd;
}

int ledger_tell(struct pawl_context *ctx, const char *path, const char *word, const char *name)
{
    const char *line = pawl_printf(ctx, "%s %s\n", word, name);
    char answer[3];
    int r = 0;
    int fd;

    if (path == NULL) {
        return 0;
    }
    fd = connect_to(ctx, path);
    if (fd < 0) {
        return PAWL_FAILED;
    }
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line)) {
        r = complain(ctx, "write to", path);
    } else if (recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer ||
               memcmp(answer, "ok\n", sizeof answer) != 0) {
        r = complain(ctx, "get an answer from", path);
    }
    (void)close(fd);
    return r;
}
