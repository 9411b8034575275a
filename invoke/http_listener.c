/* Where clients come in: TCP on loopback, listening sockets of others, unix sockets.
 *
 * A unix socket's file must be ours alone from its first moment, and the file of a
 * dead server must not keep a new one from starting. So: the directory is locked
 * while we look; a file that nobody answers at is removed; the new one gets its
 * mode before it has a name (Linux makes the file with the mode of the unbound
 * socket), so no window and no process-wide umask. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "invoke/http_connection.h"
#include "invoke/http_loop.h"

#define BACKLOG 1024
#define HOST_BYTES_MAX 64U

/* --- what both share ----------------------------------------------------------- */

static int create(struct http_listener **ret_listener, struct http_server *server, bool is_unix)
{
    struct http_listener *listener;
    int r;

    if (server->listener_count == HTTP_LISTENERS_MAX) {
        return ERR(ERR_LIMIT, "%d listeners", HTTP_LISTENERS_MAX);
    }
    listener = mem_calloc(1, sizeof *listener);
    if (listener == NULL) {
        return ERR(ERR_NOMEM, "listener");
    }
    listener->server = server;
    listener->is_unix = is_unix;
    r = is_unix ? uv_pipe_init(server->loop, &listener->socket.pipe, 0)
                : uv_tcp_init(server->loop, &listener->socket.tcp);
    if (r != 0) {
        mem_free(listener);
        return ERR(ERR_SYSTEM, "socket: %s", uv_strerror(r));
    }
    server->handle_count++;
    *ret_listener = listener;
    return 0;
}

static void after_close(uv_handle_t *handle)
{
    struct http_listener *listener = container_of(handle, struct http_listener, socket.handle);
    struct http_server *server = listener->server;

    mem_free(listener->path);
    mem_free(listener);
    http_server_handle_closed(server);
}

/* Only our own file: another server may have replaced it. */
static void remove_file(const struct http_listener *listener)
{
    struct stat st;

    if (listener->path != NULL && lstat(listener->path, &st) == 0 &&
        st.st_dev == listener->path_dev && st.st_ino == listener->path_inode) {
        (void)unlink(listener->path);
    }
}

void http_listener_close(struct http_listener *listener)
{
    remove_file(listener);
    uv_close(&listener->socket.handle, after_close);
}

/* libuv asks no more until the client that waits has been accepted. */
static void accept_one(struct http_listener *listener)
{
    listener->is_waiting = http_connection_accept(listener) != 0;
    if (listener->is_waiting) {
        http_server_keep_ticking(listener->server);
    }
}

bool http_listener_retry(struct http_listener *listener)
{
    if (listener->is_waiting) {
        accept_one(listener);
    }
    return listener->is_waiting;
}

static void on_client(uv_stream_t *stream, int status)
{
    if (status != 0) {
        log_warn("accept: %s", uv_strerror(status));
        return;
    }
    accept_one(container_of(stream, struct http_listener, socket.stream));
}

static int start(struct http_listener *listener, const char *name)
{
    struct http_server *server = listener->server;
    int r = uv_listen(&listener->socket.stream, BACKLOG, on_client);

    if (r != 0) {
        http_listener_close(listener);
        return ERR(ERR_SYSTEM, "listen on %s: %s", name, uv_strerror(r));
    }
    server->listeners[server->listener_count++] = listener;
    return 0;
}

/* --- TCP ----------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (address->ss_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    memcpy(&in6, address, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

static int parse_port(const char *text)
{
    int port = 0;

    if (*text == 0 || strlen(text) > 5) {
        return -1;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9') {
            return -1;
        }
        port = port * 10 + (*text - '0');
    }
    return (port <= 65535) ? port : -1;
}

/* "127.0.0.1:9100" or "[::1]:9100". Returns whether it has that form. */
static bool parse_address(const char *text, struct sockaddr_storage *ret_address)
{
    const char *colon = strrchr(text, ':');
    bool is_bracketed = text[0] == '[';
    char host[HOST_BYTES_MAX];
    size_t len;
    int port;

    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    port = parse_port(colon + 1);
    len = (size_t)(colon - text);
    if (is_bracketed && (len < 2 || text[len - 1] != ']')) {
        return false;
    }
    len -= is_bracketed ? 2 : 0;
    memcpy(host, text + (is_bracketed ? 1 : 0), len);
    host[len] = 0;
    if (port < 0) {
        return false;
    }
    return is_bracketed ? uv_ip6_addr(host, port, (struct sockaddr_in6 *)ret_address) == 0
                        : uv_ip4_addr(host, port, (struct sockaddr_in *)ret_address) == 0;
}

int http_listen_tcp(struct http_server *server, const char *address)
{
    struct sockaddr_storage parsed = {0};
    struct http_listener *listener;
    int r;

    if (!parse_address(address, &parsed)) {
        return ERR(ERR_INVALID, "listen on '%s': write it as 127.0.0.1:9100 or [::1]:9100",
                   address);
    }
    if (!is_loopback(&parsed) && !http_census_has_tls(server->census)) {
        return ERR(ERR_INVALID,
                   "listen on '%s': without TLS only loopback addresses are served; give "
                   "tls_certificate and tls_key, or put a TLS proxy in front",
                   address);
    }
    if (server->thread_count > 0) {
        return http_loops_listen(server, (struct sockaddr *)&parsed, address);
    }
    r = create(&listener, server, false);
    if (r != 0) {
        return r;
    }
    r = uv_tcp_bind(&listener->socket.tcp, (struct sockaddr *)&parsed, 0);
    if (r != 0) {
        http_listener_close(listener);
        return ERR(ERR_SYSTEM, "bind to %s: %s", address, uv_strerror(r));
    }
    return start(listener, address);
}

