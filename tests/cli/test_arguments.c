/* Reading command lines against the table, and the table itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/cli/arguments.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/commands.h"
#include "sdk/cli/help.h"

#define WORDS_MAX 16

struct line {
    struct cli_arguments arguments;
    char *words[WORDS_MAX + 1];
    char text[256];
    int code;
};

/* Words are separated by single spaces. */
static void parse(struct line *line, const char *text)
{
    char *rest = line->text;
    int count = 0;

    memset(line, 0, sizeof *line);
    (void)snprintf(line->text, sizeof line->text, "pawl %s", text);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        assert_true(count < WORDS_MAX);
        line->words[count++] = word;
    }
    line->code = cli_arguments_parse(&line->arguments, count, line->words);
}

static void test_options_and_operands_may_be_mixed(void **state)
{
    struct line line;

    (void)state;
    parse(&line,
          "--socket /s deploy --timeout=30 f --env A=1 prog --env B=2 --durable --output json");
    assert_int_equal(line.code, 0);
    assert_string_equal(line.arguments.command->name, "deploy");
    assert_string_equal(cli_operand(&line.arguments, 0), "f");
    assert_string_equal(cli_operand(&line.arguments, 1), "prog");
    assert_null(cli_operand(&line.arguments, 2));
    assert_int_equal(cli_argument_number(&line.arguments, "timeout", 3), 30);
    assert_int_equal(cli_argument_number(&line.arguments, "memory", 128), 128);
    assert_string_equal(cli_argument(&line.arguments, "env", 0), "A=1");
    assert_string_equal(cli_argument(&line.arguments, "env", 1), "B=2");
    assert_null(cli_argument(&line.arguments, "env", 2));
    assert_true(cli_argument_given(&line.arguments, "durable"));
    assert_false(cli_argument_given(&line.arguments, "retention"));
    assert_string_equal(cli_argument(&line.arguments, "socket", 0), "/s");
    assert_string_equal(cli_argument(&line.arguments, "output", 0), "json");
}

static void test_commands_of_two_words_are_found(void **state)
{
    struct line line;

    (void)state;
    parse(&line, "callback fail --message no ID");
    assert_int_equal(line.code, 0);
    assert_string_equal(line.arguments.command->name, "callback fail");
    assert_string_equal(cli_operand(&line.arguments, 0), "ID");
    parse(&line, "callback frob ID");
    assert_int_equal(line.code, CLI_USAGE);
    parse(&line, "call fail ID");
    assert_int_equal(line.code, CLI_USAGE);
}

static void test_after_two_dashes_all_is_operands(void **state)
{
    struct line line;

    (void)state;
    parse(&line, "invoke f -- -5");
    assert_int_equal(line.code, 0);
    assert_string_equal(cli_operand(&line.arguments, 1), "-5");
    parse(&line, "invoke f -");
    assert_int_equal(line.code, 0);
    assert_string_equal(cli_operand(&line.arguments, 1), "-");
}

static void test_numbers_have_the_bounds_of_the_table(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"deploy f p --timeout 1", 0},
        {"deploy f p --timeout 5400", 0},
        {"deploy f p --timeout 0", CLI_USAGE},
        {"deploy f p --timeout 5401", CLI_USAGE},
        {"deploy f p --timeout -1", CLI_USAGE},
        {"deploy f p --timeout 3s", CLI_USAGE},
        {"deploy f p --timeout=", CLI_USAGE},
        {"deploy f p --retention 90", 0},
        {"deploy f p --retention 99999999999999999999", CLI_USAGE},
    };
    struct line line;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse(&line, cases[i].text);
        assert_int_equal(line.code, cases[i].code);
    }
}

static void test_words_are_only_those_of_the_table(void **state)
{
    struct line line;

    (void)state;
    parse(&line, "executions --sort start");
    assert_int_equal(line.code, 0);
    parse(&line, "executions --sort star");
    assert_int_equal(line.code, CLI_USAGE);
    parse(&line, "executions --sort=");
    assert_int_equal(line.code, CLI_USAGE);
    parse(&line, "executions --status=RUNNING --status=FAILED");
    assert_int_equal(line.code, CLI_USAGE);
}

static void test_help_needs_no_operands(void **state)
{
    struct line line;

    (void)state;
    parse(&line, "deploy --help");
    assert_int_equal(line.code, 0);
    assert_true(line.arguments.is_help);
    assert_string_equal(line.arguments.command->name, "deploy");
    parse(&line, "-h");
    assert_int_equal(line.code, 0);
    assert_null(line.arguments.command);
    assert_true(line.arguments.is_help);
}

static void test_every_command_and_option_has_a_help_of_one_line(void **state)
{
    (void)state;
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        assert_true(strlen(c->summary) > 0 && strchr(c->summary, '\n') == NULL);
        assert_true(c->operands_min <= c->operands_max && c->operands_max <= CLI_OPERANDS_MAX);
        assert_true((c->operands_max > 0) == (c->operands[0] != '\0'));
        assert_true(c->run != NULL || strcmp(c->name, "serve") == 0 || strcmp(c->name, "dev") == 0);
        for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
            assert_true(strlen(o->help) > 0 && strchr(o->help, '\n') == NULL);
            assert_true(o->value != NULL || (o->words == NULL && o->max == 0));
        }
    }
}

/* Also the lines a terminal of 100 columns shows. */
static void test_help_fits_a_terminal(void **state)
{
    (void)state;
    for (const struct cli_command *c = cli_commands;; c++) {
        struct buf text = {0};
        size_t column = 0;

        cli_help_append(&text, (c->name != NULL) ? c : NULL);
        assert_false(text.failed);
        for (size_t i = 0; i < text.len; i++) {
            column = (text.data[i] == '\n') ? 0 : column + 1;
            assert_true(column <= 100);
        }
        buf_fini(&text);
        if (c->name == NULL) {
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_operands_may_be_mixed),
        cmocka_unit_test(test_commands_of_two_words_are_found),
        cmocka_unit_test(test_after_two_dashes_all_is_operands),
        cmocka_unit_test(test_numbers_have_the_bounds_of_the_table),
        cmocka_unit_test(test_words_are_only_those_of_the_table),
        cmocka_unit_test(test_help_needs_no_operands),
        cmocka_unit_test(test_every_command_and_option_has_a_help_of_one_line),
        cmocka_unit_test(test_help_fits_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
