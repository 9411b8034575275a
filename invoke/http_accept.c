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
    bool is_within;
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
    connection->address = http_census_enter(server->census, (struct sockaddr *)&peer,
                                            server->limits.per_address_max, &is_within);
    connection->is_over |= !is_within;
    return (connection->address != NULL) ? 0 : UV_ENOMEM;
}

static void count(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    connection->is_counted = true;
    connection->is_over =
        !http_census_join(server->census, connection->is_unix, server->limits.connections_max);
}

void http_connection_uncount(struct http_connection *connection)
{
    if (connection->is_counted) {
        http_census_leave(connection->server->census, connection->is_unix);
        connection->is_counted = false;
    }
}

/* Over the limit: a few get a 503 with time to read it, more are just closed, and those
 * too that a handshake would have to come first for. */
static void turn_away(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    connection->is_refused = connection->tls == NULL && http_census_refuse(server->census);
    if (!connection->is_refused || http_connection_begin(connection) == NULL) {
        http_connection_kill(connection);
        return;
    }
    if (connection->address != NULL) {
        http_census_exit(server->census, connection->address);
        connection->address = NULL;
    }
    http_connection_uncount(connection);
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
    if ((!listener->is_unix && !http_census_begin_tls(server->census, &connection->tls)) ||
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
    if (connection->is_over) {
        turn_away(connection);
    } else if (http_connection_read(connection) != 0) {
        http_connection_kill(connection);
    }
    return 0;
}
