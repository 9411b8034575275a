/* UTF-8 on a terminal: how wide it is, how much of it fits, and what of it is safe
 * to print. Names and messages come from functions, so they may hold anything, also
 * escape sequences that would take over the terminal. */
#ifndef SDK_CLI_TEXT_H
#define SDK_CLI_TEXT_H

#include "engine/base/bytes.h"

/* Columns the text takes: combining marks none, East Asian wide characters and
 * emoji two, all else one. Bytes that are not UTF-8 count as one each. */
size_t cli_text_width(struct bytes text);

/* The longest start of the text that fits into `columns`; whole characters only. */
struct bytes cli_text_fit(struct bytes text, size_t columns);

/* Appends the text: tabs and line ends become spaces; control characters (C0, DEL,
 * C1), bidirectional overrides and bytes that are not UTF-8 become '?'. */
void cli_text_append_clean(struct buf *buf, struct bytes text);

#endif /* SDK_CLI_TEXT_H */
