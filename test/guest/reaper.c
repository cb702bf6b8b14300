// variants: glibc pie musl
/* prctl's state: whose it is, what a fork inherits, and orphans that go to a subreaper. Prints what a Linux machine prints. */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) printf("%s = %d\n", #expression, (int)(expression))
static int subreaper(void) {
    int value = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0);
    return value;
}
static void show(const char *who) {
    printf("%s: dumpable %d keepcaps %d no_new_privs %d subreaper %d slack %d\n", who, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0),
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), subreaper(), prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 70000);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    int status;
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    SHOW(prctl(PR_SET_TIMERSLACK, 70000, 0, 0, 0));
    SHOW(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    SHOW(prctl(PR_SET_DUMPABLE, 5, 0, 0, 0));
    show("parent");
    pid_t self = getpid(), pid = fork();
    if (!pid) {
        show("child");
        SHOW(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
        SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        show("child");
        _exit(0);
    }
    waitpid(pid, &status, 0);
    show("parent after");
    /* parent -> middle (a subreaper) -> short -> last: when short ends, last is middle's, not the first process's */
    pid = fork();
    if (!pid) {
        pid_t middle = getpid();
        int ends[2];
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        if (pipe(ends)) _exit(9);
        pid_t brief = fork();
        if (!brief) {
            if (!fork()) {
                char byte;
                close(ends[1]);
                if (read(ends[0], &byte, 1) < 0) _exit(1);
                while (getppid() != middle && getppid() != 1 && getppid() != self) usleep(1000);
                printf("orphan's parent is the subreaper: %d\n", getppid() == middle);
                _exit(7);
            }
            _exit(3);
        }
        waitpid(brief, &status, 0);
        close(ends[1]);
        pid_t last = wait(&status);
        printf("subreaper waited: %d, status %d\n", last > 0 && last != brief, WEXITSTATUS(status));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    printf("status %d\n", status);
    return 0;
}
