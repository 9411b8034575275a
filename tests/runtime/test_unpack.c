#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tests/runtime/fixture.h"
#include "tests/runtime/zipmaker.h"

static const char script[] = "#!/bin/sh\n";

static unsigned code_number;

static const char *unpack_bytes(struct fixture *f, struct bytes archive, char *ret_code)
{
    (void)snprintf(ret_code, 32, "code%u", ++code_number);
    return fixture_unpack(f, ret_code, archive);
}

/* After whatever was refused, a good archive still unpacks and runs. */
static void assert_still_works(struct fixture *f)
{
    struct run run;

    (void)run_all(&run, f, "exit:0", NULL);
    assert_string_equal(run.text, "exited with status 0");
    run_fini(&run);
}

/* It is the caller's to repair. */
static void assert_about_archive(const char *error, const char *why)
{
    assert_has(error, why);
    assert_memory_equal(error, LAUNCHER_BLAMES_ARCHIVE, strlen(LAUNCHER_BLAMES_ARCHIVE));
}

static void assert_refused(struct fixture *f, const struct zip_file *files, size_t count,
                           const struct zip_lies *lies, const char *why)
{
    struct buf zip = {0};
    char code[32];
    struct run run;
    const struct run_options options = {.code = code};

    zip_make(&zip, files, count, lies);
    assert_about_archive(unpack_bytes(f, buf_bytes(&zip), code), why);
    buf_fini(&zip);
    (void)run_all(&run, f, "", &options); /* and nothing of it is there */
    assert_has(run.text, "is not in the cache");
    run_fini(&run);
}

static void assert_one_refused(struct fixture *f, struct zip_file file, const char *why)
{
    if (file.data == NULL) {
        file.data = script;
    }
    assert_refused(f, &file, 1, NULL, why);
}

/* --- what is good --------------------------------------------------------------------- */

static void assert_script_says(struct fixture *f, const struct zip_file *files, size_t count,
                               const char *output)
{
    struct buf zip = {0};
    char code[32];
    struct run run;
    const struct run_options options = {.code = code};

    zip_make(&zip, files, count, NULL);
    assert_string_equal(unpack_bytes(f, buf_bytes(&zip), code), "");
    buf_fini(&zip);
    assert_has(run_all(&run, f, "", &options), output);
    run_fini(&run);
}

static void test_files_directories_and_modes_come_out(void **state)
{
    static const struct zip_file files[] = {
        {.name = "bootstrap", .data = "#!/bin/sh\ncat deep/er/text; deep/run; ls -l deep\n"},
        {.name = "deep/er/text", .data = "hello\n"}, /* its directories are not listed */
        {.name = "deep/run", .data = "#!/bin/sh\necho run\n", .mode = 0100755},
        {.name = "deep/plain", .data = "plain", .mode = 0100600},
        {.name = "listed/", .mode = 040755},
        {.name = "empty"},
    };
    struct run run;
    const struct run_options options = {.code = "good"};
    struct buf zip = {0};
    const char *output;

    zip_make(&zip, files, sizeof files / sizeof *files, NULL);
    assert_string_equal(fixture_unpack(*state, "good", buf_bytes(&zip)), "");
    output = run_all(&run, *state, "", &options);
    assert_has(output, "hello\nrun\n");
    assert_has(output, "-rwxr-xr-x");
    assert_has(output, "-rw-r--r--"); /* what was 0600 */
    assert_has_not(output, "-rw-------");
    run_fini(&run);
    buf_fini(&zip);
}

static void test_what_is_there_is_not_unpacked_again(void **state)
{
    static const struct zip_file one = {.name = "bootstrap", .data = "#!/bin/sh\necho one\n"};
    struct buf zip = {0};

    zip_make(&zip, &one, 1, NULL);
    assert_string_equal(fixture_unpack(*state, "same", buf_bytes(&zip)), "");
    assert_string_equal(fixture_unpack(*state, "same", bytes_of("rubbish", 7)), "");
    buf_fini(&zip);
}

