/* Attacks from inside, in the sandbox, where each must fail, and without isolation,
 * where they must work: otherwise the test proves nothing. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

struct target {
    char env[256];
    int listener; /* a host's loopback port */
    int abstract;
};

/* `name`: its result in the probe's output. */
static void result_of(const char *output, const char *name, char *ret_result, size_t size)
{
    char line[64];
    const char *at;

    (void)snprintf(line, sizeof line, "%s: ", name);
    for (at = output; at != NULL && strncmp(at, line, strlen(line)) != 0;) {
        at = strchr(at, '\n');
        at = (at != NULL) ? at + 1 : NULL;
    }
    if (at == NULL) {
        fail_msg("no result of '%s' in:\n%s", name, output);
    }
    at += strlen(line);
    (void)snprintf(ret_result, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void assert_result(const char *output, const char *name, const char *expected)
{
    char result[64];

    result_of(output, name, result, sizeof result);
    if (strcmp(result, expected) != 0) {
        fail_msg("%s: %s, not %s", name, result, expected);
    }
}

static void assert_all(const char *output, const char *const *names, const char *expected)
{
    for (; *names != NULL; names++) {
        assert_result(output, *names, expected);
    }
}

static void assert_none_allowed(const char *output, const char *const *names)
{
    char result[64];

    for (; *names != NULL; names++) {
        result_of(output, *names, result, sizeof result);
        if (strcmp(result, "ALLOWED") == 0) {
            fail_msg("%s: allowed", *names);
        }
    }
}

static void attack(struct fixture *f, const char *command, const char *extra, struct run *run)
{
    const struct run_options options = {.extra_env = extra};
    const char *output = run_all(run, f, command, &options);

    print_message("%s", output);
    assert_string_equal(run->text, "exited with status 0");
}

/* --- processes ------------------------------------------------------------------------ */

static const char *const on_processes[] = {
    "ptrace child", "ptrace init", "kill host", "process_vm_readv", "pidfd_getfd", "kcmp",
    "init memory",  "init root",   "init fds",  "host environ",     NULL};

static void test_no_process_can_be_traced_read_or_signalled(void **state)
{
    char host[32];
    struct run run;

    (void)snprintf(host, sizeof host, "HOST_PID=%d", (int)getpid());
    attack(*state, "processes", host, &run);
    assert_none_allowed((char *)run.output.data, on_processes);
    assert_result((char *)run.output.data, "kill init", "ALLOWED"); /* and it does not care */
    run_fini(&run);
}

/* Not "kill init": that one would hit the host. */
static void test_control_processes_are_open_without_isolation(void **state)
{
    static const char *const open[] = {"ptrace child", "kcmp", "process_vm_readv", NULL};
    char host[32];
    struct run run;

    if (getuid() == 0) {
        skip(); /* it would signal the machine's init */
    }
    (void)snprintf(host, sizeof host, "HOST_PID=%d", (int)getpid());
    attack(*state, "processes", host, &run);
    assert_all((char *)run.output.data, open, "ALLOWED");
    assert_result((char *)run.output.data, "kill host", "ALLOWED");
    assert_result((char *)run.output.data, "host environ", "ALLOWED");
    run_fini(&run);
}

/* --- namespaces ----------------------------------------------------------------------- */

static const char *const on_namespaces[] = {
    "unshare user", "unshare net", "unshare mount", "clone user", "clone3 user", "setns",
    "mount",        "remount",     "umount",        "fsopen",     "open_tree",   "pivot_root",
    "chroot",       "mknod disk",  "handle",        NULL};

static void test_no_namespace_can_be_made_or_changed(void **state)
{
    struct run run;

    attack(*state, "namespaces", NULL, &run);
    assert_none_allowed((char *)run.output.data, on_namespaces);
    assert_result((char *)run.output.data, "clone3 user", "ENOSYS");
    assert_result((char *)run.output.data, "clone user", "EPERM");
    assert_result((char *)run.output.data, "mknod fifo", "ALLOWED");
    run_fini(&run);
}

/* As an ordinary user: root's mounts would hit the host. */
static void test_control_namespaces_are_open_without_isolation(void **state)
{
    static const char *const open[] = {"unshare user", "clone user", "clone3 user", NULL};
    struct run run;

    if (getuid() == 0) {
        skip();
    }
    attack(*state, "namespaces", NULL, &run);
    assert_all((char *)run.output.data, open, "ALLOWED");
    run_fini(&run);
}

/* --- the kernel ----------------------------------------------------------------------- */

static const char *const on_kernel[] = {
    "bpf",         "perf",        "io_uring", "userfaultfd", "keyctl",        "add_key",
    "fanotify",    "init_module", "kexec",    "seccomp",     "settime",       "personality",
    "sethostname", "syslog",      "reboot",   "terminal",    "terminal high", NULL};

static void test_the_kernel_offers_little(void **state)
{
    struct run run;

    attack(*state, "kernel", NULL, &run);
    assert_none_allowed((char *)run.output.data, on_kernel);
    assert_result((char *)run.output.data, "terminal", "EPERM");
    assert_result((char *)run.output.data, "terminal high", "EPERM");
#ifdef __x86_64__
    assert_none_allowed((char *)run.output.data, (const char *const[]){"modify_ldt", "iopl", NULL});
    assert_result((char *)run.output.data, "x32", "killed by 31");
#endif
    run_fini(&run);
}

static void test_control_the_kernel_offers_more_without_isolation(void **state)
{
    static const char *const open[] = {"io_uring", "keyctl", "add_key", "personality", NULL};
    struct run run;

    if (getuid() == 0) {
        skip();
    }
    attack(*state, "kernel", NULL, &run);
    assert_all((char *)run.output.data, open, "ALLOWED");
    run_fini(&run);
}

/* --- sockets -------------------------------------------------------------------------- */

static void open_target(struct target *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t len = sizeof address;

    target->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(target->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(target->listener, 8), 0);
    assert_int_equal(getsockname(target->listener, (struct sockaddr *)&address, &len), 0);
    target->abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(target->env, sizeof target->env, "%04x", (unsigned)getpid() & 0xffff);
    memcpy(name.sun_path + 1, target->env, 4);
    assert_int_equal(
        bind(target->abstract, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 5)), 0);
    assert_int_equal(listen(target->abstract, 8), 0);
    (void)snprintf(target->env, sizeof target->env, "PORT=%d", ntohs(address.sin_port));
}

static void close_target(struct target *target)
{
    (void)close(target->listener);
    (void)close(target->abstract);
}

static void abstract_env(char *ret_env, size_t size)
{
    (void)snprintf(ret_env, size, "ABSTRACT=%04x", (unsigned)getpid() & 0xffff);
}

static void test_only_plain_sockets_can_be_made(void **state)
{
    static const char *const closed[] = {"raw", "packet",    "netlink other", "vsock",
                                         "alg", "bluetooth", "abstract",      NULL};
    static const char *const open[] = {"netlink route", "inet", "inet6", "unix", NULL};
    struct target target;
    struct run run;
    char name[32];

    open_target(&target);
    abstract_env(name, sizeof name);
    attack(*state, "sockets", name, &run);
    assert_none_allowed((char *)run.output.data, closed);
    assert_all((char *)run.output.data, open, "ALLOWED");
    run_fini(&run);
    close_target(&target);
}

static void test_control_more_sockets_without_isolation(void **state)
{
    static const char *const open[] = {"netlink other", "abstract", NULL};
    struct target target;
    struct run run;
    char name[32];

    open_target(&target);
    abstract_env(name, sizeof name);
    attack(*state, "sockets", name, &run);
    assert_all((char *)run.output.data, open, "ALLOWED");
    run_fini(&run);
    close_target(&target);
}

static void test_there_is_loopback_and_no_way_out(void **state)
{
    struct target target;
    struct run run;

    open_target(&target);
    attack(*state, "loopback", target.env, &run);
    assert_all((char *)run.output.data, (const char *const[]){"bind", "listen", "connect", NULL},
               "ALLOWED");
    assert_result((char *)run.output.data, "outside", "ENETUNREACH");
    assert_result((char *)run.output.data, "host port", "ECONNREFUSED");
    run_fini(&run);
    close_target(&target);
}

static void test_control_the_hosts_port_answers_without_isolation(void **state)
{
    struct target target;
    struct run run;

    open_target(&target);
    attack(*state, "loopback", target.env, &run);
    assert_result((char *)run.output.data, "host port", "ALLOWED");
    run_fini(&run);
    close_target(&target);
}

/* --- files ---------------------------------------------------------------------------- */

static const char *const on_files[] = {"secret",
                                       "write root",
                                       "write usr",
                                       "write etc",
                                       "write dev",
                                       "write task",
                                       "write bootstrap",
                                       "core_pattern",
                                       "own comm",
                                       "sysrq",
                                       "kcore",
                                       "kallsyms",
                                       "sys",
                                       "kvm",
                                       "fuse",
                                       "shadow",
                                       "setuid",
                                       "setgroups",
                                       "chown",
                                       "renice",
                                       "raise files",
                                       NULL};

static void secret_env(const struct fixture *f, char *ret_env, size_t size)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof path, "%s/secret", f->data_dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(ret_env, size, "SECRET=%s", path);
}

