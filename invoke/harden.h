/* What the daemon gives up once its launcher runs: it needs no privilege from then on,
 * and whoever takes it over should find none. */
#ifndef INVOKE_HARDEN_H
#define INVOKE_HARDEN_H

/* Raises the soft limits of descriptors and locked memory to the hard ones, then: no
 * core dumps, no tracing, no new privileges, no capabilities, no exec, mount, ptrace,
 * modules or namespaces. To be called before any other thread exists. */
int harden_process(void);

#endif /* INVOKE_HARDEN_H */
