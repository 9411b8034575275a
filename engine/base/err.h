/* Errors.
 *
 * Every function that can fail returns int:
 *
 *     0          success
 *     negative   fatal for this operation: pass it up unchanged
 *     positive   a condition named in the header of the function called; the
 *                direct caller handles it and never passes it on
 *
 * A negative code is created in exactly one place, with ERR(), which logs where
 * it was born. On the way up it is returned as is. So each failure is logged
 * once, at its origin, and a caller never needs to log it again. */
#ifndef ENGINE_BASE_ERR_H
#define ENGINE_BASE_ERR_H

#define ERR_MAP(X)                                                                                 \
    X(NOMEM, "out of memory")                                                                      \
    X(IO, "input or output failed")                                                                \
    X(CORRUPT, "stored data does not have the expected form")                                      \
    X(LIMIT, "a configured limit was reached")                                                     \
    X(CANCELED, "operation canceled by shutdown")                                                  \
    X(INVALID, "invalid argument")                                                                 \
    X(PROTOCOL, "the other side broke the protocol")                                               \
    X(SYSTEM, "the operating system refused")

enum err_index {
    ERR_INDEX_NONE,
#define X(name, text) ERR_INDEX_##name,
    ERR_MAP(X)
#undef X
};

enum err {
    ERR_OK = 0,
#define X(name, text) ERR_##name = -(int)ERR_INDEX_##name,
    ERR_MAP(X)
#undef X
};

/* Never returns NULL; accepts any value. */
const char *err_text(int code);

/* Creates a fatal error: ERR(ERR_IO, "open %s", path). Evaluates to `code`, which is
 * evaluated twice: so the compiler sees that what follows is not the way of success. */
#define ERR(code, ...) (err_origin((code), __FILE__, __LINE__, __VA_ARGS__), (code))

void err_origin(int code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Where origins are reported, from any thread; tests replace it to count or to
 * silence them. NULL restores the default, which logs to stderr. */
typedef void (*err_sink)(int code, const char *file, int line, const char *text);
void err_set_sink(err_sink sink);

#endif /* ENGINE_BASE_ERR_H */
