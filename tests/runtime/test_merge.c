#include "runtime/merge.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/prng.h"
#include "tests/runtime/fixture.h"
#include "tests/runtime/zipmaker.h"

/* --- who is left: against laying one over the other, entry by entry --------------------- */

#define NAME_MAX_LEN 8
#define NAMES_MAX 64
#define ENTRIES_MAX 6

/* A tree as a list of paths; of a directory the path ends with a slash. */
struct tree {
    char names[NAMES_MAX][NAME_MAX_LEN + 1];
    int archives[NAMES_MAX];
    size_t count;
};

static void drop(struct tree *tree, size_t i)
{
    tree->count--;
    memmove(tree->names[i], tree->names[i + 1], (tree->count - i) * sizeof tree->names[0]);
    memmove(tree->archives + i, tree->archives + i + 1, (tree->count - i) * sizeof(int));
}

/* The file of that name, and what is in the directory of that name. */
static void drop_path(struct tree *tree, const char *path, size_t len, bool with_content)
{
    for (size_t i = tree->count; i > 0; i--) {
        const char *name = tree->names[i - 1];
        bool is_same = strncmp(name, path, len) == 0;

        if (is_same && (name[len] == '\0' || (with_content && name[len] == '/'))) {
            drop(tree, i - 1);
        }
    }
}

static void lay(struct tree *tree, const char *name, int archive)
{
    size_t len = strlen(name);
    bool is_directory = name[len - 1] == '/';

    for (size_t i = 0; i + 1 < len; i++) {
        if (name[i] == '/') {
            drop_path(tree, name, i, false); /* a file where a directory has to be */
        }
    }
    drop_path(tree, name, is_directory ? len - 1 : len, !is_directory);
    memcpy(tree->names[tree->count], name, len + 1);
    tree->archives[tree->count++] = archive;
}

static const char *random_name(struct prng *prng, char name[NAME_MAX_LEN + 1])
{
    static const char *const parts[] = {"a", "b", "a-", "A"};
    size_t depth = 1 + prng_next(prng) % 3;

    name[0] = '\0';
    for (size_t i = 0; i < depth && strlen(name) + 3 < NAME_MAX_LEN; i++) {
        (void)snprintf(name + strlen(name), NAME_MAX_LEN + 1 - strlen(name), "%s%s",
                       (i > 0) ? "/" : "", parts[prng_next(prng) % 4]);
    }
    if (prng_next(prng) % 4 == 0) {
        (void)strncat(name, "/", NAME_MAX_LEN - strlen(name));
    }
    return name;
}

/* An archive does not contradict itself: each of its entries is still there at its end. */
static bool is_consistent(const struct zip_index *index, int archive)
{
    struct tree tree = {.count = 0};

    for (uint32_t i = 0; i < index->count; i++) {
        char name[NAME_MAX_LEN + 1] = "";

        memcpy(name, index->entries[i].name, index->entries[i].name_len);
        lay(&tree, name, archive);
    }
    for (uint32_t i = 0; i < index->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const struct zip_entry *one = &index->entries[i];
            const struct zip_entry *two = &index->entries[j];
            size_t one_len = one->name_len - (one->is_directory ? 1U : 0U);
            size_t two_len = two->name_len - (two->is_directory ? 1U : 0U);

            if (one_len == two_len && memcmp(one->name, two->name, one_len) == 0) {
                return false;
            }
        }
    }
    return tree.count == index->count;
}

static void make_index(struct prng *prng, struct zip_index *index, struct zip_entry *entries,
                       char names[ENTRIES_MAX][NAME_MAX_LEN + 1])
{
    size_t wanted = prng_next(prng) % (ENTRIES_MAX + 1);

    *index = (struct zip_index){.entries = entries};
    while (index->count < wanted) {
        struct zip_entry *entry = &entries[index->count];
        const char *name = random_name(prng, names[index->count]);

        *entry = (struct zip_entry){.name = name, .name_len = (uint16_t)strlen(name)};
        entry->is_directory = name[entry->name_len - 1] == '/';
        index->count++;
        if (!is_consistent(index, 0)) {
            index->count--;
            wanted--;
        }
    }
}

static bool tree_has(const struct tree *tree, const char *name, int archive)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->archives[i] == archive && strcmp(tree->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool tree_has_directory(const struct tree *tree, const char *path, size_t len)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (strncmp(tree->names[i], path, len) == 0) {
            return true;
        }
    }
    return false;
}

