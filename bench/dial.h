/* A connection with the daemon that is measured. */
#ifndef BENCH_DIAL_H
#define BENCH_DIAL_H

/* To 127.0.0.1 where `port` is not 0, else to the unix socket. Ends the process where it
 * cannot. */
int dial(const char *socket_path, unsigned port);

#endif /* BENCH_DIAL_H */
