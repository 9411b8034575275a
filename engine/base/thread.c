#include "engine/base/thread.h"

#include <signal.h>
#include <string.h>

#include "engine/base/err.h"

int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg, const char *name)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int error;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGBUS); /* a damaged file: main's handler ends the process */
    (void)sigdelset(&all, SIGSEGV);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return ERR(ERR_SYSTEM, "thread %s: %s", name, strerror(error));
    }
    (void)pthread_setname_np(thread, name);
    *ret_thread = thread;
    return 0;
}
