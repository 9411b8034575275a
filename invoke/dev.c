#include "invoke/dev.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_name.h"
#include "invoke/dev_key.h"
#include "invoke/dev_spawn.h"
#include "invoke/fingerprint.h"
#include "invoke/serve.h"

#define PROGRAMS_MAX 32
#define ARGUMENTS_MAX 32
#define LOOK_MS 300
#define RESTART_MS 300
#define PORT_USUAL 9100
#define QUICK_MS 10000 /* an end so soon after the start is one of a row */
#define QUICK_ENDS_MAX 5
#define LINE_MAX_BYTES 8192

struct watched {
    const char *path;
    char name[FUNCTION_NAME_MAX + 1];
    uint64_t seen;     /* at the last look; deployed once two looks agree */
    uint64_t deployed; /* 0: not yet */
};

struct dev {
    const struct options *options;
    struct config config;
    uv_loop_t loop;
    uv_process_t server;
    uv_process_t deployer;
    uv_pipe_t out; /* of the server */
    uv_timer_t look;
    uv_timer_t restart;
    uv_signal_t term;
    uv_signal_t interrupt;
    char address[128]; /* of the TCP door; "": as the configuration has it */
    struct dev_key key;
    char line[LINE_MAX_BYTES];
    size_t line_len;
    struct watched programs[PROGRAMS_MAX];
    int program_count;
    struct watched *deploying;
    uint64_t started_ms;
    int quick_ends;
    int exit_code;
    bool is_usual_port; /* nobody has asked for it */
    bool is_asking;     /* for the key */
    bool is_told;       /* what came of it */
    bool is_serving;
    bool is_ready;
    bool was_ready;
    bool is_ending;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;

    (void)fputs("pawl dev: ", stdout);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

/* --- the end --------------------------------------------------------------------------- */

static void close_one(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void end(struct dev *dev, int exit_code)
{
    dev->is_ending = true;
    dev->exit_code = exit_code;
    if (dev->is_serving) {
        (void)uv_process_kill(&dev->server, SIGTERM);
        return; /* on_server_exit() comes back here */
    }
    uv_walk(&dev->loop, close_one, NULL);
}

static void on_end_signal(uv_signal_t *handle, int number)
{
    (void)number;
    end(handle->data, 0);
}

/* --- deploying ---------------------------------------------------------------------------- */

static void look_for_work(struct dev *dev);

static void on_deployed(uv_process_t *process, int64_t status, int signal)
{
    struct dev *dev = process->data;
    const struct watched *program = dev->deploying;

    uv_close((uv_handle_t *)process, NULL);
    dev->deploying = NULL;
    if (status == 0 && signal == 0) {
        say("%s is deployed from %s. Try:  pawl invoke %s '{}'", program->name, program->path,
            program->name);
    } else {
        say("%s could not be deployed; waiting for %s to change", program->name, program->path);
    }
    if (!dev->is_ending) {
        look_for_work(dev);
    }
}

static void deploy(struct dev *dev, struct watched *program)
{
    static char words[6][16] = {"pawl", "deploy", "--durable", "--socket", "--"};
    char *argv[] = {words[0],
                    words[1],
                    words[3],
                    dev->config.socket,
                    words[4],
                    program->name,
                    (char *)(uintptr_t)program->path,
                    NULL};
    char *durable[] = {words[0],
                       words[1],
                       words[2],
                       words[3],
                       dev->config.socket,
                       words[4],
                       program->name,
                       (char *)(uintptr_t)program->path,
                       NULL};

    program->deployed = program->seen;
    dev->deployer.data = dev;
    if (dev_spawn(&dev->loop, &dev->deployer, dev->options->is_plain ? argv : durable, on_deployed,
                  NULL) == 0) {
        dev->deploying = program;
    }
}

/* A file that is still being written looks different at the next look. */
static void look_for_work(struct dev *dev)
{
    for (int i = 0; i < dev->program_count; i++) {
        struct watched *program = &dev->programs[i];
        uint64_t now = fingerprint_of(program->path);
        bool is_settled = now != 0 && now == program->seen;

        program->seen = now;
        if (is_settled && now != program->deployed && dev->is_ready && dev->deploying == NULL) {
            deploy(dev, program);
        }
    }
}

static void on_look(uv_timer_t *timer)
{
    look_for_work(timer->data);
}

/* --- the server ------------------------------------------------------------------------------ */

/* What AWS's clients need, as lines for a shell. The region has two names: boto3 and the
 * older CLI know the second one alone. */
static void on_key(void *arg, const struct access_key_pair *pair)
{
    struct dev *dev = arg;

    dev->is_asking = false;
    if (!dev->is_ready) {
        return; /* on_ready() asks again */
    }
    dev->is_told = true;
    if (pair == NULL) {
        say("there is no access key for AWS's clients: see above, or 'pawl keys create'");
        return;
    }
    say("for AWS's clients:");
    (void)printf("export AWS_ENDPOINT_URL_LAMBDA=%s://%s\n"
                 "export AWS_REGION=%s\nexport AWS_DEFAULT_REGION=%s\n"
                 "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n",
                 (dev->config.tls_certificate != NULL) ? "https" : "http", dev->address,
                 dev->config.region, dev->config.region, pair->id, pair->secret);
    (void)fflush(stdout);
}

/* The port stays the same over restarts, also one that the kernel chose. */
static void note_address(struct dev *dev)
{
    const char *word = memmem(dev->line, dev->line_len, " listen=", 8);
    size_t left = (word != NULL) ? dev->line_len - (size_t)(word - dev->line) - 8 : 0;
    size_t len = 0;

    while (len < left && word[8 + len] != ' ') {
        len++;
    }
    (void)snprintf(dev->address, sizeof dev->address, "%.*s", (int)len,
                   (word != NULL) ? word + 8 : "");
}

static void tell_key(struct dev *dev)
{
    if (!dev->is_told && !dev->is_asking) {
        dev->is_asking = true;
        dev_key_get(&dev->key);
    }
}

static void on_ready(struct dev *dev)
{
    dev->is_ready = true;
    if (dev->was_ready) {
        say("the daemon serves again");
        tell_key(dev);
        return;
    }
    dev->was_ready = true;
    say("%.*s", (int)dev->line_len, dev->line);
    note_address(dev);
    tell_key(dev);
    if (dev->program_count == 0) {
        say("deploy a program with:  pawl deploy NAME PROGRAM --durable");
    }
}

static void take_output(struct dev *dev, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\n') {
            dev->line[dev->line_len] = data[i];
            dev->line_len += (dev->line_len + 1 < sizeof dev->line) ? 1 : 0;
            continue;
        }
        if (dev->line_len >= 6 && memcmp(dev->line, "ready ", 6) == 0) {
            on_ready(dev);
        }
        dev->line_len = 0;
    }
}

