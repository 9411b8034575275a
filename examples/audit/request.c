#include "examples/audit/request.h"

#include <fnmatch.h>
#include <jansson.h>
#include <string.h>

#define CONCURRENCY_DEFAULT 4
#define CONCURRENCY_MAX 64
#define LISTED_DEFAULT 10
#define LISTED_MAX 1000
#define TEXTS_MAX 1000

static int bad_input(struct pawl_context *ctx, const char *name, const char *expected)
{
    return pawl_fail(ctx, "BadInput", "\"%s\" must be %s", name, expected);
}

static int parse_number(struct pawl_context *ctx, const json_t *root, const char *name,
                        json_int_t otherwise, json_int_t max, json_int_t *ret_number)
{
    const json_t *member = json_object_get(root, name);

    *ret_number = (member != NULL) ? json_integer_value(member) : otherwise;
    if ((member != NULL && !json_is_integer(member)) || *ret_number < 0 || *ret_number > max) {
        return bad_input(ctx, name, pawl_printf(ctx, "a number from 0 to %lld", (long long)max));
    }
    return 0;
}

static int parse_texts(struct pawl_context *ctx, const json_t *root, const char *name,
                       char ***ret_texts)
{
    const json_t *member = json_object_get(root, name);
    size_t count = json_array_size(member);

    if ((member != NULL && !json_is_array(member)) || count > TEXTS_MAX) {
        return bad_input(ctx, name, "an array of texts");
    }
    *ret_texts = pawl_alloc(ctx, (count + 1) * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(member, i));

        if (text == NULL) {
            return bad_input(ctx, name, "an array of texts");
        }
        (*ret_texts)[i] = pawl_printf(ctx, "%s", text);
    }
    return 0;
}

static int parse_members(struct pawl_context *ctx, const json_t *root, struct request *request)
{
    const char *ledger = json_string_value(json_object_get(root, "ledger"));
    json_int_t number;

    PAWL_TRY(parse_number(ctx, root, "packages", 0, INT32_MAX, &number));
    request->packages_max = (size_t)number;
    PAWL_TRY(parse_number(ctx, root, "listed", LISTED_DEFAULT, LISTED_MAX, &number));
    request->listed_max = (size_t)number;
    PAWL_TRY(parse_number(ctx, root, "concurrency", CONCURRENCY_DEFAULT, CONCURRENCY_MAX, &number));
    request->concurrency = (uint32_t)number;
    request->ledger = (ledger != NULL) ? pawl_printf(ctx, "%s", ledger) : NULL;
    PAWL_TRY(parse_texts(ctx, root, "visible", &request->visible));
    return parse_texts(ctx, root, "filters", &request->filters);
}

int request_parse(struct pawl_context *ctx, struct pawl_value input, struct request *ret_request)
{
    json_t *root = (input.len > 0) ? json_loadb(input.data, input.len, 0, NULL) : json_object();
    int r;

    if (json_is_object(root)) {
        r = parse_members(ctx, root, ret_request);
    } else {
        r = pawl_fail(ctx, "BadInput", "the input must be a JSON object");
    }
    json_decref(root);
    return r;
}

/* As in dpkg, the last filter that matches decides. */
bool request_excludes(const struct request *request, const char *path)
{
    bool is_excluded = false;

    for (char **filter = request->filters; *filter != NULL; filter++) {
        if (fnmatch(*filter + 1, path, 0) == 0) {
            is_excluded = (*filter)[0] == '-';
        }
    }
    return is_excluded;
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

bool request_shows(const struct request *request, const char *path)
{
    /* The system's programs and libraries, which every function sees. */
    static const char *const system[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                         "/lib32", "/lib64", "/libx32"};

    for (size_t i = 0; i < sizeof system / sizeof *system; i++) {
        if (is_below(path, system[i])) {
            return true;
        }
    }
    for (char **dir = request->visible; *dir != NULL; dir++) {
        if (is_below(path, *dir)) {
            return true;
        }
    }
    return false;
}