static void test_names_in_other_alphabets_come_out(void **state)
{
    static const struct zip_file files[] = {
        {.name = "bootstrap", .data = "#!/bin/sh\nls\n"},
        {.name = "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xf0\x9f\x98\x80", .flags = 0x0800}};

    assert_script_says(*state, files, 2, "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xf0\x9f\x98\x80\n");
}

/* --- names ---------------------------------------------------------------------------- */

static void test_names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../x", "a/../x", "/etc/x", "a/..", "..",       ".",
                                        "./x",  "a//x",   "a/./x",  "//x",  "a/../../x"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_one_refused(*state, (struct zip_file){.name = names[i]}, "outside of its root");
    }
    assert_still_works(*state);
}

static void test_names_with_strange_bytes_are_refused(void **state)
{
    static const struct zip_file files[] = {{.name = "a\0b", .name_len = 3},
                                            {.name = "a\\b"},
                                            {.name = "..\\x"},
                                            {.name = "a\nb"},
                                            {.name = "a\x7f"},
                                            {.name = "\xff"},
                                            {.name = "\xc0\xaf"}, /* a slash in two bytes */
                                            {.name = "\xed\xa0\x80"},
                                            {.name = "\xf4\x90\x80\x80"},
                                            {.name = "x\xe6\x97"}};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_one_refused(*state, files[i], "not allowed");
    }
}

static void test_names_that_are_too_long_or_too_deep_are_refused(void **state)
{
    char name[2048];

    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_one_refused(*state, (struct zip_file){.name = name}, "outside of its root");
    name[256] = 'a';
    name[1025] = '\0';
    for (size_t i = 100; i < 1025; i += 100) {
        name[i] = '/';
    }
    assert_one_refused(*state, (struct zip_file){.name = name}, "a name of 1025 bytes");
    for (size_t i = 0; i < 130; i++) {
        name[i] = (i % 2 == 0) ? 'a' : '/';
    }
    name[129] = '\0';
    assert_one_refused(*state, (struct zip_file){.name = name}, "outside of its root");
}

static void test_control_the_longest_name_is_accepted(void **state)
{
    char name[256];
    struct zip_file files[] = {{.name = "bootstrap", .data = "#!/bin/sh\necho here\n"},
                               {.name = name}};

    memset(name, 'a', sizeof name);
    name[255] = '\0';
    assert_script_says(*state, files, 2, "here\n");
}

static void test_the_same_name_twice_is_refused(void **state)
{
    static const struct zip_file files[] = {{.name = "a", .data = "1"}, {.name = "a", .data = "2"}};
    static const struct zip_file both[] = {{.name = "a", .data = "1"},
                                           {.name = "a/b", .data = "2"}};

    static const struct zip_file apart[] = {
        {.name = "a", .data = "1"}, {.name = "a'b", .data = "2"}, {.name = "a/", .mode = 0040755}};

    assert_refused(*state, files, 2, NULL, "twice");
    assert_refused(*state, apart, 3, NULL, "twice");
    assert_refused(*state, both, 2, NULL, "the archive's a/b");
}

/* --- kinds ---------------------------------------------------------------------------- */

static void test_only_plain_files_come_out(void **state)
{
    assert_one_refused(*state, (struct zip_file){.name = "l", .data = "/etc", .mode = 0120777},
                       "symbolic link");
    assert_one_refused(*state, (struct zip_file){.name = "d", .mode = 0020666}, "no plain file");
    assert_one_refused(*state, (struct zip_file){.name = "b", .mode = 0060666}, "no plain file");
    assert_one_refused(*state, (struct zip_file){.name = "p", .mode = 0010666}, "no plain file");
    assert_one_refused(*state, (struct zip_file){.name = "s", .mode = 0140666}, "no plain file");
    assert_one_refused(*state, (struct zip_file){.name = "u", .mode = 0104755}, "setuid");
    assert_one_refused(*state, (struct zip_file){.name = "g", .mode = 0102755}, "setgid");
    assert_one_refused(*state, (struct zip_file){.name = "e", .flags = 1}, "encrypted");
    assert_one_refused(*state, (struct zip_file){.name = "m", .method = 12}, "method");
    assert_one_refused(*state, (struct zip_file){.name = "d/", .mode = 040755},
                       "directory with content");
}