static void on_output(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    if (len > 0) {
        take_output(stream->data, buf->base, (size_t)len);
    } else if (len < 0 && !uv_is_closing((uv_handle_t *)stream)) {
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    static char buffer[4096];

    (void)handle;
    (void)wanted;
    *ret_buf = uv_buf_init(buffer, sizeof buffer);
}

static int start_server(struct dev *dev);

static void on_restart(uv_timer_t *timer)
{
    struct dev *dev = timer->data;

    if (start_server(dev) != 0) {
        end(dev, SERVE_EXIT_REFUSED);
    }
}

static bool is_accident(int64_t status, int signal)
{
    return signal != 0 || status == JOURNAL_EXIT || status == SERVE_EXIT_LAUNCHER ||
           status == SERVE_EXIT_MEMORY;
}

/* The usual one was ours to choose, and may have been taken since. */
static void take_any_port(struct dev *dev)
{
    say("the daemon did not start: trying again, on any port");
    dev->is_usual_port = false;
    dev->was_ready = false; /* so that the new one is told */
    dev->is_told = false;
    (void)snprintf(dev->address, sizeof dev->address, "127.0.0.1:0");
    (void)uv_timer_start(&dev->restart, on_restart, RESTART_MS, 0);
}

static void on_server_exit(uv_process_t *process, int64_t status, int signal)
{
    struct dev *dev = process->data;
    bool is_quick = uv_now(&dev->loop) - dev->started_ms < QUICK_MS;

    uv_close((uv_handle_t *)process, NULL);
    if (!uv_is_closing((uv_handle_t *)&dev->out)) {
        uv_close((uv_handle_t *)&dev->out, NULL); /* its launcher may hold the other end yet */
    }
    dev->is_serving = false;
    dev->is_ready = false;
    dev->quick_ends = is_quick ? dev->quick_ends + 1 : 0;
    if (dev->is_ending) {
        end(dev, (status != 0) ? (int)status : dev->exit_code);
    } else if (dev->is_usual_port && status == SERVE_EXIT_REFUSED && signal == 0) {
        take_any_port(dev);
    } else if (!is_accident(status, signal)) {
        say("the daemon ended by itself (%d)", (int)status);
        end(dev, (int)status);
    } else if (dev->quick_ends > QUICK_ENDS_MAX) {
        say("the daemon ends again and again: giving up");
        end(dev, SERVE_EXIT_REFUSED);
    } else {
        say("the daemon ended by accident (%s %d): starting it again",
            (signal != 0) ? "signal" : "exit", (signal != 0) ? signal : (int)status);
        (void)uv_timer_start(&dev->restart, on_restart, RESTART_MS, 0);
    }
}

/* The same options, and where we found the data to be. */
static int start_server(struct dev *dev)
{
    static const char *const passed[] = {"config",    "listen", "region",   "isolation",
                                         "cache-dir", "drain",  "log-level"};
    static char flags[sizeof passed / sizeof passed[0]][16];
    static char words[8][16] = {"pawl",     "serve",        "--data",
                                "--socket", "--supervised", "--log-json"};
    static char own_pid[16];
    char *argv[ARGUMENTS_MAX] = {words[0], words[1],           words[2], dev->config.data,
                                 words[3], dev->config.socket, words[4], own_pid};
    size_t count = 8;
    int r;

    (void)snprintf(own_pid, sizeof own_pid, "%d", (int)getpid());
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        const char *value = options_get(dev->options, passed[i]);

        if (strcmp(passed[i], "listen") == 0 && dev->address[0] != '\0') {
            value = dev->address;
        }
        if (value != NULL) {
            (void)snprintf(flags[i], sizeof flags[i], "--%s", passed[i]);
            argv[count++] = flags[i];
            argv[count++] = (char *)(uintptr_t)value;
        }
    }
    if (options_get(dev->options, "log-json") != NULL) {
        argv[count] = words[5];
    }
    (void)uv_pipe_init(&dev->loop, &dev->out, 0);
    dev->out.data = dev;
    dev->line_len = 0;
    dev->server.data = dev;
    r = dev_spawn(&dev->loop, &dev->server, argv, on_server_exit, &dev->out);
    if (r != 0) {
        return r;
    }
    dev->is_serving = true;
    dev->started_ms = uv_now(&dev->loop);
    return uv_read_start((uv_stream_t *)&dev->out, give_buffer, on_output);
}

