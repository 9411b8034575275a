#include "runtime/door.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#define BACKLOG 128

/* The descriptor, or -1. */
static int listen_on(uint16_t port, struct sockaddr_in *ret_address, struct failure *failure)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        (void)failure_errno(failure, "open the Runtime API's socket");
        return -1;
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        (void)failure_errno(failure, "listen on the Runtime API's port");
        (void)close(fd);
        return -1;
    }
    *ret_address = address;
    return fd;
}

static int hand_up(int native, int listener, struct failure *failure)
{
    char byte = 0;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof listener);
    memcpy(CMSG_DATA(rights), &listener, sizeof listener);
    if (sendmsg(native, &message, MSG_NOSIGNAL) != 1) {
        return failure_errno(failure, "hand the Runtime API's socket to the daemon");
    }
    return 0;
}

static void drop_variable(struct request *request, const char *name)
{
    size_t len = strlen(name);
    size_t kept = 0;

    for (size_t i = 0; i < request->env_count; i++) {
        if (strncmp(request->env[i], name, len) != 0 || request->env[i][len] != '=') {
            request->env[kept++] = request->env[i];
        }
    }
    request->env_count = kept;
}

/* They live as long as the init, which execs once. */
static void add_variables(struct request *request, const struct sockaddr_in *address)
{
    static char api[64];
    static char endpoint[64];
    unsigned port = ntohs(address->sin_port);

    (void)snprintf(api, sizeof api, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%u", port);
    (void)snprintf(endpoint, sizeof endpoint, "AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:%u", port);
    drop_variable(request, "AWS_ENDPOINT_URL_LAMBDA");
    request->env[request->env_count++] = api;
    request->env[request->env_count++] = endpoint;
    request->env[request->env_count] = NULL;
}

int door_open(struct request *request, uint16_t port, int native, struct failure *failure)
{
    struct sockaddr_in address;
    int fd = listen_on(port, &address, failure);
    int r;

    if (fd < 0) {
        return FAILURE_E_SET;
    }
    r = hand_up(native, fd, failure);
    (void)close(fd);
    if (r == 0) {
        add_variables(request, &address);
    }
    return r;
}
