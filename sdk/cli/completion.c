/* Completion for bash: one case per command with its options, and one per option with
 * a fixed set of values. What is neither is completed as a file name. */
#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/help.h"

#include <stdio.h>
#include <string.h>

static void append_option_names(struct buf *buf, const struct cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        buf_printf(buf, " --%s", options->name);
    }
}

/* The first words of all commands, each once. */
static void append_command_names(struct buf *buf)
{
    const char *last = "";

    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        size_t len = strcspn(command->name, " ");

        if (strncmp(last, command->name, len + 1) != 0) {
            buf_printf(buf, " %.*s", (int)len, command->name);
        }
        last = command->name;
    }
}

/* Words that follow `first` in the names of two words. */
static void append_second_words(struct buf *buf, const char *first, size_t len)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (strncmp(command->name, first, len) == 0 && command->name[len] == ' ') {
            buf_printf(buf, " %s", command->name + len + 1);
        }
    }
}

/* The first words of names of two, each once: "callback keys ". */
static void append_groups(struct buf *buf)
{
    const char *last = "";

    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        size_t len = strcspn(command->name, " ");

        if (command->name[len] == ' ' && strncmp(last, command->name, len + 1) != 0) {
            buf_printf(buf, "%.*s ", (int)len, command->name);
        }
        last = command->name;
    }
}

static void append_cases(struct buf *buf)
{
    const char *last = "";

    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        size_t len = strcspn(command->name, " ");

        if (command->name[len] == ' ' && strncmp(last, command->name, len + 1) != 0) {
            buf_printf(buf, "    %.*s) words='", (int)len, command->name);
            append_second_words(buf, command->name, len);
            buf_append_text(buf, "' ;;\n");
        }
        last = command->name;
        buf_printf(buf, "    '%s') words='", command->name);
        append_option_names(buf, command->options);
        append_option_names(buf, cli_global_options);
        buf_append_text(buf, "' ;;\n");
    }
}

static void append_word_cases(struct buf *buf)
{
    static const struct cli_command global = {.name = "", .options = cli_global_options};

    for (const struct cli_command *command = cli_commands;; command++) {
        const struct cli_command *here = (command->name != NULL) ? command : &global;

        for (const struct cli_option *o = here->options; o != NULL && o->name != NULL; o++) {
            if (o->words != NULL) {
                buf_printf(buf,
                           "    %s'%s --%s') COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n"
                           "        return ;;\n",
                           (here == &global) ? "*" : "", here->name, o->name, o->words);
            }
        }
        if (here == &global) {
            return;
        }
    }
}

void cli_completion_append(struct buf *buf)
{
    buf_append_text(buf, "# Completion of pawl for bash: source <(pawl completion bash)\n"
                         "_pawl()\n{\n"
                         "    local cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                         "    local words='' command='' skip='' word groups=' ");
    append_groups(buf);
    buf_append_text(buf, "'\n"
                         "    local prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                         "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                         "        if [[ -n $skip ]]; then skip=''; continue; fi\n"
                         "        case \"$word\" in --socket|--output) skip=1 ;;\n"
                         "        -*) ;;\n"
                         "        *) if [[ -z $command ]]; then command=$word\n"
                         "               [[ $groups == *\" $word \"* ]] || break\n"
                         "           else command=\"$command $word\"; break; fi ;;\n"
                         "        esac\n    done\n"
                         "    case \"$command $prev\" in\n");
    append_word_cases(buf);
    buf_append_text(buf, "    'completion completion') COMPREPLY=(bash); return ;;\n"
                         "    esac\n    case \"$command\" in\n    '') words='");
    append_command_names(buf);
    append_option_names(buf, cli_global_options);
    buf_append_text(buf, "' ;;\n");
    append_cases(buf);
    buf_append_text(buf, "    esac\n"
                         "    if [[ $cur == -* || -z $command ||\n"
                         "        $groups == *\" $command \"* ]]; then\n"
                         "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                         "    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
                         "complete -o filenames -F _pawl pawl\n");
}

int cli_run_completion(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct buf text = {0};
    const char *shell = cli_operand(arguments, 0);

    (void)session; /* a local command: no daemon */
    if (strcmp(shell, "bash") != 0) {
        return cli_complain(CLI_USAGE, "no completion for '%s': there is one for bash", shell);
    }
    cli_completion_append(&text);
    if (text.failed) {
        buf_fini(&text);
        return cli_complain_memory();
    }
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_fini(&text);
    return CLI_OK;
}