/* --- the beginning ------------------------------------------------------------------------------
 */

/* The last part of the path up to a dot, with what a name cannot have made '-'. */
static void name_program(struct watched *program)
{
    char resolved[4096];
    const char *path = (realpath(program->path, resolved) != NULL) ? resolved : program->path;
    const char *slash = strrchr(path, '/');
    const char *base = (slash != NULL) ? slash + 1 : path;
    size_t len = strcspn(base, ".");

    len = (len < FUNCTION_NAME_MAX) ? len : FUNCTION_NAME_MAX;
    for (size_t i = 0; i < len; i++) {
        program->name[i] = function_name_is_plain(bytes_of(base + i, 1)) ? base[i] : '-';
    }
    if (len == 0) {
        (void)snprintf(program->name, sizeof program->name, "function");
    }
}

static int add_programs(struct dev *dev)
{
    if (dev->options->operand_count > PROGRAMS_MAX) {
        return ERR(ERR_INVALID, "at most %d programs can be watched", PROGRAMS_MAX);
    }
    for (int i = 0; i < dev->options->operand_count; i++) {
        struct watched *program = &dev->programs[dev->program_count++];

        program->path = dev->options->operands[i];
        if (fingerprint_of(program->path) == 0) {
            return ERR(ERR_INVALID, "there is no program %s", program->path);
        }
        name_program(program);
        for (int j = 0; j < i; j++) {
            if (strcmp(dev->programs[j].name, program->name) == 0) {
                return ERR(ERR_INVALID, "%s and %s would both be the function %s",
                           dev->programs[j].path, program->path, program->name);
            }
        }
    }
    return 0;
}

/* AWS's clients speak TCP: where nobody says on which address it is the usual one, or if
 * that is taken any other. */
static void choose_address(struct dev *dev)
{
    struct sockaddr_in usual = {.sin_family = AF_INET,
                                .sin_port = htons(PORT_USUAL),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    bool is_free;

    if (dev->config.listen != NULL || fd < 0) {
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    is_free = bind(fd, (const struct sockaddr *)&usual, sizeof usual) == 0 && listen(fd, 1) == 0;
    (void)close(fd);
    dev->is_usual_port = is_free;
    (void)snprintf(dev->address, sizeof dev->address, "127.0.0.1:%d", is_free ? PORT_USUAL : 0);
}

static int begin(struct dev *dev)
{
    int r;

    if (uv_loop_init(&dev->loop) != 0) {
        return ERR(ERR_SYSTEM, "make the event loop");
    }
    dev->key = (struct dev_key){.loop = &dev->loop,
                                .data = dev->config.data,
                                .socket = dev->config.socket,
                                .arg = dev,
                                .cb = on_key};
    choose_address(dev);
    (void)uv_timer_init(&dev->loop, &dev->look);
    (void)uv_timer_init(&dev->loop, &dev->restart);
    r = uv_signal_init(&dev->loop, &dev->term);
    r = (r == 0) ? uv_signal_init(&dev->loop, &dev->interrupt) : r;
    if (r != 0) {
        return ERR(ERR_SYSTEM, "watch signals: %s", uv_strerror(r));
    }
    dev->look.data = dev->restart.data = dev->term.data = dev->interrupt.data = dev;
    (void)uv_signal_start(&dev->term, on_end_signal, SIGTERM);
    (void)uv_signal_start(&dev->interrupt, on_end_signal, SIGINT);
    (void)uv_timer_start(&dev->look, on_look, LOOK_MS, LOOK_MS);
    return start_server(dev);
}

int dev_main(const struct options *options)
{
    struct dev *dev = mem_calloc(1, sizeof *dev);
    int exit_code = SERVE_EXIT_USAGE;
    int r;

    if (dev == NULL) {
        return SERVE_EXIT_REFUSED;
    }
    dev->options = options;
    r = options_configure(options, &dev->config);
    r = (r == 0) ? add_programs(dev) : r;
    if (r == 0 && begin(dev) == 0) {
        (void)uv_run(&dev->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&dev->loop);
        exit_code = dev->exit_code;
    }
    config_fini(&dev->config);
    mem_free(dev);
    return exit_code;
}
