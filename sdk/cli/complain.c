#include "sdk/cli/complain.h"

#include <stdarg.h>
#include <stdio.h>

#include "sdk/cli/text.h"

#define SENTENCE_BYTES_MAX 4096

static void print_sentence(const char *format, va_list args)
{
    char text[SENTENCE_BYTES_MAX];
    struct buf line = {0};

    (void)vsnprintf(text, sizeof text, format, args);
    buf_append_text(&line, "pawl: ");
    cli_text_append_clean(&line, bytes_of_text(text));
    buf_append_text(&line, "\n");
    if (!line.failed) {
        (void)fflush(stdout); /* what was printed before comes before */
        (void)fwrite(line.data, 1, line.len, stderr);
    }
    buf_fini(&line);
}

int cli_complain(enum cli_exit code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_sentence(format, args);
    va_end(args);
    return (int)code;
}

int cli_complain_memory(void)
{
    (void)fputs("pawl: out of memory\n", stderr);
    return CLI_SERVER;
}

void cli_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_sentence(format, args);
    va_end(args);
}
