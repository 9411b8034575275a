#include "tests/driver/pool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"

static struct pool_fixture *current; /* the launcher's functions know no fixture */

/* --- the launcher ------------------------------------------------------------------- */

static void close_program(struct environment *program)
{
    if (program->native >= 0) {
        (void)close(program->native);
        (void)close(program->output);
        program->native = -1;
        program->output = -1;
    }
}

static void on_deliver(uv_idle_t *idle)
{
    struct pool_fixture *f = container_of(idle, struct pool_fixture, deliver);

    (void)uv_idle_stop(idle);
    for (int i = 0; i < f->unpacks; i++) {
        if (f->unpack_cbs[i] != NULL) {
            function_ready_cb cb = f->unpack_cbs[i];

            f->unpack_cbs[i] = NULL;
            cb(f->unpack_args[i], f->unpack_error);
        }
    }
    for (int i = 0; i < f->program_count; i++) {
        struct environment *program = &f->programs[i];

        if (program->is_ended && !program->is_reported) {
            program->is_reported = true;
            program->end.text = program->end_text;
            program->on_end(program->arg, &program->end);
        }
    }
}

static void deliver(struct pool_fixture *f)
{
    (void)uv_idle_start(&f->deliver, on_deliver);
}

static void end_program(struct environment *program, const struct environment_end *end,
                        const char *text)
{
    close_program(program);
    program->is_ended = true;
    program->end = *end;
    (void)snprintf(program->end_text, sizeof program->end_text, "%s", text);
    deliver(program->fixture);
}

static void note_env(struct environment *program, const char *const *env)
{
    size_t len = 0;

    for (size_t i = 0; env[i] != NULL; i++) {
        len += (size_t)snprintf(program->env + len, sizeof program->env - len, "%s\n", env[i]);
        assert_true(len < sizeof program->env);
    }
}

void program_send_descriptor(struct environment *program)
{
    char byte = 0;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof listener);
    memcpy(CMSG_DATA(rights), &listener, sizeof listener);
    assert_int_equal(sendmsg(program->native, &message, 0), 1);
    (void)close(listener);
}

/* As an environment's init does it, before the program is there. */
static void send_door(struct environment *program)
{
    if (program->fixture->sends_bare_door) {
        assert_int_equal(write(program->native, "", 1), 1);
        return;
    }
    program_send_descriptor(program);
    program->has_door = true;
}

int environment_start(struct environment **ret_environment, struct launcher *launcher,
                      const struct environment_spec *spec, int ret_fds[2], void *arg,
                      environment_end_cb on_end)
{
    struct pool_fixture *f = current;
    struct environment *program = &f->programs[f->program_count];
    int pair[2];
    int pipe[2];

    (void)launcher;
    if (f->refuses_start) {
        return ERR_SYSTEM;
    }
    assert_true(f->program_count < PROGRAMS_MAX);
    f->program_count++;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
    *program = (struct environment){
        .fixture = f, .native = pair[1], .output = pipe[1], .arg = arg, .on_end = on_end};
    assert_int_equal(frame_reader_create(&program->frames), 0);
    note_env(program, spec->env);
    (void)snprintf(program->layers, sizeof program->layers, "%s",
                   (spec->layers != NULL) ? spec->layers : "");
    ret_fds[0] = pair[0];
    ret_fds[1] = pipe[0];
    *ret_environment = program;
    if (spec->has_door && f->start_error == NULL) {
        send_door(program);
    }
    if (f->start_error != NULL) {
        end_program(program, &(struct environment_end){.exit_status = -1}, f->start_error);
    } else if (!f->says_no_hello) {
        program_hello(program);
    }
    return 0;
}

void environment_kill(struct environment *environment)
{
    environment->is_killed = true;
    if (!environment->is_ended && !environment->fixture->keeps_killed_alive) {
        program_exit(environment, -1, 9);
    }
}

pid_t environment_pid(const struct environment *environment)
{
    return 1000 + (pid_t)(environment - environment->fixture->programs);
}

void environment_destroy(struct environment *environment)
{
    if (environment != NULL) {
        assert_true(environment->is_reported);
        frame_reader_destroy(environment->frames);
        environment->frames = NULL;
    }
}

int function_unpack(struct functions *functions, struct function_revision *revision, void *arg,
                    function_ready_cb cb)
{
    struct pool_fixture *f = current;

    (void)functions;
    (void)revision;
    assert_true(f->unpacks < PROGRAMS_MAX);
    f->unpack_args[f->unpacks] = arg;
    f->unpack_cbs[f->unpacks++] = cb;
    deliver(f);
    return 0;
}

void function_revision_ref(struct function_revision *revision)
{
    revision->references++;
}

