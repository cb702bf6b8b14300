/* What C programs expect of their library and machine, one part a word of the command line; the output is the same under any musl. */
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static void print(void) {
    printf("[%d][%5d][%-5d][%05d][%+d][% d][%i]\n", 42, 42, 42, 42, 42, 42, INT_MIN);
    printf("[%u][%o][%x][%X][%#x][%#o][%b]\n", 42u, 42u, 0xbeefu, 0xbeefu, 42u, 42u, 1);
    printf("[%hhd][%hd][%ld][%lld][%jd][%zd][%td]\n", -1, -2, LONG_MIN, LLONG_MAX, INTMAX_MIN, (ssize_t)-3, (ptrdiff_t)-4);
    printf("[%f][%.0f][%10.3f][%-10.2f|][%e][%.3E][%g][%G][%a]\n", 3.14159, 2.5, -1.0 / 3, 1e3, 12345.678, 1e-10, 1e20, 1e-5, 1.5);
    printf("[%Lf][%Lg][%.30Lf]\n", 1.25L, 1e100L, 0.1L);
    printf("[%f][%F][%g][%g]\n", (double)INFINITY, -(double)INFINITY, (double)NAN, -0.0);
    printf("[%s][%.3s][%10s][%-10s|][%c][%%][%.*s][%*d]\n", "text", "truncated", "right", "left", 'c', 2, "star", 6, 7);
    printf("[%1$s %2$d %1$s]\n", "again", 5);
    printf("[%ls][%lc]\n", L"wide", (wint_t)L'w');
    int count;
    printf("abc%n", &count);
    printf("[%d]\n", count);
    printf("[%p][%" PRId64 "][%" PRIx32 "]\n", (void *)0x1234, INT64_MIN, UINT32_MAX);
    char small[5];
    printf("[%d]", snprintf(small, sizeof small, "%s", "overflow"));
    printf("[%s]\n", small);
    printf("%.1000f\n", 1.0 / 7);
    putchar('x'), putc('\n', stdout), fputs("fputs\n", stdout), fwrite("fwrite\n", 1, 7, stdout);
    fflush(stdout);
    dprintf(1, "dprintf %d\n", 9);
    fprintf(stderr, "to stderr\n");
}

static void numbers(void) {
    static const char *const texts[] = { "0", "-0", "1e308", "1e309", "4.9e-324", "1e-400", "0x1.8p3", "inf", "nan", "0.1",
        "179769313486231580793e289", "2.2250738585072011e-308", "123456789012345678901234567890", "1.7976931348623157e308xyz", "", "abc" };
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        errno = 0;
        double value = strtod(texts[i], &end);
        int error = errno;
        printf("%s -> %.17g %a rest %zu errno %d;", texts[i], value, value, strlen(end), error);
        printf(" %.9g; %.20Lg\n", (double)strtof(texts[i], NULL), strtold(texts[i], NULL));
    }
    errno = 0;
    printf("%ld", strtol("99999999999999999999", NULL, 10));
    printf(" %d\n", errno);
    printf("%lx %ld %ld %llu\n", strtoul("ffff", NULL, 16), strtol("0x1f", NULL, 0), strtol("-077", NULL, 8), strtoull("18446744073709551615", NULL, 10));
    int a, b;
    char word[16];
    float f;
    printf("%d", sscanf("12 abc 0x1f 2.5", "%d %15s %i %f", &a, word, &b, &f));
    printf(" %d %s %d %g\n", a, word, b, (double)f);
    printf("%.17g %.17g %.17g %.17g %.17g\n", sin(1), cos(1e10), tan(0.5), atan2(1, -1), exp(1));
    printf("%.17g %.17g %.17g %.17g %.17g\n", log(10), pow(2, 0.5), sqrt(2), cbrt(27), hypot(3, 4));
    printf("%.17g %.17g %.17g %.17g %g %g\n", tgamma(5.5), erf(0.5), fmod(10, 3), remainder(10, 3), floor(-1.5), nearbyint(2.5));
    printf("%ld %lld %d %g\n", lround(2.5), llrint(3.5), ilogb(1000), ldexp(0.75, 4));
    volatile double zero = 0;
    printf("%g %g %d %d\n", 1 / zero, -1 / zero, isnan(zero / zero), fpclassify(DBL_MIN / 2) == FP_SUBNORMAL);
    volatile long double big = 1.0L;
    for (int i = 0; i < 100; i++) big *= 3.7L;
    printf("%.20Lg\n", big);
    printf("%d %d %lld\n", abs(-5), div(17, 5).rem, llabs(LLONG_MIN + 1));
}

