/* The Runtime API's socket, which an environment's init hands up, and what a program can and
 * cannot do with it; layers and runtime directories. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

#define DEADLINE_MS 30000

/* --- helpers ------------------------------------------------------------------------ */

static void wait_readable(int fd, struct fixture *f)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    while (poll(&readable, 1, 2) == 0 && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_int_not_equal(readable.revents & POLLIN, 0);
}

/* One message of the native socket; the descriptor with it, or -1. */
static int receive(const struct run *run, struct fixture *f, char *ret_byte)
{
    struct iovec piece = {.iov_base = ret_byte, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *rights;
    int fd = -1;

    wait_readable(run->fds[0], f);
    assert_int_equal(recvmsg(run->fds[0], &message, MSG_CMSG_CLOEXEC), 1);
    rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL) {
        memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    }
    return fd;
}

static int receive_door(const struct run *run, struct fixture *f)
{
    char byte = 'x';
    int fd = receive(run, f, &byte);

    assert_true(fd >= 0);
    assert_int_equal(byte, 0);
    return fd;
}

/* Takes one connection, checks what it says, and answers. */
static void serve(int door, struct fixture *f, const char *expected, const char *answer)
{
    char word[64] = "";
    int fd;

    wait_readable(door, f);
    fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    wait_readable(fd, f);
    assert_true(read(fd, word, sizeof word - 1) > 0);
    assert_string_equal(word, expected);
    assert_int_equal(write(fd, answer, strlen(answer)), (ssize_t)strlen(answer));
    (void)close(fd);
}

static const char *line_of(const char *output, const char *name)
{
    static char line[128];
    const char *at = strstr(output, name);

    assert_non_null(at);
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

/* --- the door ----------------------------------------------------------------------- */

static void test_a_door_comes_before_the_program(void **state)
{
    const struct run_options options = {.has_door = true, .extra_env = "PROBE_WORD=knock"};
    struct fixture *f = *state;
    struct run run;
    int door;

    run_start(&run, f, "door", &options);
    door = receive_door(&run, f);
    serve(door, f, "knock", "who is there");
    run_wait_end(&run, f);
    assert_string_equal(run.text, "exited with status 0");
    assert_has((char *)run.output.data,
               "api 127.0.0.1:9001 endpoint http://127.0.0.1:9001\ndoor: ALLOWED\n"
               "heard who is there\n");
    (void)close(door);
    run_fini(&run);
}

static void test_a_functions_own_endpoint_gives_way(void **state)
{
    const struct run_options options = {.has_door = true,
                                        .extra_env = "AWS_ENDPOINT_URL_LAMBDA=http://mine"};
    struct fixture *f = *state;
    struct run run;
    int door;

    run_start(&run, f, "door", &options);
    door = receive_door(&run, f);
    serve(door, f, "word", "ok");
    run_wait_end(&run, f);
    assert_has((char *)run.output.data, "api 127.0.0.1:9001 endpoint http://127.0.0.1:9001\n");
    (void)close(door);
    run_fini(&run);
}

static void test_without_a_door_there_is_none(void **state)
{
    struct run run;
    const char *output = run_all(&run, *state, "view", NULL);

    assert_has_not(output, "AWS_LAMBDA_RUNTIME_API");
    assert_has_not(output, "AWS_ENDPOINT_URL_LAMBDA");
    run_fini(&run);
    output = run_all(&run, *state, "attack door", NULL);
    assert_string_equal(line_of(output, "reach"), "reach: ECONNREFUSED");
    run_fini(&run);
}

static void test_the_program_does_not_hold_its_door(void **state)
{
    const struct run_options options = {.has_door = true};
    struct run run;
    const char *output = run_all(&run, *state, "view", &options);

    assert_has(output, "fds: 0 1 2 3\n");
    assert_has(output, "env AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001\n");
    run_fini(&run);
}

static void test_each_environment_reaches_its_own(void **state)
{
    struct fixture *f = *state;
    const struct run_options options[2] = {{.has_door = true, .extra_env = "PROBE_WORD=first"},
                                           {.has_door = true, .extra_env = "PROBE_WORD=second"}};
    struct run runs[2];
    int doors[2];

    for (int i = 0; i < 2; i++) {
        run_start(&runs[i], f, "door", &options[i]);
        doors[i] = receive_door(&runs[i], f);
    }
    serve(doors[1], f, "second", "two");
    serve(doors[0], f, "first", "one");
    for (int i = 0; i < 2; i++) {
        run_wait_end(&runs[i], f);
        assert_has((char *)runs[i].output.data, (i == 0) ? "heard one\n" : "heard two\n");
        (void)close(doors[i]);
        run_fini(&runs[i]);
    }
}

static void test_another_environments_door_is_not_reached(void **state)
{
    const struct run_options options = {.has_door = true};
    struct fixture *f = *state;
    struct run run;
    struct run other;
    const char *output;
    int door;

    run_start(&run, f, "door", &options);
    door = receive_door(&run, f);
    output = run_all(&other, f, "attack door", NULL);
    assert_string_equal(line_of(output, "reach"), "reach: ECONNREFUSED");
    run_fini(&other);
    serve(door, f, "word", "ok"); /* the first that came is its own */
    run_wait_end(&run, f);
    (void)close(door);
    run_fini(&run);
}

static void test_a_program_cannot_take_its_door_over(void **state)
{
    static const char *const attacks[] = {"listen: ",     "listen reuse: ",     "listen share: ",
                                          "listen any: ", "listen any share: ", "listen six: "};
    const struct run_options options = {.has_door = true};
    struct fixture *f = *state;
    struct run run;
    const char *output;
    int door;

    run_start(&run, f, "attack door", &options);
    door = receive_door(&run, f);
    run_wait_end(&run, f);
    output = (const char *)run.output.data;
    print_message("%s", output);
    assert_string_equal(line_of(output, "reach: "), "reach: ALLOWED");
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        char expected[64];

        (void)snprintf(expected, sizeof expected, "%sEADDRINUSE", attacks[i]);
        assert_string_equal(line_of(output, attacks[i]), expected);
    }
    assert_string_equal(line_of(output, "lo down: "), "lo down: EPERM");
    (void)close(door);
    run_fini(&run);
}