/* A link, then a file through it: the classic. */
static void test_no_file_is_written_through_a_link(void **state)
{
    static const struct zip_file files[] = {{.name = "out", .data = "/tmp", .mode = 0120777},
                                            {.name = "out/x", .data = "x"}};

    assert_refused(*state, files, 2, NULL, "symbolic link");
}

/* --- structure ------------------------------------------------------------------------ */

static void test_headers_that_disagree_are_refused(void **state)
{
    assert_one_refused(*state, (struct zip_file){.name = "a", .local_name = "b"}, "disagree");
    assert_one_refused(*state, (struct zip_file){.name = "a", .local_bytes = 5}, "disagree");
    assert_one_refused(*state, (struct zip_file){.name = "a", .bytes = 5}, "two sizes");
    assert_one_refused(*state, (struct zip_file){.name = "a", .start = 7}, "not where");
    assert_one_refused(*state, (struct zip_file){.name = "a", .start = 0x7fffffff}, "not where");
    assert_one_refused(*state, (struct zip_file){.name = "a", .start = 0xffffffff}, "zip64");
    assert_one_refused(*state, (struct zip_file){.name = "a", .crc = 1}, "CRC");
}

static void test_files_that_share_bytes_are_refused(void **state)
{
    struct zip_file files[] = {{.name = "a", .data = "1"}, {.name = "a", .data = "1"}};

    files[1].start_shift = 0xffffffe0; /* minus 32: the first file's place */
    assert_refused(*state, files, 2, NULL, "overlaps");
}

static void test_a_directory_that_lies_is_refused(void **state)
{
    static const struct zip_file one = {.name = "a", .data = "1"};

    assert_refused(*state, &one, 1, &(struct zip_lies){.count = 2}, "damaged");
    assert_refused(*state, &one, 1, &(struct zip_lies){.disk = 1}, "several parts");
    assert_refused(*state, &one, 1, &(struct zip_lies){.directory_add = 1}, "not at its end");
    assert_refused(*state, &one, 1, &(struct zip_lies){.behind = "x"}, "not a zip");
    assert_refused(*state, &one, 1, &(struct zip_lies){.count = 20001}, "more than 20000");
}

static void test_bytes_that_are_no_zip_are_refused(void **state)
{
    char code[32];

    assert_about_archive(unpack_bytes(*state, bytes_of("", 0), code), "empty");
    assert_about_archive(unpack_bytes(*state, bytes_of("PK", 2), code), "not a zip");
    assert_has(unpack_bytes(*state, bytes_of("PK\5\6aaaaaaaaaaaaaaaaaaaaaaaaaaa", 30), code),
               "zip");
}

/* Each byte of a good archive flipped: it is refused or unpacked, and nothing else
 * happens to anybody. */
static void test_no_flipped_byte_hurts(void **state)
{
    static const struct zip_file files[] = {{.name = "bootstrap", .data = script},
                                            {.name = "d/f", .data = "text", .mode = 0100755}};
    struct buf zip = {0};
    char code[32];
    int refused = 0;

    zip_make(&zip, files, 2, NULL);
    for (size_t i = 0; i < zip.len; i++) {
        zip.data[i] ^= 0x41;
        refused += (unpack_bytes(*state, buf_bytes(&zip), code)[0] != '\0') ? 1 : 0;
        zip.data[i] ^= 0x41;
    }
    print_message("%d of %zu flips refused\n", refused, zip.len);
    assert_true(refused > (int)zip.len / 2);
    buf_fini(&zip);
    assert_still_works(*state);
}

/* --- sizes ---------------------------------------------------------------------------- */

static void test_a_bomb_of_zeros_is_refused(void **state)
{
    size_t len = 20u << 20;
    uint8_t *zeros = mem_calloc(1, len);
    struct buf zip = {0};
    char code[32];

    fixture_zip(&zip, "zeros", bytes_of(zeros, len));
    assert_true(zip.len < 100000);
    assert_about_archive(unpack_bytes(*state, buf_bytes(&zip), code), "more than 200 times");
    buf_fini(&zip);
    mem_free(zeros);
}

