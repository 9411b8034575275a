#include "examples/audit/findings.h"

static const char *const names[FINDINGS] = {
    [FINDING_CHANGED] = "changed",       [FINDING_MISSING] = "missing",
    [FINDING_UNREADABLE] = "unreadable", [FINDING_EXCLUDED] = "excluded",
    [FINDING_UNSEEN] = "unseen",         [FINDING_MALFORMED] = "malformed",
};

void findings_init(struct findings *findings)
{
    *findings = (struct findings){0};
    for (size_t kind = 0; kind < FINDINGS; kind++) {
        findings->paths[kind] = json_array();
    }
}

void findings_fini(struct findings *findings)
{
    for (size_t kind = 0; kind < FINDINGS; kind++) {
        json_decref(findings->paths[kind]);
    }
}

static void list_path(struct findings *findings, enum finding kind, const char *path,
                      size_t listed_max)
{
    json_t *text = NULL;

    if (json_array_size(findings->paths[kind]) < listed_max) {
        text = json_string(path);
        (void)json_array_append_new(findings->paths[kind],
                                    (text != NULL) ? text : json_string("(not UTF-8)"));
    }
}

void findings_add(struct findings *findings, enum finding kind, const char *path, size_t listed_max)
{
    findings->counts[kind]++;
    list_path(findings, kind, path, listed_max);
}

json_t *findings_write(const struct findings *findings)
{
    json_t *root = json_pack("{s:I, s:I}", "files", (json_int_t)findings->files, "bytes",
                             (json_int_t)findings->bytes);

    for (size_t kind = 0; kind < FINDINGS && root != NULL; kind++) {
        json_t *one = json_pack("{s:I, s:O}", "count", (json_int_t)findings->counts[kind], "paths",
                                findings->paths[kind]);

        if (findings->counts[kind] == 0) {
            json_decref(one);
        } else if (json_object_set_new(root, names[kind], one) != 0) {
            json_decref(root);
            root = NULL;
        }
    }
    return root;
}

static void read_kind(struct findings *findings, enum finding kind, const json_t *one,
                      size_t listed_max)
{
    const json_t *paths = json_object_get(one, "paths");

    findings->counts[kind] += (uint64_t)json_integer_value(json_object_get(one, "count"));
    for (size_t i = 0; i < json_array_size(paths); i++) {
        list_path(findings, kind, json_string_value(json_array_get(paths, i)), listed_max);
    }
}

bool findings_read(struct findings *findings, struct pawl_value text, size_t listed_max)
{
    json_t *root = json_loadb(text.data, text.len, 0, NULL);

    if (!json_is_object(root)) {
        json_decref(root);
        return false;
    }
    findings->files += (uint64_t)json_integer_value(json_object_get(root, "files"));
    findings->bytes += (uint64_t)json_integer_value(json_object_get(root, "bytes"));
    for (size_t kind = 0; kind < FINDINGS; kind++) {
        read_kind(findings, (enum finding)kind, json_object_get(root, names[kind]), listed_max);
    }
    json_decref(root);
    return true;
}