struct story {
    struct zip_index indexes[3];
    struct zip_entry entries[3][ENTRIES_MAX];
    char names[3][ENTRIES_MAX][NAME_MAX_LEN + 1];
    struct tree laid;   /* one over the other */
    struct tree merged; /* what merge_keeps() has kept */
};

static void keep(struct story *story)
{
    struct failure failure;
    struct merge merge;

    assert_int_equal(merge_init(&merge, story->indexes, 3, &failure), 0);
    for (int i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < story->indexes[i].count; j++) {
            if (merge_keeps(&merge, (size_t)i, &story->entries[i][j])) {
                struct tree *tree = &story->merged;

                memcpy(tree->names[tree->count], story->names[i][j], NAME_MAX_LEN + 1);
                tree->archives[tree->count++] = i;
            }
        }
    }
    merge_fini(&merge);
}

/* The same files, each from the same archive, and the same directories, whoever brought
 * those. */
static bool is_same_of(const struct story *story, const char *name, int archive)
{
    size_t len = strlen(name);
    bool is_same = name[len - 1] == '/' ||
                   tree_has(&story->laid, name, archive) == tree_has(&story->merged, name, archive);

    for (size_t i = 0; i < len; i++) {
        if (name[i] == '/') {
            is_same = is_same && tree_has_directory(&story->laid, name, i + 1) ==
                                     tree_has_directory(&story->merged, name, i + 1);
        }
    }
    return is_same;
}

static size_t check_story(uint64_t seed)
{
    struct prng prng = {.state = seed};
    struct story story = {.laid = {.count = 0}};
    size_t count = 0;

    for (int i = 0; i < 3; i++) {
        make_index(&prng, &story.indexes[i], story.entries[i], story.names[i]);
        for (uint32_t j = 0; j < story.indexes[i].count; j++) {
            lay(&story.laid, story.names[i][j], i);
        }
        count += story.indexes[i].count;
    }
    keep(&story);
    for (int i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < story.indexes[i].count; j++) {
            if (!is_same_of(&story, story.names[i][j], i)) {
                fail_msg("seed %llu: %s of archive %d", (unsigned long long)seed, story.names[i][j],
                         i);
            }
        }
    }
    return count - story.merged.count;
}

static void test_what_is_left_is_what_laying_one_over_the_other_leaves(void **state)
{
    uint64_t hidden = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        hidden += check_story(seed);
    }
    print_message("%llu entries hidden\n", (unsigned long long)hidden);
    assert_true(hidden > 5000);
}

/* --- in the cache -------------------------------------------------------------------- */

static const char look[] = "#!/bin/sh\ncat /var/task/name; cd /var/task; find . -type f | sort; "
                           "find . -type d -empty\n";

static const char *merge_files(struct fixture *f, const char *code,
                               const struct zip_file *const *archives, const size_t *counts,
                               size_t count)
{
    struct buf zips[LAUNCHER_ARCHIVES_MAX] = {{0}};
    struct bytes bytes[LAUNCHER_ARCHIVES_MAX];
    const char *error;

    for (size_t i = 0; i < count; i++) {
        zip_make(&zips[i], archives[i], counts[i], NULL);
        bytes[i] = buf_bytes(&zips[i]);
    }
    error = fixture_unpack_all(f, code, bytes, count, NULL);
    for (size_t i = 0; i < count; i++) {
        buf_fini(&zips[i]);
    }
    return error;
}

static void test_a_later_archive_wins(void **state)
{
    static const struct zip_file first[] = {{.name = "bootstrap", .data = look},
                                            {.name = "name", .data = "first\n"},
                                            {.name = "only/first", .data = "1"},
                                            {.name = "file", .data = "1"},
                                            {.name = "tree/a/b", .data = "1"}};
    static const struct zip_file second[] = {{.name = "name", .data = "second\n"},
                                             {.name = "only/second", .data = "2"},
                                             {.name = "file/below", .data = "2"},
                                             {.name = "tree", .data = "2"}};
    static const struct zip_file third[] = {{.name = "name", .data = "third\n"},
                                            {.name = "empty/", .mode = 040755}};
    static const struct zip_file *const archives[] = {first, second, third};
    static const size_t counts[] = {5, 4, 2};
    const struct run_options options = {.code = "merged"};
    struct run run;

    assert_string_equal(merge_files(*state, "merged", archives, counts, 3), "");
    assert_string_equal(run_all(&run, *state, "", &options),
                        "third\n./bootstrap\n./file/below\n./name\n./only/first\n./only/second\n"
                        "./tree\n./empty\n");
    run_fini(&run);
}

