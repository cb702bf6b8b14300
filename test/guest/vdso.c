// variants: glibc pie musl
/*
 * The vDSO as a program finds it: read the way language runtimes do, without a dynamic loader; its clocks against the system calls'; after fork,
 * and after exec. Prints what a Linux machine prints.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "isa.h"

static const char *base;
static uintptr_t offset;
static const Elf64_Sym *symbols;
static const char *strings;
static const uint16_t *versions;
static const uint32_t *table; /* DT_HASH, or DT_GNU_HASH's count is not needed: all symbols are looked at */
static const Elf64_Verdef *definitions;
static size_t count;

static int find_version(void) {
    for (const Elf64_Verdef *d = definitions; d; d = d->vd_next ? (const void *)((const char *)d + d->vd_next) : NULL) {
        const Elf64_Verdaux *aux = (const void *)((const char *)d + d->vd_aux);
        if (!(d->vd_flags & VER_FLG_BASE) && d->vd_hash == VDSO_HASH && !strcmp(strings + aux->vda_name, VDSO_VERSION)) return d->vd_ndx & 0x7fff;
    }
    return 0;
}

static void *find(const char *name) {
    int version = find_version();
    for (size_t i = 1; i < count; i++) {
        const Elf64_Sym *s = &symbols[i];
        int type = ELF64_ST_TYPE(s->st_info), bind = ELF64_ST_BIND(s->st_info);
        if ((type != STT_FUNC && type != STT_NOTYPE) || (bind != STB_GLOBAL && bind != STB_WEAK) || s->st_shndx == SHN_UNDEF) continue;
        if (!strcmp(strings + s->st_name, name) && (versions[i] & 0x7fff) == version) return (void *)(offset + s->st_value);
    }
    return NULL;
}

static int read_object(void) {
    base = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!base) return 0;
    const Elf64_Ehdr *header = (const void *)base;
    const Elf64_Phdr *program = (const void *)(base + header->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    int loaded = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (program[i].p_type == PT_LOAD && !loaded++) offset = (uintptr_t)base + program[i].p_offset - program[i].p_vaddr;
        if (program[i].p_type == PT_DYNAMIC) dynamic = (const void *)(base + program[i].p_offset);
    }
    if (!loaded || !dynamic || memcmp(header->e_ident, ELFMAG "\2\1", 6) || header->e_type != ET_DYN) return 0;
    for (; dynamic->d_tag; dynamic++) {
        const void *at = (const void *)(offset + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) strings = at;
        if (dynamic->d_tag == DT_SYMTAB) symbols = at;
        if (dynamic->d_tag == DT_HASH) table = at;
        if (dynamic->d_tag == DT_VERSYM) versions = at;
        if (dynamic->d_tag == DT_VERDEF) definitions = at;
    }
    if (!strings || !symbols || !versions || !definitions) return 0;
    if (table) count = table[1];
    else while (symbols + count < (const Elf64_Sym *)strings) count++; /* the symbols end where the strings begin */
    return 1;
}

typedef long (*clock_function)(int, struct timespec *);
static int64_t ns(const struct timespec *t) { return t->tv_sec * 1000000000ll + t->tv_nsec; }

/* Call, function, call: in order, and the last two less than a second apart. */
static void compare(clock_function gettime, int clock) {
    struct timespec a = {0}, b = {0}, c = {0};
    int good = 1;
    long first = 0, result = 0;
    for (int i = 0; i < 2000 && good; i++) {
        first = syscall(SYS_clock_gettime, clock, &a);
        result = gettime(clock, &b);
        syscall(SYS_clock_gettime, clock, &c);
        /* Coarse clocks may stand still; those of the call may be read at another tick. */
        int64_t slack = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? 20000000 : 0;
        if (!result) good = ns(&a) <= ns(&b) + slack && ns(&b) <= ns(&c) + slack && (uint64_t)b.tv_nsec < 1000000000;
    }
    printf("clock %d: call %s, function %ld, %s\n", clock, first ? "fails" : "works", result, good ? "in order" : "out of order");
}

static void show(const char *where) {
    clock_function gettime = find(VDSO "clock_gettime"), getres = find(VDSO "clock_getres");
    int (*gettimeofday_function)(struct timeval *, int *) = find(VDSO "gettimeofday");
    long (*time_function)(long *) = find(VDSO "time");
    long (*getcpu_function)(unsigned *, unsigned *, void *) = find(VDSO "getcpu");
    printf("%s: clock_gettime %d gettimeofday %d time %d getcpu %d clock_getres %d, none %d\n", where, !!gettime, !!gettimeofday_function,
           !!time_function, !!getcpu_function, !!getres, !!find(VDSO "nothing"));
    if (!gettime || !getres || !gettimeofday_function) return;
    for (int clock = 0; clock <= 11; clock++)
        if (clock != 8 && clock != 9 && clock != 10) compare(gettime, clock);
    compare(gettime, 10);
    compare(gettime, 16);
    compare(gettime, -1); /* a clock of descriptor 0 */
    struct timespec t = {0, 0}, resolution;
    long result = getres(CLOCK_MONOTONIC, &resolution);
    printf("clock_getres %ld %s, %ld, null %ld\n", result, resolution.tv_nsec == 1 ? "1 ns" : "other", getres(99, &resolution), getres(0, NULL));
    struct timeval v = {0, 0};
    int zone[2] = {7, 7};
    long now = time(NULL), given = 0;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
    result = gettimeofday_function(&v, zone);
    printf("gettimeofday %ld %d", result, gettimeofday_function(NULL, NULL));
    int64_t apart = (v.tv_sec * 1000000ll + v.tv_usec) - ns(&t) / 1000;
    printf(", %s, zone %d %d\n", apart >= 0 && apart < 1000000 ? "near" : "far", zone[0], zone[1]);
    if (time_function) {
        long told = time_function(&given);
        printf("time %s %s\n", told >= now && told <= now + 2 ? "near" : "far", told == given ? "same" : "differs");
    }
    if (getcpu_function) {
        unsigned cpu = 99, node = 99;
        result = getcpu_function(&cpu, &node, NULL);
        printf("getcpu %ld %s %s\n", result, cpu < 64 ? "cpu" : "none", node < 64 ? "node" : "none");
    }
    struct timespec before, after;
    int back = 0;
    gettime(CLOCK_MONOTONIC, &before);
    for (int i = 0; i < 50000; i++) {
        gettime(CLOCK_MONOTONIC, &after);
        back += ns(&after) < ns(&before);
        before = after;
    }
    printf("steps back %d\n", back);
}

int main(int argc, char **argv) {
    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_object()) {
        printf("none\n");
        return 1;
    }
    if (argc > 1) {
        show("exec");
        return 0;
    }
    show("first");
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        show("fork");
        execl("/proc/self/exe", "vdso", "again", NULL);
        return 3;
    }
    int status;
    waitpid(pid, &status, 0);
    printf("status %d\n", status);
    return 0;
}