void function_revision_unref(struct function_revision *revision)
{
    assert_true(revision->references > 0);
    revision->references--;
}

/* --- the program ----------------------------------------------------------------------- */

void program_say(struct environment *program, enum wire_type type, uint64_t number,
                 const char *body)
{
    struct buf buf = {0};

    frame_append(&buf, type, number, bytes_of_text(body));
    assert_int_equal(write(program->native, buf.data, buf.len), (ssize_t)buf.len);
    buf_fini(&buf);
}

static void say_bytes(struct environment *program, enum wire_type type, uint64_t number,
                      struct buf *body)
{
    struct buf buf = {0};

    frame_append(&buf, type, number, buf_bytes(body));
    assert_int_equal(write(program->native, buf.data, buf.len), (ssize_t)buf.len);
    buf_fini(&buf);
    buf_fini(body);
}

void program_hello(struct environment *program)
{
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL, .sdk = bytes_of_text("test")};
    struct buf body = {0};

    wire_put_hello(&body, &hello);
    say_bytes(program, WIRE_HELLO, 0, &body);
    program->has_hello = true;
}

void program_complete(struct environment *program, uint64_t number, const char *payload)
{
    struct wire_complete complete = {
        .outcome = WIRE_OUTCOME_SUCCEEDED, .has_payload = true, .payload = bytes_of_text(payload)};
    struct buf body = {0};

    wire_put_complete(&body, &complete);
    say_bytes(program, WIRE_COMPLETE, number, &body);
}

void program_print(struct environment *program, const char *text)
{
    assert_int_equal(write(program->output, text, strlen(text)), (ssize_t)strlen(text));
}

void program_exit(struct environment *program, int status, int signal)
{
    char text[64];

    (void)snprintf(text, sizeof text, "ended %d %d", status, signal);
    end_program(
        program,
        &(struct environment_end){.is_started = true, .exit_status = status, .signal = signal},
        text);
}

enum wire_type program_hear(struct environment *program, uint64_t *ret_number)
{
    struct frame frame;
    int r;

    while ((r = frame_reader_next(program->frames, &frame)) == 0) {
        uint8_t *room;
        size_t len = frame_reader_room(program->frames, &room);
        ssize_t n = read(program->native, room, len);

        if (n > 0) {
            frame_reader_pushed(program->frames, (size_t)n);
        } else {
            assert_true(n < 0 && errno == EAGAIN);
            (void)uv_run(&program->fixture->loop, UV_RUN_ONCE);
        }
    }
    assert_int_equal(r, 1);
    *ret_number = frame.invocation;
    return frame.type;
}

void program_expect_invoke(struct environment *program, const struct call *call)
{
    uint64_t number;

    assert_int_equal(program_hear(program, &number), WIRE_INVOKE);
    assert_int_equal(number, call->invocation.number);
}

/* --- invocations -------------------------------------------------------------------------- */

void call_invoke(struct call *call)
{
    const struct wire_invoke invoke = {.has_payload = true, .payload = bytes_of("body", 4)};
    struct buf scratch = {0};
    struct arena arena;

    arena_init(&arena, 0);
    invocation_invoke(call->fixture->pool, &call->invocation, &arena, &invoke, &scratch);
    arena_fini(&arena);
    buf_fini(&scratch);
}

static void on_placed(struct invocation *invocation, uint64_t environment)
{
    struct call *call = container_of(invocation, struct call, invocation);

    call->placed++;
    call->environment = environment;
    if (call->invokes) {
        call_invoke(call);
    } else if (!call->does_not_send) {
        invocation_send(call->fixture->pool, invocation, WIRE_INVOKE, bytes_of("body", 4));
    }
}

static void on_message(struct invocation *invocation, enum wire_type type, struct bytes body)
{
    struct call *call = container_of(invocation, struct call, invocation);

    (void)body;
    call->messages++;
    call->last_message = type;
}

static void copy(char *to, size_t size, struct bytes from)
{
    (void)snprintf(to, size, "%.*s", (int)from.len, (const char *)from.data);
}

static void on_ended(struct invocation *invocation, const struct invocation_end *end)
{
    static uint32_t order;
    struct call *call = container_of(invocation, struct call, invocation);

    call->ended++;
    call->order = ++order;
    call->is_complete = end->is_complete;
    call->is_sent = end->is_sent;
    if (end->is_complete) {
        call->outcome = end->complete.outcome;
        copy(call->payload, sizeof call->payload, end->complete.payload);
    } else {
        copy(call->error_type, sizeof call->error_type, bytes_of_text(end->error_type));
        copy(call->error_message, sizeof call->error_message, bytes_of_text(end->error_message));
        copy(call->reason, sizeof call->reason,
             bytes_of_text((end->reason != NULL) ? end->reason : ""));
    }
    copy(call->tail, sizeof call->tail, invocation_log_tail(invocation));
    if (call->again != NULL) {
        struct pool_fixture *f = call->again;

        call->again = NULL;
        pool_invoke(f->pool, invocation);
    }
}