static void test_the_order_decides(void **state)
{
    static const struct zip_file one[] = {{.name = "bootstrap", .data = look},
                                          {.name = "name", .data = "one\n"}};
    static const struct zip_file two[] = {{.name = "name", .data = "two\n"}};
    static const struct zip_file *const forward[] = {one, two};
    static const struct zip_file *const backward[] = {two, one};
    struct run run;

    assert_string_equal(merge_files(*state, "forward", forward, (size_t[]){2, 1}, 2), "");
    assert_has(run_all(&run, *state, "", &(struct run_options){.code = "forward"}), "two\n");
    run_fini(&run);
    assert_string_equal(merge_files(*state, "backward", backward, (size_t[]){1, 2}, 2), "");
    assert_has(run_all(&run, *state, "", &(struct run_options){.code = "backward"}), "one\n");
    run_fini(&run);
}

/* The link of one and the file through it of another, in both orders. */
static void test_no_archive_writes_through_the_link_of_another(void **state)
{
    static const struct zip_file link[] = {{.name = "out", .data = "/tmp", .mode = 0120777}};
    static const struct zip_file through[] = {{.name = "out/x", .data = "x"}};
    static const struct zip_file up[] = {{.name = "../x", .data = "x"}};
    static const struct zip_file *const stories[][2] = {
        {link, through}, {through, link}, {through, up}, {up, through}};

    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        struct run run;

        assert_has(merge_files(*state, "linked", stories[i], (size_t[]){1, 1}, 2),
                   (i < 2) ? "the archive's out is a symbolic link" : "outside of its root");
        (void)run_all(&run, *state, "", &(struct run_options){.code = "linked"});
        assert_has(run.text, "is not in the cache");
        run_fini(&run);
    }
}

static void test_an_archive_that_contradicts_itself_is_refused_beside_others(void **state)
{
    static const struct zip_file good[] = {{.name = "x", .data = "x"}};
    static const struct zip_file bad[] = {{.name = "a", .data = "1"}, {.name = "a/b", .data = "2"}};
    static const struct zip_file *const archives[] = {good, bad};

    assert_has(merge_files(*state, "bad", archives, (size_t[]){1, 2}, 2), "the archive's a");
}

static void test_together_they_hold_250_mb(void **state)
{
    struct buf zip = {0};
    struct bytes archives[3];
    struct unpacked unpacked;
    const char *error;

    fixture_zip_noise(&zip, 8, 10u << 20);
    archives[0] = archives[1] = archives[2] = buf_bytes(&zip);
    assert_string_equal(fixture_unpack_all(*state, "much", archives, 3, &unpacked), "");
    assert_int_equal(unpacked.bytes, 240u << 20);
    assert_false(unpacked.was_there);
    assert_string_equal(fixture_unpack_all(*state, "much", archives, 1, &unpacked), "");
    assert_true(unpacked.was_there);
    buf_fini(&zip);
    fixture_zip_noise(&zip, 9, 10u << 20);
    archives[0] = archives[1] = archives[2] = buf_bytes(&zip);
    error = fixture_unpack_all(*state, "more", archives, 3, NULL);
    assert_has(error, "more than 250 MB");
    assert_memory_equal(error, LAUNCHER_BLAMES_ARCHIVE, strlen(LAUNCHER_BLAMES_ARCHIVE));
    buf_fini(&zip);
}

static void test_five_archives_are_one(void **state)
{
    static const struct zip_file files[] = {{.name = "bootstrap", .data = look},
                                            {.name = "b", .data = ""},
                                            {.name = "c", .data = ""},
                                            {.name = "d", .data = ""},
                                            {.name = "name", .data = "five\n"}};
    static const struct zip_file *const archives[] = {&files[0], &files[1], &files[2], &files[3],
                                                      &files[4]};
    struct run run;

    assert_string_equal(merge_files(*state, "five", archives, (size_t[]){1, 1, 1, 1, 1}, 5), "");
    assert_string_equal(run_all(&run, *state, "", &(struct run_options){.code = "five"}),
                        "five\n./b\n./bootstrap\n./c\n./d\n./name\n");
    run_fini(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define PLAIN(name)                                                                                \
    {                                                                                              \
#name " without isolation", name, fixture_set_up_plain, fixture_tear_down, NULL            \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_is_what_laying_one_over_the_other_leaves),
        TEST(test_a_later_archive_wins),
        TEST(test_the_order_decides),
        TEST(test_no_archive_writes_through_the_link_of_another),
        PLAIN(test_no_archive_writes_through_the_link_of_another),
        TEST(test_an_archive_that_contradicts_itself_is_refused_beside_others),
        TEST(test_together_they_hold_250_mb),
        TEST(test_five_archives_are_one),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
