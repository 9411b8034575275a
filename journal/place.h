/* The directory of a journal: made, checked, locked, synced. */
#ifndef JOURNAL_PLACE_H
#define JOURNAL_PLACE_H

#include "engine/base/bytes.h"

/* A directory of mode 0700; fine when it is there. Syncs its parent. */
int place_make_dir(const char *path);

/* Makes new entries of a directory durable. */
int place_sync_dir(const char *path);

/* Takes the place of an empty directory, or of none, durably. */
int place_rename_dir(const char *from, const char *to);

/* Removes it with these files (NULL at the end), as far as they are there. Anything else
 * in it is an error. */
int place_remove_dir(const char *dir, const char *const *names);

/* `path` with ".new" behind it, on the heap, or NULL. */
char *place_stage(const char *path);

/* "dir/name" on the heap, or NULL. */
char *place_join(const char *dir, const char *name);

/* ERR_INVALID, with a sentence, on file systems whose locks or maps cannot be
 * trusted: NFS, 9p, CIFS. Warns on overlay. */
int place_check(const char *dir);

/* Takes `dir/lock`; ERR_INVALID when another process holds it. The lock goes with
 * the descriptor. */
int place_lock(const char *dir, int *ret_fd);

#endif /* JOURNAL_PLACE_H */