static jmp_buf here;
static volatile int depth;
static void dive(int n) {
    volatile char frame[64];
    frame[0] = (char)n;
    depth = n;
    if (n == 100) longjmp(here, 7);
    dive(n + 1);
    frame[1] = frame[0];
}
static volatile sig_atomic_t signalled;
static sigjmp_buf out;
static void on_signal(int number) {
    signalled = number;
    siglongjmp(out, 3);
}
static void jumps(void) {
    volatile double kept = 1.5;
    int result = setjmp(here);
    if (!result) dive(0);
    printf("longjmp %d at depth %d, kept %g\n", result, depth, kept);
    result = setjmp(here);
    if (!result) longjmp(here, 0);
    printf("longjmp 0 -> %d\n", result);
    signal(SIGUSR1, on_signal);
    for (int i = 0; i < 3; i++)
        if (!(result = sigsetjmp(out, 1))) raise(SIGUSR1);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("siglongjmp %d, signal %d, blocked %d\n", result, signalled, sigismember(&mask, SIGUSR1));
}

static __thread int thread_zero;
static __thread long thread_value = 0x1234567890;
static _Thread_local char thread_text[16] = "thread-local";
static _Thread_local _Alignas(64) char aligned[64] = { 1 };
static int *volatile address;
static void tls(void) {
    address = &thread_zero;
    *address = 5;
    printf("%d %lx %s %d %d\n", thread_zero, thread_value, thread_text, (int)((uintptr_t)aligned % 64), aligned[0]);
    errno = ERANGE;
    printf("%d\n", errno);
}

static int built;
__attribute__((constructor(101))) static void first(void) { built = built * 10 + 1; }
__attribute__((constructor(102))) static void second(void) { built = built * 10 + 2; }
__attribute__((constructor)) static void third(void) { built = built * 10 + 3; }
static int wants_end;
__attribute__((destructor)) static void destroyed(void) { if (wants_end) write(1, "destructor\n", 11); }
static void at_exit_first(void) { puts("atexit first"); }
static void at_exit_second(void) { puts("atexit second"); atexit(at_exit_first); }
static void ends(void) {
    wants_end = 1;
    printf("constructors %d\n", built);
    atexit(at_exit_first);
    atexit(at_exit_second);
    printf("no newline, flushed by exit");
}

static int compare(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}
static int compare_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static void library(void) {
    static int values[5000];
    unsigned state = 1;
    for (int i = 0; i < 5000; i++) values[i] = (int)((state = state * 1103515245u + 12345u) >> 8);
    qsort(values, 5000, sizeof *values, compare);
    int sorted = 1;
    for (int i = 1; i < 5000; i++) sorted &= values[i - 1] <= values[i];
    int key = values[1234];
    int *found = bsearch(&key, values, 5000, sizeof *values, compare);
    printf("qsort %d bsearch %d\n", sorted, found && *found == key);
    char *words[] = { "pear", "apple", "fig", "banana" };
    qsort(words, 4, sizeof *words, compare_text);
    printf("%s %s %s %s\n", words[0], words[1], words[2], words[3]);
    srand(1);
    int one = rand();
    srand(1);
    printf("rand %d", one == rand());
    printf(" %d\n", rand() >= 0);
    char text[64] = "the quick,brown;fox";
    for (char *word = strtok(text, " ,;"); word; word = strtok(NULL, " ,;")) printf("<%s>", word);
    printf(" %s %zu %d %d\n", strstr("haystack", "st"), strcspn("hello", "l"), strcasecmp("ABC", "abc"), memcmp("a", "b", 1) < 0);
    printf("%s %s %d\n", strerror(ENOENT), strsignal(SIGSEGV), isalpha('x') && !isdigit('x') && toupper('y') == 'Y');
    printf("locale %s", setlocale(LC_ALL, ""));
    wchar_t wide[8];
    printf(" %zu", mbstowcs(wide, "\xc3\xa4\xe2\x82\xac", 8));
    printf(" %d\n", (int)wide[1]);
    char *copy = strdup("copied"), *grown = realloc(copy, 100000);
    memset(grown + 7, 'z', 99993);
    char *zeroed = calloc(1000, 1000), *aligned_memory = aligned_alloc(4096, 8192);
    int clean = 1;
    for (int i = 0; i < 1000000; i += 997) clean &= !zeroed[i];
    printf("%s %d %d\n", grown, clean, (int)((uintptr_t)aligned_memory % 4096));
    free(grown), free(zeroed), free(aligned_memory);
    volatile size_t huge = SIZE_MAX / 2;
    void *volatile none = malloc(huge);
    printf("huge %d\n", none == NULL && errno == ENOMEM);
    FILE *memory = fmemopen(text, sizeof text, "w");
    fprintf(memory, "in memory %d", 3);
    fclose(memory);
    printf("%s\n", text);
}

