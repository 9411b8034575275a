/* Reading the file with inih. Its reader is ours, to know the line; it also keeps the
 * section's name, which inih cuts at 49 characters. */
#include <errno.h>
#include <ini.h>
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_name.h"
#include "invoke/config_keys.h"

#define SECTION_MAX 128
#define LINES_MAX 100000

struct reader {
    struct config *config;
    const char *path;
    FILE *file;
    int line;
    int r; /* the first error; then nothing more is taken */
    char section[SECTION_MAX];
    uint64_t given; /* a bit for each key */
};

static int fail(struct reader *reader, const char *what, const char *problem)
{
    if (reader->r == 0) {
        reader->r = ERR(ERR_INVALID, "%s:%d: %s: %s", reader->path, reader->line, what, problem);
    }
    return 0; /* inih's word for an error */
}

/* --- lines --------------------------------------------------------------------------- */

static void note_section(struct reader *reader, const char *line)
{
    size_t len = strcspn(line, "]\r\n");

    if (line[0] != '[') {
        return;
    }
    if (len >= sizeof reader->section || line[len] != ']') {
        (void)fail(reader, "section", "it is too long, or its ']' is missing");
        return;
    }
    memcpy(reader->section, line + 1, len - 1);
    reader->section[len - 1] = '\0';
}

static char *next_line(char *text, int size, void *stream)
{
    struct reader *reader = stream;
    char *got;
    size_t len;

    if (reader->r != 0 || reader->line >= LINES_MAX) {
        return NULL;
    }
    reader->line++;
    got = fgets(text, size, reader->file);
    len = (got != NULL) ? strlen(got) : 0;
    if (got == NULL) {
        return NULL;
    }
    if (len + 1 == (size_t)size && got[len - 1] != '\n') {
        (void)fail(reader, "line", "it is too long: at most 198 characters");
        return NULL;
    }
    note_section(reader, text);
    return (reader->r == 0) ? got : NULL;
}

/* --- [function NAME] -------------------------------------------------------------------- */

static struct config_function *add_function(struct reader *reader, const char *name)
{
    struct config *config = reader->config;
    struct config_function *grown;

    for (size_t i = 0; i < config->function_count; i++) {
        if (strcmp(config->functions[i].name, name) == 0) {
            return &config->functions[i];
        }
    }
    if (!function_name_is_plain(bytes_of_text(name))) {
        (void)fail(reader, reader->section, "it is not a function's name");
        return NULL;
    }
    grown = (config->function_count < CONFIG_FUNCTIONS_MAX)
                ? mem_realloc(config->functions, (config->function_count + 1) * sizeof *grown)
                : NULL;
    if (grown == NULL) {
        (void)fail(reader, reader->section, "there are too many functions");
        return NULL;
    }
    config->functions = grown;
    grown = &grown[config->function_count++];
    *grown = (struct config_function){0};
    (void)snprintf(grown->name, sizeof grown->name, "%s", name);
    return grown;
}

static bool is_plain_path(const char *path, size_t len)
{
    if (len < 2 || path[0] != '/' || path[len - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i + 1 < len; i++) {
        if (path[i] == '/' &&
            (path[i + 1] == '/' ||
             (path[i + 1] == '.' && (i + 2 == len || path[i + 2] == '/' || path[i + 2] == '.')))) {
            return false;
        }
    }
    return true;
}

static int add_grant(struct reader *reader, struct config_function *function, const char *path,
                     size_t len)
{
    if (!is_plain_path(path, len)) {
        return fail(reader, "grants",
                    "each must be the absolute path of a directory, without dots "
                    "or a '/' at its end");
    }
    if (function->grant_count == CONFIG_GRANTS_MAX) {
        return fail(reader, "grants", "at most 16 are allowed for a function");
    }
    function->grants[function->grant_count].path = mem_dup(path, len);
    if (function->grants[function->grant_count].path == NULL) {
        return fail(reader, "grants", "there is not enough memory");
    }
    function->grant_count++;
    return 1;
}

static int take_grants(struct reader *reader, const char *value)
{
    struct config_function *function = add_function(reader, reader->section + strlen("function "));
    int r = (function != NULL) ? 1 : 0;

    while (r == 1 && *value != '\0') {
        size_t len;

        value += strspn(value, " \t,");
        len = strcspn(value, ",");
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
            len--;
        }
        if (len > 0) {
            r = add_grant(reader, function, value, len);
        }
        value += strcspn(value, ",");
    }
    return r;
}

/* --- keys ------------------------------------------------------------------------------------ */

static int take_key(struct reader *reader, const char *name, const char *value)
{
    const struct config_key *key = config_key_find(reader->section, name);
    const char *problem;
    uint64_t bit;

    if (key == NULL) {
        char what[SECTION_MAX + 8];

        (void)snprintf(what, sizeof what, "[%s]", reader->section);
        return fail(reader, what, "it has no such key; docs/config.md lists all");
    }
    bit = (uint64_t)1 << (key - config_keys);
    if ((reader->given & bit) != 0) {
        return fail(reader, name, "it was given before");
    }
    reader->given |= bit;
    problem = config_key_set(key, reader->config, value);
    return (problem == NULL) ? 1 : fail(reader, name, problem);
}

static int take(void *user, const char *section, const char *name, const char *value)
{
    struct reader *reader = user;

    if (reader->r != 0) {
        return 0;
    }
    if (strncmp(section, reader->section, strlen(section)) != 0) {
        return fail(reader, "section", "'[' must be the first character of its line");
    }
    if (strncmp(reader->section, "function ", strlen("function ")) == 0) {
        return (strcmp(name, "grants") == 0)
                   ? take_grants(reader, value)
                   : fail(reader, name, "a function's section has only the key 'grants'");
    }
    return take_key(reader, name, value);
}

int config_read(struct config *config, const char *path, bool is_optional)
{
    struct reader reader = {.config = config, .path = path};
    int line;

    reader.file = fopen(path, "re");
    if (reader.file == NULL) {
        return (is_optional && errno == ENOENT)
                   ? 0
                   : ERR(ERR_INVALID, "open %s: %s", path, strerror(errno));
    }
    line = ini_parse_stream(next_line, &reader, take, &reader);
    if (reader.r == 0 && ferror(reader.file)) {
        reader.r = ERR(ERR_IO, "read %s: %s", path, strerror(errno));
    }
    if (reader.r == 0 && line != 0) { /* inih's own errors: no '=', no ']' */
        reader.line = (line > 0) ? line : reader.line;
        (void)fail(&reader, "line", "it is neither a section, KEY = VALUE nor a comment");
    }
    (void)fclose(reader.file);
    return reader.r;
}
