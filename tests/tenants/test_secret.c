#include "tests/tenants/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tenants/secret.h"

/* The sanitizers replace mlock() by one that does nothing and succeeds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_MLOCK_REAL false
#elif defined(__has_feature)
#define IS_MLOCK_REAL !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define IS_MLOCK_REAL true
#endif

/* Runs in a child whose stderr is `fd`: no locked memory may be had. */
static void alloc_without_locking(int fd)
{
    const struct rlimit none = {0};
    uint8_t *first;
    uint8_t *second;

    if (dup2(fd, STDERR_FILENO) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
        (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) || secret_init() != 0) {
        _exit(2);
    }
    first = secret_alloc(SECRET_KEY_BYTES);
    second = secret_alloc(SECRET_KEY_BYTES);
    if (first == NULL || second == NULL) {
        _exit(3);
    }
    memset(first, 1, SECRET_KEY_BYTES);
    secret_free(first);
    secret_free(second);
    _exit(0);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text++) {
        count++;
    }
    return count;
}

static void test_memory_that_cannot_be_locked_is_used_with_one_warning(void **state)
{
    char text[4096] = {0};
    size_t len = 0;
    ssize_t got;
    int fds[2];
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alloc_without_locking(fds[1]);
    }
    assert_int_equal(close(fds[1]), 0);
    while ((got = read(fds[0], text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)got;
    }
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(count_of(text, "RLIMIT_MEMLOCK"), IS_MLOCK_REAL ? 1 : 0);
}

static void test_a_secret_starts_as_zeroes(void **state)
{
    (void)state;
    for (size_t size = 1; size < 10000; size = size * 3 + 1) {
        uint8_t *secret = secret_alloc(size);

        assert_non_null(secret);
        assert_true(sodium_is_zero(secret, size));
        memset(secret, 0xFF, size);
        secret_free(secret);
    }
    secret_free(NULL);
}

static void test_reading_past_a_secret_ends_the_process(void **state)
{
    int status;
    pid_t child;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0};
        volatile uint8_t *secret = secret_alloc(SECRET_KEY_BYTES);

        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGSEGV, SIG_DFL);
        _exit((secret == NULL) ? 2 : secret[SECRET_KEY_BYTES] & 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_that_cannot_be_locked_is_used_with_one_warning),
        cmocka_unit_test(test_a_secret_starts_as_zeroes),
        cmocka_unit_test(test_reading_past_a_secret_ends_the_process),
    };

    return (secret_init() == 0) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
