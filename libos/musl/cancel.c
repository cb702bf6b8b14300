/*
 * pthread_cancel and pthread_testcancel, in place of musl's: that one recognises a blocked cancellation point by the
 * address of one general system-call stub, which does not exist here (include/syscall.h).
 * A request makes the target leave a blocking call with EINTR (no SA_RESTART on the signal), and the thread ends at its next
 * pthread_testcancel, or at once when its cancellation is asynchronous.
 */
#define _GNU_SOURCE
#include <string.h>
#include "pthread_impl.h"
#include "syscall.h"

hidden long __cancel(void);

long __cancel(void)
{
    pthread_t self = __pthread_self();
    if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync)
        pthread_exit(PTHREAD_CANCELED);
    self->canceldisable = PTHREAD_CANCEL_DISABLE;
    return -ECANCELED;
}

void __testcancel(void)
{
    pthread_t self = __pthread_self();
    if (self->cancel && !self->canceldisable)
        __cancel();
}

static void handle_cancel(int signal, siginfo_t *information, void *context)
{
    pthread_t self = __pthread_self();
    a_barrier();
    if (self->cancel && self->cancelasync && self->canceldisable != PTHREAD_CANCEL_DISABLE)
        pthread_exit(PTHREAD_CANCELED);
}

int pthread_cancel(pthread_t thread)
{
    static int ready;
    if (!ready) {
        struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = handle_cancel};
        memset(&action.sa_mask, -1, _NSIG / 8);
        __libc_sigaction(SIGCANCEL, &action, 0);
        ready = 1;
    }
    a_store(&thread->cancel, 1);
    if (thread == pthread_self()) {
        if (thread->canceldisable == PTHREAD_CANCEL_ENABLE && thread->cancelasync)
            pthread_exit(PTHREAD_CANCELED);
        return 0;
    }
    return pthread_kill(thread, SIGCANCEL);
}
