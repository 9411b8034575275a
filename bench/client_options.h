/* The command line of bench_client: see client.c. */
#ifndef BENCH_CLIENT_OPTIONS_H
#define BENCH_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_CONNECTIONS_MAX 4096U
#define CLIENT_BYTES_MAX 8192U

struct client_options {
    const char *socket;
    const char *key; /* ID:SECRET: signed requests */
    unsigned port;   /* of loopback, in place of the socket */
    const char *function;
    const char *prefix;
    uint64_t count;
    uint64_t rate;
    unsigned connections;
    unsigned seconds;
    unsigned bytes;
    bool is_event;
    bool is_numbered;
    bool is_echo;
};

/* Ends the process where something is wrong. */
void client_options_parse(struct client_options *options, int argc, char **argv);

#endif /* BENCH_CLIENT_OPTIONS_H */