static void test_only_tmp_can_be_written_and_the_data_not_be_seen(void **state)
{
    static const char *const open[] = {"write tmp", "write shm", "write null", "stdout by name",
                                       NULL};
    struct run run;
    char secret[160];

    secret_env(*state, secret, sizeof secret);
    attack(*state, "files", secret, &run);
    assert_none_allowed((char *)run.output.data, on_files);
    assert_result((char *)run.output.data, "secret", "ENOENT");
    assert_all((char *)run.output.data, open, "ALLOWED");
    run_fini(&run);
}

static void test_control_the_data_is_seen_without_isolation(void **state)
{
    struct run run;
    char secret[160];

    if (getuid() == 0) {
        skip(); /* it would write the host's files */
    }
    secret_env(*state, secret, sizeof secret);
    attack(*state, "files", secret, &run);
    assert_result((char *)run.output.data, "secret", "ALLOWED");
    assert_result((char *)run.output.data, "own comm", "ALLOWED");
    assert_result((char *)run.output.data, "sys", "ALLOWED");
    run_fini(&run);
}

/* --- the view ------------------------------------------------------------------------- */

static void test_an_environment_sees_only_what_it_should(void **state)
{
    struct fixture *f = *state;
    struct run run;
    const char *output = run_all(&run, f, "view", NULL);

    print_message("%s", output);
    assert_has(output, "fds: 0 1 2 3\n");
    assert_has(output, "proc: 1 2 acpi");
    assert_has(output, "net: lo.\n");
    assert_has(output, "dev: fd full null random shm stderr stdin stdout urandom zero\n");
    assert_has(output, "etc: alternatives group host.conf hostname hosts ld.so.cache localtime "
                       "nsswitch.conf passwd resolv.conf\n");
    assert_has(output, "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
                       "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
                       "CapAmb:\t0000000000000000\n");
    assert_has(output, "NoNewPrivs:\t1\n");
    assert_has(output, "Seccomp:\t2\n");
    assert_has(output, "0::/\n");
    assert_has(output, "pid 2 ppid 1 uid 1000 gid 1000 ");
    assert_has(output, "host pawl\n");
    assert_has(output, "cwd /var/task PAWL_FD 3\n");
    assert_has_not(output, f->dir);
    assert_has_not(output, "LAUNCHER");
    run_fini(&run);
}

