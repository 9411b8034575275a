#include "engine/base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PAWL_CRASH_POINTS

static const char *const point_names[] = {
#define X(name, text) #name,
    CRASH_POINTS(X)
#undef X
};

static const char *const control_names[] = {
#define X(name, text) text,
    CRASH_CONTROLS(X)
#undef X
};

/* Read once: the environment does not change while the daemon runs. */
static int wanted_point = -2;
static atomic_int passes_left;

static int find_wanted(void)
{
    const char *text = getenv("PAWL_CRASH_POINT");
    size_t len = (text != NULL) ? strcspn(text, ":") : 0;

    for (int i = 0; i < CRASH_POINT_COUNT && len > 0; i++) {
        if (strlen(point_names[i]) == len && strncmp(point_names[i], text, len) == 0) {
            atomic_store(&passes_left,
                         (text[len] == ':') ? (int)strtol(text + len + 1, NULL, 10) : 1);
            return i;
        }
    }
    return -1;
}

void crash_pass(enum crash_point point)
{
    if (wanted_point == -2) {
        wanted_point = find_wanted();
    }
    if (wanted_point == (int)point && atomic_fetch_sub(&passes_left, 1) == 1) {
        (void)raise(SIGKILL);
    }
}

bool crash_control(enum crash_control control)
{
    static int wanted = -2;

    if (wanted == -2) {
        const char *text = getenv("PAWL_CONTROL");
        int found = -1;

        for (int i = 0; i < CRASH_CONTROL_COUNT && text != NULL; i++) {
            found = (strcmp(control_names[i], text) == 0) ? i : found;
        }
        wanted = found;
    }
    return wanted == (int)control;
}

bool crash_list_points(void)
{
    for (int i = 0; i < CRASH_POINT_COUNT; i++) {
        puts(point_names[i]);
    }
    return true;
}

#else

bool crash_list_points(void)
{
    return false;
}

#endif
