/* Tables: alignment, cutting, colours, streams, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/grid.h"

static const char *const titles[] = {"NAME", ">COUNT", "NOTE", NULL};

struct paper {
    struct cli_session session;
    struct cli_grid grid;
    char *text;
    size_t len;
};

static void open_paper(struct paper *paper, size_t width)
{
    *paper = (struct paper){0};
    paper->session.out = open_memstream(&paper->text, &paper->len);
    paper->session.width = width;
    paper->session.is_utf8 = true;
    assert_non_null(paper->session.out);
    cli_grid_init(&paper->grid, titles);
}

static void add(struct paper *paper, const char *name, const char *count, const char *note)
{
    cli_grid_add(&paper->grid, COLOR_NONE, name);
    cli_grid_add(&paper->grid, COLOR_NONE, count);
    cli_grid_add(&paper->grid, COLOR_GREEN, note);
}

static void close_paper(struct paper *paper)
{
    (void)fclose(paper->session.out);
    free(paper->text); /* of open_memstream() */
    cli_grid_fini(&paper->grid);
}

static void assert_paper(struct paper *paper, const char *expected)
{
    assert_int_equal(cli_grid_print(&paper->grid, &paper->session), 0);
    (void)fflush(paper->session.out);
    assert_string_equal(paper->text, expected);
}

static void test_columns_are_aligned_by_their_width_on_screen(void **state)
{
    struct paper paper;

    (void)state;
    open_paper(&paper, 0);
    add(&paper, "日本", "1", "x");
    add(&paper, "é", "1234567", "");
    assert_paper(&paper, "NAME    COUNT  NOTE\n"
                         "日本        1  x\n"
                         "é     1234567  -\n");
    close_paper(&paper);
}

static void test_without_a_terminal_nothing_is_cut(void **state)
{
    char name[301];
    struct paper paper;

    (void)state;
    memset(name, 'n', 300);
    name[300] = '\0';
    open_paper(&paper, 0);
    add(&paper, name, "1", "x");
    assert_int_equal(cli_grid_print(&paper.grid, &paper.session), 0);
    (void)fflush(paper.session.out);
    assert_non_null(strstr(paper.text, name));
    close_paper(&paper);
}

static void test_widest_columns_are_cut_to_the_terminal(void **state)
{
    struct paper paper;

    (void)state;
    open_paper(&paper, 30);
    add(&paper, "short", "12345", "a very long note that does not fit");
    add(&paper, "a name that is long", "1", "日本日本日本日本");
    assert_paper(&paper, "NAME         COUNT  NOTE\n"
                         "short        12345  a very lo…\n"
                         "a name tha…      1  日本日本…\n");
    close_paper(&paper);
}

static void test_a_stream_has_one_header_and_columns_only_grow(void **state)
{
    struct paper paper;

    (void)state;
    open_paper(&paper, 0);
    add(&paper, "aaaaaa", "1", "x");
    assert_paper(&paper, "NAME    COUNT  NOTE\naaaaaa      1  x\n");
    add(&paper, "b", "2", "y");
    assert_paper(&paper, "NAME    COUNT  NOTE\naaaaaa      1  x\nb           2  y\n");
    assert_paper(&paper, "NAME    COUNT  NOTE\naaaaaa      1  x\nb           2  y\n");
    close_paper(&paper);
}

static void test_colours_do_not_count_as_width(void **state)
{
    struct paper paper;

    (void)state;
    open_paper(&paper, 0);
    paper.session.is_color = true;
    cli_grid_add(&paper.grid, COLOR_RED, "ab");
    cli_grid_add(&paper.grid, COLOR_NONE, "1");
    cli_grid_add(&paper.grid, COLOR_NONE, "\033[31mevil");
    assert_paper(&paper, "\033[1mNAME\033[0m  \033[1mCOUNT\033[0m  \033[1mNOTE\033[0m\n"
                         "\033[31mab\033[0m        1  ?[31mevil\n");
    close_paper(&paper);
}

static size_t allowed;

static bool allow(size_t size)
{
    (void)size;
    return allowed > 0 && allowed-- > 0;
}

/* Each allocation fails once; the grid says so and stays whole. */
static void test_lost_memory_is_reported(void **state)
{
    int r = CLI_SERVER;

    (void)state;
    for (size_t n = 0; r != 0; n++) {
        struct paper paper;

        assert_true(n < 100);
        open_paper(&paper, 40);
        allowed = n;
        mem_set_hook(allow);
        for (int i = 0; i < 200; i++) {
            add(&paper, "a name", "1", "a note");
        }
        r = cli_grid_print(&paper.grid, &paper.session);
        mem_set_hook(NULL);
        assert_true(r == 0 || r == CLI_SERVER);
        close_paper(&paper);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_aligned_by_their_width_on_screen),
        cmocka_unit_test(test_without_a_terminal_nothing_is_cut),
        cmocka_unit_test(test_widest_columns_are_cut_to_the_terminal),
        cmocka_unit_test(test_a_stream_has_one_header_and_columns_only_grow),
        cmocka_unit_test(test_colours_do_not_count_as_width),
        cmocka_unit_test(test_lost_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
