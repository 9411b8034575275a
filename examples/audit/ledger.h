/* The outside ledger, as a step sees it: a unix socket that takes lines and answers when
 * they are on disk. What a step has told it, no crash of Pawl can take back. */
#ifndef EXAMPLES_AUDIT_LEDGER_H
#define EXAMPLES_AUDIT_LEDGER_H

#include <pawl/pawl.h>

/* One line "WORD NAME", from a step. A `path` of NULL is no ledger. PAWL_FAILED with a
 * LedgerError when it does not answer in time: the step is then tried again later. */
int ledger_tell(struct pawl_context *ctx, const char *path, const char *word, const char *name);

#endif /* EXAMPLES_AUDIT_LEDGER_H */