/* Deflated bytes that grow beyond what both headers claim. */
static void test_output_beyond_the_claimed_size_is_refused(void **state)
{
    uint8_t *zeros = mem_calloc(1, 100000);
    struct buf zip = {0};
    char code[32];
    uint8_t claimed[4] = {0xe8, 0x03, 0, 0};

    fixture_zip(&zip, "zeros", bytes_of(zeros, 100000));
    memcpy(zip.data + 22, claimed, 4); /* local, then central */
    for (size_t i = 30; i + 46 < zip.len; i++) {
        if (memcmp(zip.data + i, "PK\1\2", 4) == 0) {
            memcpy(zip.data + i + 24, claimed, 4);
        }
    }
    assert_about_archive(unpack_bytes(*state, buf_bytes(&zip), code), "not as long as it says");
    buf_fini(&zip);
    mem_free(zeros);
}

static void test_20000_files_come_out_and_20001_do_not(void **state)
{
    struct buf zip = {0};
    char code[32];

    fixture_zip_noise(&zip, 20000, 10);
    assert_string_equal(unpack_bytes(*state, buf_bytes(&zip), code), "");
    buf_fini(&zip);
    fixture_zip_noise(&zip, 20001, 10);
    assert_about_archive(unpack_bytes(*state, buf_bytes(&zip), code), "more than 20000 files");
    buf_fini(&zip);
}

static void test_250_mb_come_out_and_one_more_does_not(void **state)
{
    struct buf zip = {0};
    char code[32];

    fixture_zip_noise(&zip, 25, 10u << 20);
    print_message("%zu bytes packed\n", zip.len);
    assert_string_equal(unpack_bytes(*state, buf_bytes(&zip), code), "");
    buf_fini(&zip);
    fixture_zip_noise(&zip, 26, 10u << 20);
    assert_about_archive(unpack_bytes(*state, buf_bytes(&zip), code), "more than 250 MB");
    buf_fini(&zip);
}

static void test_an_archive_of_more_than_50_mb_is_refused(void **state)
{
    size_t len = (50u << 20) + 1;
    uint8_t *bytes = mem_calloc(1, len);
    char code[32];

    assert_about_archive(unpack_bytes(*state, bytes_of(bytes, len), code), "more than 50 MB");
    mem_free(bytes);
}

/* --- the cache ------------------------------------------------------------------------ */

static int open_small(void **state, enum isolation isolation)
{
    struct fixture *f = mem_calloc(1, sizeof *f);

    if (f == NULL) {
        return -1;
    }
    fixture_init(f);
    f->cache_bytes_max = 24u << 20;
    f->isolation = isolation;
    fixture_open(f);
    *state = f;
    return 0;
}

static int set_up_small(void **state)
{
    return open_small(state, ISOLATION_SANDBOX);
}

static int set_up_small_plain(void **state)
{
    return open_small(state, ISOLATION_NONE);
}

/* Ten times what fits goes through; what is in use stays. */
static void test_a_full_cache_lets_go_of_what_nobody_uses(void **state)
{
    struct fixture *f = *state;
    struct buf zip = {0};
    struct run run;
    char code[32];

    run_start(&run, f, "wait", NULL); /* of "probe" */
    run_wait_text(&run, f, "ready");
    fixture_zip_noise(&zip, 1, 8u << 20);
    for (int i = 0; i < 30; i++) {
        assert_string_equal(unpack_bytes(f, buf_bytes(&zip), code), "");
    }
    buf_fini(&zip);
    assert_still_works(f); /* "probe" was in use all the time */
    environment_kill(run.environment);
    run_wait_end(&run, f);
    run_fini(&run);
}

static void test_what_does_not_fit_at_all_is_refused(void **state)
{
    struct buf zip = {0};
    char code[32];

    fixture_zip_noise(&zip, 3, 10u << 20);
    assert_has(unpack_bytes(*state, buf_bytes(&zip), code), "the code cache is full");
    buf_fini(&zip);
}

