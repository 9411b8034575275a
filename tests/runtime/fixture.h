/* A launcher of its own for each test: this program is started again as the launcher,
 * just as `pawl` is. What environments run is probe.c. */
#ifndef TESTS_RUNTIME_FIXTURE_H
#define TESTS_RUNTIME_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "runtime/launcher.h"

/* main() of every test calls this first: it does not return in a launcher. With the
 * argument --user it goes on as an ordinary user; where sandboxes cannot be made at all
 * it ends with 77. */
void fixture_enter(int argc, char **argv);

struct fixture {
    char dir[64];
    char data_dir[96];
    char cache_dir[96];
    enum isolation isolation;
    uint64_t cache_bytes_max;
    uv_loop_t loop;
    struct launcher *launcher;
    bool is_open;
    bool is_lost;
};

/* Directories only. */
void fixture_init(struct fixture *f);
void fixture_open(struct fixture *f); /* and the probe is in the cache as "probe" */
void fixture_close(struct fixture *f);
void fixture_fini(struct fixture *f);

/* For cmocka: an open sandbox launcher, or one without isolation, in *state. */
int fixture_set_up(void **state);
int fixture_set_up_plain(void **state);
int fixture_tear_down(void **state);

/* Unpacks `archive`; returns "" or what is wrong with it (valid until the next call). */
const char *fixture_unpack(struct fixture *f, const char *code, struct bytes archive);
/* Several into one; `ret_unpacked` may be NULL. */
const char *fixture_unpack_all(struct fixture *f, const char *code, const struct bytes *archives,
                               size_t count, struct unpacked *ret_unpacked);
int fixture_memfd(struct bytes bytes);

/* A zip of one file. */
void fixture_zip(struct buf *ret_zip, const char *name, struct bytes content);
/* An honest one of `count` files of `each` bytes, which shrink about sixteen times. */
void fixture_zip_noise(struct buf *ret_zip, unsigned count, size_t each);
void fixture_read(struct buf *ret_content, const char *path);

/* One environment that runs the probe with one command. */
struct run {
    struct environment *environment;
    int fds[2];
    struct buf output;
    bool is_ended;
    struct environment_end end;
    char text[256];
};

struct run_options {
    const char *code; /* NULL: "probe" */
    const char *program;
    const char *layers;
    const char *runtime;
    const char *extra_env;
    struct grant grants[2];
    size_t grant_count;
    uint32_t memory_mb; /* 0: 128 */
    uint32_t pids_max;  /* 0: 64 */
    uint32_t tmp_mb;    /* 0: 8 */
    bool has_door;
};

void run_start(struct run *run, struct fixture *f, const char *command,
               const struct run_options *options);

/* Runs the loop until it has ended and all of its output is here, or until the output
 * holds `text`. Fails the test after 60 s. */
void run_wait_end(struct run *run, struct fixture *f);
void run_wait_text(struct run *run, struct fixture *f, const char *text);
void run_wait_pid(struct run *run, struct fixture *f); /* until it is known */
void run_fini(struct run *run);

/* All of it: starts, waits. The output is a string. */
const char *run_all(struct run *run, struct fixture *f, const char *command,
                    const struct run_options *options);

void assert_has(const char *text, const char *part);
void assert_has_not(const char *text, const char *part);

/* Is there a process with this pid on the host? (A zombie counts as gone.) */
bool is_alive(pid_t pid);

/* Milliseconds of a clock that only goes forward: for deadlines of waits. */
uint64_t now_ms(void);

#endif /* TESTS_RUNTIME_FIXTURE_H */
