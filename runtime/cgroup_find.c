#include "runtime/cgroup_find.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

#define LINE_MAX_BYTES 4096
#define LINES_MAX 4096

static const char *const controllers[CGROUP_TREES] = {
    [CGROUP_MEMORY] = "memory", [CGROUP_CPU] = "cpu", [CGROUP_PIDS] = "pids"};

/* Is `word` one of the comma-separated `list`? */
static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list != '\0') {
        size_t item = strcspn(list, ",\n");

        if (item == len && strncmp(list, word, len) == 0) {
            return true;
        }
        list += item + ((list[item] != '\0') ? 1 : 0);
    }
    return false;
}

/* The trees that a mount with this type and these options serves. */
static bool serves(enum cgroup_tree tree, const char *type, const char *options)
{
    if (tree == CGROUP_V2) {
        return strcmp(type, "cgroup2") == 0;
    }
    return strcmp(type, "cgroup") == 0 && list_has(options, controllers[tree]);
}

static void copy(char *target, const char *text)
{
    if ((size_t)snprintf(target, CGROUP_PATH_MAX, "%s", text) >= CGROUP_PATH_MAX) {
        target[0] = '\0';
    }
}

struct mount_roots {
    char root[CGROUP_TREES][CGROUP_PATH_MAX];
};

/* "38 31 0:33 /root /mount/point rw - type source options" */
static void read_mount(char *line, struct cgroup_place *places, struct mount_roots *roots)
{
    char root[CGROUP_PATH_MAX];
    char mount[CGROUP_PATH_MAX];
    char type[32];
    char options[512];
    const char *rest = strstr(line, " - ");

    if (rest == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount) != 2 ||
        sscanf(rest, " - %31s %*s %511s", type, options) != 2) {
        return;
    }
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        if (places[tree].mount[0] == '\0' && serves(tree, type, options)) {
            copy(places[tree].mount, mount);
            copy(roots->root[tree], root);
        }
    }
}

/* A container sees a part of the tree: what is above its root is cut off. */
static const char *below_root(const char *path, const char *root)
{
    size_t len = strlen(root);

    if (strcmp(root, "/") == 0) {
        return path;
    }
    return (strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0')) ? path + len
                                                                                      : "";
}

/* "4:memory:/path" or "0::/path" */
static void read_own(char *line, struct cgroup_place *places, const struct mount_roots *roots)
{
    char *list = strchr(line, ':');
    char *path = (list != NULL) ? strchr(list + 1, ':') : NULL;

    if (path == NULL) {
        return;
    }
    *path++ = '\0';
    list++;
    path[strcspn(path, "\n")] = '\0';
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        bool is_it = (tree == CGROUP_V2) ? *list == '\0' : list_has(list, controllers[tree]);

        if (is_it && strstr(path, "/..") == NULL) {
            const char *own = below_root(path, roots->root[tree]);

            copy(places[tree].own, (strcmp(own, "/") == 0) ? "" : own);
        }
    }
}

static void read_lines(const char *path, struct cgroup_place *places, struct mount_roots *roots,
                       bool is_mounts)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return;
    }
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof line, file) != NULL; i++) {
        if (is_mounts) {
            read_mount(line, places, roots);
        } else {
            read_own(line, places, roots);
        }
    }
    (void)fclose(file);
}

void cgroup_find(struct cgroup_place ret_places[CGROUP_TREES])
{
    struct mount_roots *roots = mem_calloc(1, sizeof *roots);

    memset(ret_places, 0, sizeof *ret_places * CGROUP_TREES);
    if (roots == NULL) {
        return; /* as if there were none */
    }
    read_lines("/proc/self/mountinfo", ret_places, roots, true);
    read_lines("/proc/self/cgroup", ret_places, roots, false);
    mem_free(roots);
}