static void times(void) {
    time_t now = time(NULL);
    struct timespec a, b;
    struct timeval tv;
    clock_gettime(CLOCK_MONOTONIC, &a);
    gettimeofday(&tv, NULL);
    struct timespec nap = { 0, 20000000 };
    nanosleep(&nap, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long slept = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    printf("year %d, same clock %d, slept %d, cpu %d\n", now > 1600000000, labs(now - tv.tv_sec) <= 1, slept >= 20, clock() >= 0);
    time_t fixed = 1000000000;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j %U", gmtime(&fixed));
    struct tm parts = { .tm_year = 124, .tm_mon = 1, .tm_mday = 30 };
    printf("%s %s", text, asctime(gmtime(&fixed)));
    printf("%ld", (long)mktime(&parts));
    printf(" %d-%d\n", parts.tm_mon, parts.tm_mday);
}

static void chance(void) {
    unsigned char one[64] = { 0 }, two[64] = { 0 };
    long n = getrandom(one, sizeof one, 0), m = getentropy(two, sizeof two);
    int set = 0;
    for (unsigned i = 0; i < sizeof one; i++) set += __builtin_popcount(one[i] ^ two[i]);
    printf("getrandom %ld %ld, differ %d\n", n, m, set > 150 && set < 362);
}

static void echo(void) {
    char line[256];
    int lines = 0;
    size_t bytes = 0;
    while (fgets(line, sizeof line, stdin)) {
        if (++lines <= 3) printf("%d: %s", lines, line);
        bytes += strlen(line);
    }
    printf("%d lines, %zu bytes, eof %d, error %d\n", lines, bytes, feof(stdin) != 0, ferror(stdin) != 0);
}

__attribute__((noinline)) static int smash(int size) {
    volatile char buffer[16];
    for (int i = 0; i < size; i++) buffer[i] = 'x';
    return buffer[0];
}
static void streams(void) {
    printf("%d", ftrylockfile(stdout));
    flockfile(stdout);
    putchar_unlocked('u');
    funlockfile(stdout);
    printf(" nested");
    funlockfile(stdout);
    printf(" free %d\n", ftrylockfile(stdin));
    funlockfile(stdin);
    printf("%d\n", getchar());
}
static mtx_t lock;
static int shared;
static int add(void *arg) {
    for (int i = 0; i < 1000; i++) {
        mtx_lock(&lock);
        shared += (int)(intptr_t)arg;
        mtx_unlock(&lock);
        if (i % 100 == 0) printf(""), thrd_yield();
    }
    return shared >= 1000;
}
static void threads(void) {
    thrd_t all[4];
    int result, good = 0;
    mtx_init(&lock, mtx_plain);
    for (int i = 0; i < 4; i++)
        if (thrd_create(&all[i], add, (void *)(intptr_t)(i + 1)) != thrd_success) printf("thrd_create refused\n");
    for (int i = 0; i < 4; i++) good += thrd_join(all[i], &result) == thrd_success && result == 1;
    printf("threads %d, sum %d\n", good, shared);
}

int main(int argc, char **argv, char **envp) {
    const char *part = argc > 1 ? argv[1] : "";
    if (!strcmp(part, "print")) print();
    else if (!strcmp(part, "numbers")) numbers();
    else if (!strcmp(part, "jumps")) jumps();
    else if (!strcmp(part, "tls")) tls();
    else if (!strcmp(part, "ends")) ends();
    else if (!strcmp(part, "library")) library();
    else if (!strcmp(part, "times")) times();
    else if (!strcmp(part, "chance")) chance();
    else if (!strcmp(part, "streams")) streams();
    else if (!strcmp(part, "echo")) echo();
    else if (!strcmp(part, "arguments")) {
        printf("%d", argc - 2);
        for (int i = 2; i < argc; i++) printf(" <%s>", argv[i]);
        printf(" last %d, A <%s>, B <%s>, none %d, environment %d\n", argv[argc] == NULL, getenv("TEST_A"), getenv("TEST_B"),
               getenv("TEST_NONE") == NULL, envp != NULL);
        setenv("TEST_NEW", "new", 1), unsetenv("TEST_A");
        printf("%s %d\n", getenv("TEST_NEW"), getenv("TEST_A") == NULL);
    } else if (!strcmp(part, "status")) return atoi(argv[2]);
    else if (!strcmp(part, "exit")) exit(atoi(argv[2]));
    else if (!strcmp(part, "_exit")) _exit(atoi(argv[2]));
    else if (!strcmp(part, "abort")) abort();
    else if (!strcmp(part, "trap")) __builtin_trap();
    else if (!strcmp(part, "divide")) {
        volatile int dividend = 100, divisor = argc - 2;
        return dividend / divisor;
    }
    else if (!strcmp(part, "null")) return *(volatile char *)NULL;
    else if (!strcmp(part, "smash")) return smash(64);
    else if (!strcmp(part, "threads")) threads();
    else return 99;
    return 0;
}
