/* What a client must know of an answer: HTTP/1.1 with a Content-Length, from the daemon. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct answer {
    unsigned status;
    size_t head_len;
    size_t body_len;
    bool is_function_error;
    const char *arn; /* in the text that was parsed; NULL: none */
    size_t arn_len;
};

/* 1 when it is whole, 0 while it is incomplete, -1 when it is no answer. */
int answer_parse(const char *text, size_t len, struct answer *ret_answer);

#endif /* BENCH_ANSWER_H */