/* What it sends later is read with recv(), as the driver does: the kernel lets it go. */
static void test_a_descriptor_of_the_programs_is_not_received(void **state)
{
    const struct run_options options = {.has_door = true};
    struct fixture *f = *state;
    struct run run;
    char byte = 'x';
    int door;
    int next;

    run_start(&run, f, "attack door", &options);
    door = receive_door(&run, f);
    run_wait_end(&run, f);
    assert_string_equal(line_of((const char *)run.output.data, "send descriptor"),
                        "send descriptor: ALLOWED");
    next = dup(door);
    (void)close(next);
    assert_int_equal(recv(run.fds[0], &byte, 1, 0), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(dup(door), next); /* the same number is free */
    (void)close(next);
    (void)close(door);
    run_fini(&run);
}

static void test_without_isolation_a_door_has_any_port(void **state)
{
    const struct run_options options = {.has_door = true};
    struct fixture *f = *state;
    struct run run;
    int door;

    run_start(&run, f, "door", &options);
    door = receive_door(&run, f);
    serve(door, f, "word", "ok");
    run_wait_end(&run, f);
    assert_has((char *)run.output.data, "api 127.0.0.1:");
    assert_has((char *)run.output.data, "heard ok\n");
    (void)close(door);
    run_fini(&run);
}

/* --- layers and runtimes ------------------------------------------------------------ */

static void install_layer(struct fixture *f)
{
    struct buf zip = {0};

    fixture_zip(&zip, "layered", bytes_of("x", 1));
    assert_string_equal(fixture_unpack(f, "layer", buf_bytes(&zip)), "");
    buf_fini(&zip);
}

static void test_layers_are_seen_and_cannot_be_written(void **state)
{
    const struct run_options options = {.layers = "layer"};
    struct run run;
    const char *output;

    install_layer(*state);
    output = run_all(&run, *state, "layers", &options);
    assert_has(output, "opt: layered\n");
    assert_has_not(line_of(output, "write opt: "), "ALLOWED");
    assert_has_not(line_of(output, "write opt file: "), "ALLOWED");
    run_fini(&run);
}

static void test_layers_that_are_not_there_are_named(void **state)
{
    const struct run_options options = {.layers = "absent"};
    struct run run;

    (void)run_all(&run, *state, "layers", &options);
    assert_false(run.end.is_started);
    assert_has(run.text, "absent");
    run_fini(&run);
}

static void test_a_layer_may_have_the_bootstrap(void **state)
{
    const struct run_options options = {.code = "layer", .layers = "probe"};
    struct run run;
    const char *output;

    install_layer(*state);
    output = run_all(&run, *state, "layers", &options);
    assert_has(output, "opt: bootstrap\n");
    assert_has(output, "program layers\n");
    run_fini(&run);
}

static void copy_probe(const char *dir)
{
    struct buf content = {0};
    char path[160];
    int fd;

    assert_int_equal(mkdir(dir, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/bootstrap", dir);
    fixture_read(&content, PROBE_PATH);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.data, content.len), (ssize_t)content.len);
    (void)close(fd);
    buf_fini(&content);
}

static void test_a_runtime_directory_has_the_bootstrap(void **state)
{
    struct fixture *f = *state;
    char dir[96];
    const struct run_options options = {.code = "layer", .runtime = dir};
    struct run run;
    const char *output;

    assert_int_equal(chmod(f->dir, 0755), 0);
    (void)snprintf(dir, sizeof dir, "%s/runtime", f->dir);
    copy_probe(dir);
    install_layer(f);
    output = run_all(&run, f, "layers", &options);
    assert_has(output, "runtime: bootstrap\n");
    assert_has_not(line_of(output, "write runtime: "), "ALLOWED");
    run_fini(&run);
}

static void test_a_runtime_directory_that_is_not_there_is_named(void **state)
{
    const struct run_options options = {.runtime = "/no/such/runtime"};
    struct run run;

    (void)run_all(&run, *state, "layers", &options);
    assert_false(run.end.is_started);
    assert_has(run.text, "/no/such/runtime");
    run_fini(&run);
}

static void test_a_runtime_directory_has_a_plain_path(void **state)
{
    static const char *const paths[] = {"relative", "/a/../b", "/"};
    struct run run;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct run_options options = {.runtime = paths[i]};

        (void)run_all(&run, *state, "layers", &options);
        assert_false(run.end.is_started);
        run_fini(&run);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_plain, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_door_comes_before_the_program),
        TEST(test_a_functions_own_endpoint_gives_way),
        TEST(test_without_a_door_there_is_none),
        TEST(test_the_program_does_not_hold_its_door),
        TEST(test_each_environment_reaches_its_own),
        TEST(test_another_environments_door_is_not_reached),
        TEST(test_a_program_cannot_take_its_door_over),
        TEST(test_a_descriptor_of_the_programs_is_not_received),
        PLAIN(test_without_isolation_a_door_has_any_port),
        TEST(test_layers_are_seen_and_cannot_be_written),
        TEST(test_layers_that_are_not_there_are_named),
        TEST(test_a_layer_may_have_the_bootstrap),
        TEST(test_a_runtime_directory_has_the_bootstrap),
        TEST(test_a_runtime_directory_that_is_not_there_is_named),
        TEST(test_a_runtime_directory_has_a_plain_path),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
