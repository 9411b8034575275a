#include "bench/client_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value > max) {
        (void)fprintf(stderr, "bench_client: %s: %s\n", text, strerror(EINVAL));
        exit(1);
    }
    return value;
}

static void set_option(struct client_options *options, int option)
{
    switch (option) {
    case 's':
        options->socket = optarg;
        break;
    case 'P':
        options->port = (unsigned)number(optarg, 65535);
        break;
    case 'k':
        options->key = optarg;
        break;
    case 'f':
        options->function = optarg;
        break;
    case 'e':
        options->is_event = true;
        break;
    case 'c':
        options->connections = (unsigned)number(optarg, CLIENT_CONNECTIONS_MAX);
        break;
    case 't':
        options->seconds = (unsigned)number(optarg, 3600);
        break;
    case 'n':
        options->count = number(optarg, 100000000);
        break;
    case 'r':
        options->rate = number(optarg, 1000000);
        break;
    case 'b':
        options->bytes = (unsigned)number(optarg, CLIENT_BYTES_MAX);
        break;
    case 'p':
        options->prefix = optarg;
        break;
    case 'N':
        options->is_numbered = true;
        break;
    case 'E':
        options->is_echo = true;
        break;
    default:
        exit(2);
    }
}

void client_options_parse(struct client_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},  {"function", required_argument, NULL, 'f'},
        {"event", no_argument, NULL, 'e'},         {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'}, {"count", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},    {"bytes", required_argument, NULL, 'b'},
        {"prefix", required_argument, NULL, 'p'},  {"numbered", no_argument, NULL, 'N'},
        {"echo", no_argument, NULL, 'E'},          {"port", required_argument, NULL, 'P'},
        {"key", required_argument, NULL, 'k'},     {NULL, 0, NULL, 0},
    };
    int option;

    *options = (struct client_options){.prefix = "", .connections = 1, .seconds = 5, .bytes = 100};
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        set_option(options, option);
    }
    if ((options->socket == NULL && options->port == 0) || options->function == NULL ||
        options->connections == 0 || options->bytes < strlen(options->prefix) + 2) {
        (void)fprintf(stderr, "bench_client: --socket PATH --function NAME, see its source\n");
        exit(2);
    }
}