static const struct invocation_events events = {
    .on_placed = on_placed, .on_message = on_message, .on_ended = on_ended};

void call_init(struct call *call, struct pool_fixture *f, int function)
{
    static uint8_t count;

    *call = (struct call){.fixture = f};
    call->invocation.revision = &f->revisions[function];
    call->invocation.events = &events;
    call->invocation.request_id.bytes[15] = ++count;
    call->invocation.is_durable = f->revisions[function].config.is_durable;
}

void call_start(struct call *call, struct pool_fixture *f, int function)
{
    call_init(call, f, function);
    pool_invoke(f->pool, &call->invocation);
}

/* --- the fixture ----------------------------------------------------------------------------- */

static void init_functions(struct pool_fixture *f)
{
    static const char *const names[] = {"alpha", "beta", "gamma", "delta"};

    for (int i = 0; i < 4; i++) {
        f->functions[i] = (struct function){.name = names[i], .latest = &f->revisions[i]};
        f->revisions[i] = (struct function_revision){
            .function = &f->functions[i],
            .number = 1,
            .qualifier = "$LATEST",
            .config = {.handler = "main", .timeout_s = 900, .memory_mb = 128, .concurrency = 1}};
    }
}

int pool_fixture_set_up(void **state)
{
    struct pool_fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    (void)alarm(60);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/pawl-pool-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(uv_idle_init(&f->loop, &f->deliver), 0);
    f->options = (struct pool_options){.environments_max = 8,
                                       .environments_each_max = 4,
                                       .waiting_max = 100,
                                       .idle_ms = 300000,
                                       .init_ms = 10000,
                                       .grace_ms = 100,
                                       .region = "eu-test-1"};
    init_functions(f);
    current = f;
    *state = f;
    return 0;
}

void pool_fixture_open(struct pool_fixture *f)
{
    assert_int_equal(logs_open(&f->logs, &f->loop, f->dir, 1 << 20), 0);
    assert_int_equal(pool_create(&f->pool, &f->loop, NULL, NULL, f->logs, &f->options), 0);
}

static void on_closed(void *arg)
{
    struct pool_fixture *f = arg;

    assert_false(f->is_closed);
    f->is_closed = true;
}

void pool_fixture_close(struct pool_fixture *f)
{
    pool_close(f->pool, f, on_closed);
    assert_false(f->is_closed);
    WAIT_UNTIL(f, f->is_closed);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int pool_fixture_tear_down(void **state)
{
    struct pool_fixture *f = *state;

    f->keeps_killed_alive = false;
    for (int i = 0; i < f->program_count; i++) {
        if (f->programs[i].is_killed && !f->programs[i].is_ended) {
            program_exit(&f->programs[i], -1, 9);
        }
    }
    if (f->pool != NULL && !f->is_closed) {
        pool_fixture_close(f);
    }
    for (int i = 0; i < f->program_count; i++) {
        assert_true(f->programs[i].is_reported);
        assert_null(f->programs[i].frames);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(f->revisions[i].references, 0);
    }
    if (f->logs != NULL) {
        logs_close(f->logs);
    }
    uv_close((uv_handle_t *)&f->deliver, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    (void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    (void)alarm(0);
    return 0;
}

void pool_fixture_settle(struct pool_fixture *f)
{
    for (int i = 0; i < 50; i++) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
}

struct pool_stats pool_fixture_stats(const struct pool_fixture *f)
{
    struct pool_stats stats;

    pool_get_stats(f->pool, &stats);
    return stats;
}

struct reading {
    char *text;
    size_t size;
    size_t len;
};

static int on_log_line(void *arg, struct bytes line)
{
    struct reading *reading = arg;

    assert_true(reading->len + line.len < reading->size);
    memcpy(reading->text + reading->len, line.data, line.len);
    reading->len += line.len;
    reading->text[reading->len] = '\0';
    return 0;
}

void pool_fixture_read_log(struct pool_fixture *f, int function, char *text, size_t size)
{
    struct reading reading = {.text = text, .size = size};
    uint64_t position = 0;

    text[0] = '\0';
    while (logs_read(f->logs, bytes_of_text(f->functions[function].name), bytes_of(NULL, 0), 0,
                     &position, on_log_line, &reading) == 1) {
    }
}
