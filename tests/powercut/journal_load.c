/* The process that is recorded: a load of STEPS steps, acknowledged on a descriptor
 * that the recorder listens to.
 *
 *     powercut_load DIR SEED STEPS early|late */
#include <stdlib.h>
#include <unistd.h>

#include "tests/journal/ledger.h"
#include "tests/powercut/recording.h"

static void send_ack(void *arg, const struct ack *ack)
{
    (void)arg;
    if (write(RECORDING_ACK_FD, ack, sizeof *ack) != sizeof *ack) {
        _exit(1);
    }
}

static void note_close(void *arg)
{
    (void)arg;
}

int main(int argc, char **argv)
{
    static struct fixture f;
    struct load load = {.acknowledge = send_ack};

    if (argc != 5) {
        return 2;
    }
    load.seed = strtoull(argv[2], NULL, 10);
    load.steps_max = strtoull(argv[3], NULL, 10);
    load.is_too_early = strcmp(argv[4], "early") == 0;
    f.options = (struct journal_options){.log_map_bytes = (uint64_t)2 << 20,
                                         .views_map_bytes = (uint64_t)16 << 20,
                                         .batch_entries_max = 7,
                                         .ballast_bytes = 4096};
    if (uv_loop_init(&f.loop) != 0 || journal_open(&f.journal, &f.loop, argv[1], &f.options) != 0) {
        return 3;
    }
    load_start(f.journal, &load);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    journal_close(f.journal, NULL, note_close);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    return 0;
}
