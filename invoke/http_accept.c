/* A client comes in: who it is, and whether there is room for it. */
#include <sys/socket.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/http_connection.h"

static int init_socket(struct http_connection *connection)
{
    uv_loop_t *loop = connection->server->loop;

    return connection->is_unix ? uv_pipe_init(loop, &connection->socket.pipe, 0)
                               : uv_tcp_init(loop, &connection->socket.tcp);
}

/* Notes who it is. A TCP client without a place in the table is refused. */
static int know_peer(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct sockaddr_storage peer = {0};
    int peer_len = sizeof peer;
    struct ucred cred;
    socklen_t cred_len = sizeof cred;
    uv_os_fd_t fd;

    if (connection->is_unix) {
        if (uv_fileno(&connection->socket.handle, &fd) != 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) != 0) {
            return UV_EIO;
        }
        connection->peer_uid = cred.uid;
        return 0;
    }
    (void)uv_tcp_nodelay(&connection->socket.tcp, 1);
    if (uv_tcp_getpeername(&connection->socket.tcp, (struct sockaddr *)&peer, &peer_len) != 0) {
        return UV_EIO;
    }
    if (server->limits.per_address_max == 0) {
        return 0;
    }
    connection->address = http_address_enter(&server->addresses, (struct sockaddr *)&peer);
    return (connection->address != NULL) ? 0 : UV_ENOMEM;
}

static bool is_too_many(const struct http_connection *connection)
{
    const struct http_server *server = connection->server;

    return (connection->is_unix ? server->unix_count : server->tcp_count) >
               server->limits.connections_max ||
           (connection->address != NULL &&
            connection->address->connection_count > server->limits.per_address_max);
}

static void count(struct http_connection *connection)
{
    connection->is_counted = true;
    *(connection->is_unix ? &connection->server->unix_count : &connection->server->tcp_count) += 1;
}

void http_connection_uncount(struct http_connection *connection)
{
    if (connection->is_counted) {
        *(connection->is_unix ? &connection->server->unix_count : &connection->server->tcp_count) -=
            1;
        connection->is_counted = false;
    }
}

/* Over the limit: a few get a 503 with time to read it, more are just closed, and those
 * too that a handshake would have to come first for. */
static void turn_away(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->tls != NULL || server->refused_count == HTTP_REFUSED_MAX ||
        http_connection_begin(connection) == NULL) {
        http_connection_kill(connection);
        return;
    }
    if (connection->address != NULL) {
        http_address_leave(&server->addresses, connection->address);
        connection->address = NULL;
    }
    http_connection_uncount(connection);
    connection->is_refused = true;
    server->refused_count++;
    http_connection_refuse(connection, 503, "Too many connections.");
}

static struct http_connection *create(struct http_listener *listener)
{
    struct http_server *server = listener->server;
    struct http_connection *connection = mem_calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->server = server;
    connection->is_unix = listener->is_unix;
    connection->peer_uid = (uid_t)-1;
    list_init(&connection->dirty);
    list_init(&connection->requests);
    connection->since_ms = uv_now(server->loop);
    if (server->tls != NULL && !listener->is_unix) {
        connection->tls = http_tls_create(server->tls);
    }
    if ((server->tls != NULL && !listener->is_unix && connection->tls == NULL) ||
        init_socket(connection) != 0) {
        http_tls_destroy(connection->tls);
        mem_free(connection);
        return NULL;
    }
    http_server_join(server, &connection->link);
    count(connection);
    return connection;
}

int http_connection_accept(struct http_listener *listener)
{
    struct http_connection *connection = create(listener);

    if (connection == NULL) {
        return ERR(ERR_NOMEM, "connection");
    }
    if (uv_accept(&listener->socket.stream, &connection->socket.stream) != 0 ||
        know_peer(connection) != 0) {
        http_connection_kill(connection);
        return 0;
    }
    if (is_too_many(connection)) {
        turn_away(connection);
    } else if (http_connection_read(connection) != 0) {
        http_connection_kill(connection);
    }
    return 0;
}