/* Of a socket that listens for TCP's connections already. */
static bool is_listening(int fd)
{
    int domain = 0;
    int type = 0;
    int listens = 0;
    socklen_t len = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
           (domain == AF_INET || domain == AF_INET6) &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0;
}

int http_listen_fd(struct http_server *server, int fd)
{
    struct http_listener *listener;
    int r;

    if (!is_listening(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        (void)close(fd);
        return ERR(ERR_INVALID, "descriptor %d is not a listening TCP socket", fd);
    }
    r = create(&listener, server, false);
    if (r != 0) {
        (void)close(fd);
        return r;
    }
    r = uv_tcp_open(&listener->socket.tcp, fd);
    if (r != 0) {
        (void)close(fd);
        http_listener_close(listener);
        return ERR(ERR_SYSTEM, "listen on descriptor %d: %s", fd, uv_strerror(r));
    }
    return start(listener, "a descriptor");
}

int http_server_port(const struct http_server *server)
{
    struct sockaddr_storage name;
    int len = sizeof name;

    for (unsigned i = 0; i < server->listener_count; i++) {
        const struct http_listener *listener = server->listeners[i];

        if (!listener->is_unix &&
            uv_tcp_getsockname(&listener->socket.tcp, (struct sockaddr *)&name, &len) == 0) {
            return ntohs(((struct sockaddr_in *)&name)->sin_port); /* at one place in both */
        }
    }
    return server->port;
}

/* --- unix sockets -------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}
#define scoped_fd __attribute__((cleanup(close_fd)))

static int lock_directory(const char *path, int *ret_fd)
{
    scoped_fd int fd = -1;
    char *copy = mem_dup(path, strlen(path));

    if (copy == NULL) {
        return ERR(ERR_NOMEM, "path");
    }
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(copy);
    if (fd < 0) {
        return ERR(ERR_SYSTEM, "directory of %s: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return ERR(ERR_SYSTEM, "lock the directory of %s: %s", path, strerror(errno));
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* Nobody listens there any more: the kernel refuses to connect. */
static int check_dead(const struct sockaddr_un *address)
{
    scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return ERR(ERR_SYSTEM, "socket: %s", strerror(errno));
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN) {
        return ERR(ERR_INVALID, "%s: another server is running", address->sun_path);
    }
    if (errno != ECONNREFUSED && errno != ENOENT) {
        return ERR(ERR_SYSTEM, "%s: %s", address->sun_path, strerror(errno));
    }
    return 0;
}

static int remove_stale(const struct sockaddr_un *address)
{
    struct stat st;
    int r;

    if (lstat(address->sun_path, &st) != 0) {
        return (errno == ENOENT) ? 0
                                 : ERR(ERR_SYSTEM, "%s: %s", address->sun_path, strerror(errno));
    }
    if (!S_ISSOCK(st.st_mode)) {
        return ERR(ERR_INVALID, "%s: there is a file, and it is not a socket", address->sun_path);
    }
    r = check_dead(address);
    if (r != 0) {
        return r;
    }
    if (unlink(address->sun_path) != 0 && errno != ENOENT) {
        return ERR(ERR_SYSTEM, "remove %s: %s", address->sun_path, strerror(errno));
    }
    return 0;
}

static int bind_private(struct http_listener *listener, const struct sockaddr_un *address)
{
    scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat st;
    int r;

    if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        lstat(address->sun_path, &st) != 0) {
        return ERR(ERR_SYSTEM, "bind to %s: %s", address->sun_path, strerror(errno));
    }
    listener->path_dev = st.st_dev;
    listener->path_inode = st.st_ino;
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ERR(ERR_SYSTEM, "%s: the file system does not keep it private", address->sun_path);
    }
    r = uv_pipe_open(&listener->socket.pipe, fd);
    if (r != 0) {
        return ERR(ERR_SYSTEM, "%s: %s", address->sun_path, uv_strerror(r));
    }
    fd = -1; /* the handle's */
    return 0;
}

/* The socket listens before the lock goes: whoever comes next finds it alive. */
static int bind_and_start(struct http_listener *listener, const struct sockaddr_un *address)
{
    scoped_fd int lock = -1;
    int r = lock_directory(address->sun_path, &lock);

    if (r == 0) {
        r = remove_stale(address);
    }
    if (r == 0) {
        r = bind_private(listener, address);
    }
    if (r != 0) {
        http_listener_close(listener);
        return r;
    }
    return start(listener, address->sun_path);
}

int http_listen_unix(struct http_server *server, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct http_listener *listener;
    int r;

    if (*path == 0 || strlen(path) >= sizeof address.sun_path) {
        return ERR(ERR_INVALID, "'%s': a unix socket's path has 1 to %zu bytes", path,
                   sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    r = create(&listener, server, true);
    if (r != 0) {
        return r;
    }
    listener->path = mem_dup(path, strlen(path));
    if (listener->path == NULL) {
        http_listener_close(listener);
        return ERR(ERR_NOMEM, "path");
    }
    return bind_and_start(listener, &address);
}
