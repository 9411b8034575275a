/* The launcher: a small process of its own, started before the journal is opened,
 * that makes sandboxed environments. It has the capabilities and no keys, no
 * database, no network; the daemon has it the other way round.
 *
 * An environment is one program (`bootstrap` of a function) in its own user, pid,
 * mount, net, ipc, uts and cgroup namespaces behind seccomp, Landlock and rlimits.
 * docs/sandbox.md says what it sees. The launcher holds a lock on launcher.lock in
 * the data directory until every environment is reaped; when the daemon goes, it
 * kills them all and ends; when it goes, their inits die with it. */
#ifndef RUNTIME_LAUNCHER_H
#define RUNTIME_LAUNCHER_H

#include <uv.h>

#include "engine/base/bytes.h"
#include "engine/base/list.h"

/* --- the launcher's own process ------------------------------------------------- */

/* The main function of `pawl launcher` (not for users): serves requests on `fd`, a
 * SOCK_SEQPACKET socket, until the daemon closes its end. Returns an exit code. */
int launcher_main(int fd);

/* --- the daemon's side ------------------------------------------------------------ */

enum isolation { ISOLATION_SANDBOX, ISOLATION_NONE };

struct launcher_options {
    const char *data_dir;  /* for launcher.lock; never visible to an environment */
    const char *cache_dir; /* of code, a tmpfs if possible; NULL: /run/pawl or
                              $XDG_RUNTIME_DIR/pawl */
    const char *cgroup;    /* name below the controllers' roots; NULL: "pawl" */
    enum isolation isolation;
    uint64_t cache_bytes_max;
    uint32_t cpu_weight; /* of all functions together against one other process group, in the
                            terms of cgroup v2: 1..10,000, 100 = as much; 0: as the kernel has it */
};

struct launcher;

/* Re-executes this program (/proc/self/exe) as `pawl launcher` with one socket,
 * waits until it has its lock (an older one may still be killing its environments;
 * at most 30 s) and has reported what the kernel gives. To be called before any
 * thread, database or key exists. ERR_SYSTEM with a sentence otherwise. */
int launcher_start(struct launcher **ret_launcher, const struct launcher_options *options);

/* One line for the `ready` message: "sandbox: user,pid,mount,net,... landlock=7 cgroup=v1". */
const char *launcher_summary(const struct launcher *launcher);

/* From here on callbacks come from `loop`. `on_lost` is called once if the launcher
 * dies: its environments are dead, the daemon should end and be restarted. */
typedef void (*launcher_lost_cb)(void *arg);
int launcher_attach(struct launcher *launcher, uv_loop_t *loop, void *arg,
                    launcher_lost_cb on_lost);
pid_t launcher_pid(const struct launcher *launcher);

/* Kills every environment, ends the launcher, then `cb` from the loop. */
typedef void (*launcher_close_cb)(void *arg);
void launcher_close(struct launcher *launcher, void *arg, launcher_close_cb cb);

/* A host directory that the function sees at the same path, read-only, nosuid, nodev. */
struct grant {
    const char *path;
};

struct environment_spec {
    const char *code;       /* name in the code cache, from launcher_unpack(): /var/task */
    const char *program;    /* below the code's root; NULL: "bootstrap" */
    const char *layers;     /* name in the code cache, seen at /opt; NULL: none */
    const char *runtime;    /* a host directory, seen at /var/runtime: its bootstrap is the
                               program; NULL: none */
    const char *const *env; /* "NAME=value", NULL at the end */
    const struct grant *grants;
    size_t grant_count;
    uint32_t memory_mb;
    uint32_t tmp_mb;      /* size of /tmp */
    uint32_t pids_max;    /* 1,024 as in Lambda */
    uint32_t files_max;   /* 1,024 as in Lambda */
    uint32_t cpu_percent; /* 100 = one core; 0 = no limit */
    /* A TCP socket that listens on the environment's own loopback: its descriptor comes as
     * the first message on ret_fds[0], one byte with SCM_RIGHTS, before anything of the
     * program's. The program finds the address in AWS_LAMBDA_RUNTIME_API. */
    bool has_door;
};

/* Where the environment's door is; without isolation any free port is taken. */
#define ENVIRONMENT_DOOR_PORT 9001

struct environment;

/* How an environment ended. `text` is a sentence: "exited with status 1",
 * "killed by signal 9 (Killed)", "out of memory". */
struct environment_end {
    bool is_started; /* false: it never ran; `text` names the step that failed */
    bool is_oom;
    int exit_status;      /* -1 if killed by a signal */
    int signal;           /* 0 if it exited */
    uint64_t cpu_us;      /* of its whole tree, if the cgroups tell; else 0 */
    uint64_t memory_peak; /* bytes, likewise */
    const char *text;     /* valid during the callback */
};

/* Called exactly once, later, from the loop, when nothing of it is left alive. */
typedef void (*environment_end_cb)(void *arg, const struct environment_end *end);

/* Starts one. On 0, `ret_fds` are the daemon's (non-blocking, close-on-exec): [0]
 * the native stream socket whose other end the program finds as descriptor
 * PAWL_FD, [1] what it writes to stdout and stderr. Returns before the program
 * runs: a set-up failure comes as `on_end` with is_started false. */
int environment_start(struct environment **ret_environment, struct launcher *launcher,
                      const struct environment_spec *spec, int ret_fds[2], void *arg,
                      environment_end_cb on_end);

/* SIGKILL for the whole tree, at once. on_end follows. May be called twice. */
void environment_kill(struct environment *environment);

/* The pid as the daemon's host sees it; 0 until it runs. For `pawl status`. */
pid_t environment_pid(const struct environment *environment);

/* Releases the handle; only after on_end. */
void environment_destroy(struct environment *environment);

/* How an unpacking ended; valid during the callback. */
struct unpacked {
    const char *error; /* NULL, or a sentence */
    bool was_there;    /* nothing had to be unpacked */
    uint64_t bytes;    /* of the files in the archives; the launcher's count of them when it was
                          there */
};

/* Unpacks a zip (`archive`: a sealed memfd, taken over and closed) into the code cache under `code`
 * (hex of its hash), in an unprivileged child. Already there: succeeds at once. */
typedef void (*launcher_unpack_cb)(void *arg, const struct unpacked *unpacked);
int launcher_unpack(struct launcher *launcher, const char *code, int archive, void *arg,
                    launcher_unpack_cb cb);

/* Several into one directory, each lying over those before it: a later file takes the place
 * of an earlier file or directory of its name. Their files together hold at most 250 MiB. */
#define LAUNCHER_ARCHIVES_MAX 5U
int launcher_unpack_all(struct launcher *launcher, const char *code, const int *archives,
                        size_t count, void *arg, launcher_unpack_cb cb);

/* Such a sentence is about the archive and will be the same again; else it is about the
 * machine or the cache, and another try may do. */
#define LAUNCHER_BLAMES_ARCHIVE "the archive"

/* What the kernel and the user's rights give, one line each, for `pawl doctor`:
 * calls `line` with is_ok, the thing, and what its absence costs. */
typedef void (*doctor_line)(void *arg, bool is_ok, const char *thing, const char *consequence);
void launcher_doctor(void *arg, doctor_line line);

#endif /* RUNTIME_LAUNCHER_H */
