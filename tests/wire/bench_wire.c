/* Writing and reading records as the journal does: two small ones a frame. Beside it the
 * same by the code that protobuf-c generates (its packing alone, from ready structs). */
#include <stdio.h>
#include <time.h>

#include "pawl.pb-c.h"
#include "sdk/wire/wire.h"

#define ROUNDS 500000

static double clock_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const char *what, double began_s, size_t bytes)
{
    double took_s = clock_s() - began_s;

    printf("{\"bench\":\"wire_%s\",\"records_per_s\":%.0f,\"mb_per_s\":%.0f}\n", what,
           2 * ROUNDS / took_s, (double)bytes / took_s / 1e6);
}

static void make(struct record records[2])
{
    static const uint8_t payload[100] = {'{'};

    for (int i = 0; i < 2; i++) {
        records[i] = (struct record){
            .kind = i == 0 ? STEP_STARTED : STEP_SUCCEEDED,
            .event_id = (uint64_t)(1000 + i),
            .time_ms = 1795422821977,
            .op_id = bytes_of_text("1-17"),
            .name = bytes_of_text("charge"),
            .sub_type = bytes_of_text("Step"),
            .has_payload = i == 1,
            .payload = bytes_of(payload, i == 1 ? sizeof payload : 0),
            .attempt = 1,
        };
    }
}

int main(void)
{
    struct record records[2];
    struct record *back;
    struct arena arena;
    struct buf buf = {0};
    Pawl__Wire__Records *theirs;
    size_t bytes = 0;
    size_t count;
    double began_s;

    make(records);
    arena_init(&arena, 0);
    began_s = clock_s();
    for (int i = 0; i < ROUNDS; i++) {
        buf.len = 0;
        wire_put_records(&buf, &arena, records, 2);
        bytes += buf.len;
    }
    report("put", began_s, bytes);
    began_s = clock_s();
    for (int i = 0; i < ROUNDS; i++) {
        if (wire_get_records(&arena, buf_bytes(&buf), &back, &count) != 0) {
            return 1;
        }
        arena_reset(&arena);
    }
    report("get", began_s, bytes);
    theirs = pawl__wire__records__unpack(NULL, buf.len, buf.data);
    began_s = clock_s();
    for (int i = 0; i < ROUNDS; i++) {
        if (pawl__wire__records__get_packed_size(theirs) != buf.len) {
            return 1;
        }
        (void)pawl__wire__records__pack(theirs, buf.data);
    }
    report("put_generated", began_s, bytes);
    pawl__wire__records__free_unpacked(theirs, NULL);
    began_s = clock_s();
    for (int i = 0; i < ROUNDS; i++) {
        theirs = pawl__wire__records__unpack(NULL, buf.len, buf.data);
        pawl__wire__records__free_unpacked(theirs, NULL);
    }
    report("get_generated", began_s, bytes);
    buf_fini(&buf);
    arena_fini(&arena);
    return 0;
}