static void test_each_environment_has_a_user_of_its_own_outside(void **state)
{
    struct fixture *f = *state;
    struct run runs[2];
    char path[64];
    char maps[2][128] = {"", ""};

    if (strstr(launcher_summary(f->launcher), "users=own") == NULL) {
        skip();
    }
    for (int i = 0; i < 2; i++) {
        FILE *file;

        run_start(&runs[i], f, "wait", NULL);
        run_wait_text(&runs[i], f, "ready");
        run_wait_pid(&runs[i], f);
        (void)snprintf(path, sizeof path, "/proc/%d/uid_map",
                       (int)environment_pid(runs[i].environment));
        file = fopen(path, "re");
        assert_non_null(file);
        assert_non_null(fgets(maps[i], sizeof maps[i], file));
        (void)fclose(file);
    }
    assert_string_not_equal(maps[0], maps[1]);
    for (int i = 0; i < 2; i++) {
        environment_kill(runs[i].environment);
        run_wait_end(&runs[i], f);
        run_fini(&runs[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define CONTROL(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_plain, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_environment_sees_only_what_it_should),
        TEST(test_each_environment_has_a_user_of_its_own_outside),
        TEST(test_no_process_can_be_traced_read_or_signalled),
        CONTROL(test_control_processes_are_open_without_isolation),
        TEST(test_no_namespace_can_be_made_or_changed),
        CONTROL(test_control_namespaces_are_open_without_isolation),
        TEST(test_the_kernel_offers_little),
        CONTROL(test_control_the_kernel_offers_more_without_isolation),
        TEST(test_only_plain_sockets_can_be_made),
        CONTROL(test_control_more_sockets_without_isolation),
        TEST(test_there_is_loopback_and_no_way_out),
        CONTROL(test_control_the_hosts_port_answers_without_isolation),
        TEST(test_only_tmp_can_be_written_and_the_data_not_be_seen),
        CONTROL(test_control_the_data_is_seen_without_isolation),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
