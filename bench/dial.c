#include "bench/dial.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>

static _Noreturn void dial_failed(const char *where)
{
    (void)fprintf(stderr, "bench_client: %s: %s\n", where, strerror(errno));
    exit(1);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (len >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        dial_failed(path);
    }
    memcpy(address.sun_path, path, len);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        dial_failed(path);
    }
    return fd;
}

static int connect_tcp(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int is_on = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &is_on, sizeof is_on) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        dial_failed("TCP");
    }
    return fd;
}

int dial(const char *socket_path, unsigned port)
{
    return (port != 0) ? connect_tcp(port) : connect_unix(socket_path);
}
