/* The names of a data directory's files: those that are durable, those that are not yet,
 * and those that a power cut leaves. Of what was not synced in a directory a cut leaves
 * what came first, up to some operation. */
#ifndef TESTS_POWERCUT_NAMES_H
#define TESTS_POWERCUT_NAMES_H

#include "engine/base/bytes.h"
#include "tests/powercut/disk.h"

struct names;

/* `dir` is made when it is shown. */
struct names *names_create(const char *dir);
void names_destroy(struct names *names);

void names_add(struct names *names, const struct tape_op *op);
void names_sync(struct names *names, const char *dir); /* empty: the data directory */

/* Makes the directory have the names that a cut leaves, with these contents. */
void names_show(struct names *names, struct prng *prng, enum disk_variant variant,
                const struct bytes *contents);

/* The state is over: what came beside it does not stay. */
void names_hide(struct names *names);

#endif /* TESTS_POWERCUT_NAMES_H */
