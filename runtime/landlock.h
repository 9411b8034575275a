/* Landlock, as far as the kernel has it: what the mounts already say, said again by a
 * second mechanism. Reading and running everywhere the program can see, writing in
 * /tmp, /dev/shm and to the devices, no signals and no abstract sockets outside. */
#ifndef RUNTIME_LANDLOCK_H
#define RUNTIME_LANDLOCK_H

/* The kernel's ABI version, 0 if there is none. ABI 1 forbids every rename between
 * directories, so it is not used. */
#define LANDLOCK_ABI_MIN 2
int landlock_abi(void);

struct landlock_rule {
    int dir;         /* O_PATH */
    int is_writable; /* 0: read and run */
};

/* For this process and all it will start. Needs no_new_privs. 0 or -1 with errno. */
int landlock_apply(int abi, const struct landlock_rule *rules, int rule_count);

#endif /* RUNTIME_LANDLOCK_H */
