/* A set-up step that did not work, as a sentence for people: "mount /proc: Permission
 * denied". It comes from far below, often from a child process, so it is text. */
#ifndef RUNTIME_FAILURE_H
#define RUNTIME_FAILURE_H

#define FAILURE_TEXT_MAX 240

struct failure {
    char text[FAILURE_TEXT_MAX];
};

/* The condition of every function that fills a failure. */
#define FAILURE_E_SET 1

/* Both return FAILURE_E_SET. The first adds ": " and the text of errno. */
int failure_errno(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int failure_text(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* RUNTIME_FAILURE_H */