static void note_error(void *arg, const struct unpacked *unpacked)
{
    int *count = arg;

    assert_null(unpacked->error);
    (*count)++;
}

static void test_many_at_once_all_come_out(void **state)
{
    static const struct zip_file one = {.name = "bootstrap", .data = script};
    struct fixture *f = *state;
    struct buf zip = {0};
    uint64_t deadline = now_ms() + 60000;
    char code[32];
    int count = 0;

    zip_make(&zip, &one, 1, NULL);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(code, sizeof code, "many%d", i / 2); /* each twice */
        assert_int_equal(
            launcher_unpack(f->launcher, code, fixture_memfd(buf_bytes(&zip)), &count, note_error),
            0);
    }
    while (count < 200 && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(count, 200);
    buf_fini(&zip);
}

static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

struct answer {
    bool is_done;
    char error[256];
};

static void note_answer(void *arg, const struct unpacked *unpacked)
{
    struct answer *answer = arg;

    answer->is_done = true;
    (void)snprintf(answer->error, sizeof answer->error, "%s",
                   (unpacked->error != NULL) ? unpacked->error : "");
}

static void test_an_archive_that_can_still_change_is_refused(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0};
    int fd = memfd_create("open", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(launcher_unpack(f->launcher, "open", fd, &answer, note_answer), 0);
    while (!answer.is_done) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_has(answer.error, "no sealed memfd holds the archive");
}

static void test_a_code_whose_name_is_a_path_is_refused(void **state)
{
    static const char *const names[] = {"../x", "a/b", "", ".", "a.tmp-1"};
    struct fixture *f = *state;

    err_set_sink(ignore_error);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int fd = memfd_create("open", MFD_CLOEXEC);

        assert_int_equal(launcher_unpack(f->launcher, names[i], fd, NULL, note_answer),
                         ERR_INVALID);
    }
    err_set_sink(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_plain, fixture_tear_down)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, set_up_small, fixture_tear_down)
#define SMALL_PLAIN(name)                                                                          \
    {                                                                                              \
#name " without isolation", name, set_up_small_plain, fixture_tear_down, NULL              \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_directories_and_modes_come_out),
        PLAIN(test_files_directories_and_modes_come_out),
        TEST(test_what_is_there_is_not_unpacked_again),
        TEST(test_names_in_other_alphabets_come_out),
        TEST(test_names_that_lead_out_are_refused),
        PLAIN(test_names_that_lead_out_are_refused),
        TEST(test_names_with_strange_bytes_are_refused),
        TEST(test_names_that_are_too_long_or_too_deep_are_refused),
        TEST(test_control_the_longest_name_is_accepted),
        TEST(test_the_same_name_twice_is_refused),
        TEST(test_only_plain_files_come_out),
        TEST(test_no_file_is_written_through_a_link),
        TEST(test_headers_that_disagree_are_refused),
        TEST(test_files_that_share_bytes_are_refused),
        TEST(test_a_directory_that_lies_is_refused),
        TEST(test_bytes_that_are_no_zip_are_refused),
        TEST(test_no_flipped_byte_hurts),
        TEST(test_a_bomb_of_zeros_is_refused),
        TEST(test_output_beyond_the_claimed_size_is_refused),
        TEST(test_20000_files_come_out_and_20001_do_not),
        TEST(test_250_mb_come_out_and_one_more_does_not),
        TEST(test_an_archive_of_more_than_50_mb_is_refused),
        TEST(test_many_at_once_all_come_out),
        TEST(test_an_archive_that_can_still_change_is_refused),
        TEST(test_a_code_whose_name_is_a_path_is_refused),
        SMALL(test_a_full_cache_lets_go_of_what_nobody_uses),
        SMALL_PLAIN(test_a_full_cache_lets_go_of_what_nobody_uses),
        SMALL(test_what_does_not_fit_at_all_is_refused),
        SMALL_PLAIN(test_what_does_not_fit_at_all_is_refused),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
