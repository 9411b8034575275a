/* Signatures of one access key that were used: a request that changes something is not
 * done twice because someone sent a copy of it.
 *
 * A signature stays as long as its date would be accepted. Memory is bounded: where there is
 * no room for another one, those of the oldest second are forgotten, and from then on what
 * is dated in that second or before is refused, seen or not. The same holds for what is
 * dated before the daemon started, as it may have been used then. So a copy is never taken
 * for the original; what a flood costs is patience with slow clocks. */
#ifndef TENANTS_REPLAY_H
#define TENANTS_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_WINDOW_S 300         /* before and after our clock */
#define REPLAY_ENTRIES_MAX 1048576U /* of one key: 2^20, 28 MiB */
#define REPLAY_BUDGET 4194304U      /* of all keys, beyond what each may have anyhow */

struct replay;

/* What all keys have together. */
struct replay_budget {
    size_t entries;
};

/* Whatever is dated before `start_s` is too old. */
int replay_create(struct replay **ret_replay, struct replay_budget *budget, int64_t start_s);
void replay_destroy(struct replay *replay); /* accepts NULL */

enum replay_verdict {
    REPLAY_NEW,
    REPLAY_SEEN,    /* *ret_age_ms: how long ago it came first */
    REPLAY_TOO_OLD, /* it may have been seen, and was forgotten */
    REPLAY_NOMEM,
};

/* Notes a signature (its first 8 bytes), which is a good one dated `date_s`. */
enum replay_verdict replay_note(struct replay *replay, uint64_t signature, int64_t date_s,
                                int64_t now_ms, uint32_t *ret_age_ms)
    __attribute__((warn_unused_result));

size_t replay_count(const struct replay *replay);

#endif /* TENANTS_REPLAY_H */
