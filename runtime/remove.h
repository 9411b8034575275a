/* Removes directory trees that somebody else has filled. */
#ifndef RUNTIME_REMOVE_H
#define RUNTIME_REMOVE_H

/* `name` in `dir` with all below it, through no link. What cannot be removed stays. */
void remove_tree(int dir, const char *name);

/* Everything in `dir`. */
void remove_content(int dir);

#endif /* RUNTIME_REMOVE_H */
