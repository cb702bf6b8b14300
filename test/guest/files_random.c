/*
 * Random file operations in a directory, from a seed: what each call answers goes into a digest that is printed now and then, and at the end the tree
 * with its contents. On any file system with Linux's rules the output is that of tmpfs.
 * Usage: files_random DIRECTORY SEED STEPS [without-links]
 * variants: musl
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state, digest = 14695981039346656037ull;
static uint32_t any(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}
static void note(const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 1099511628211ull;
}
static void note_number(long number) { note(&number, sizeof number); }
/* What a call answered: its value, or the error. */
static long said(long result) {
    note_number(result < 0 ? -errno : result);
    return result;
}

#define NAMES 7
static const char *any_path(void) {
    static char texts[4][64];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    static const char *const names[NAMES] = { "a", "bb", "ccc", "dir", "sub", "a-longer-name-than-the-others", "z" };
    unsigned depth = any(3);
    text[0] = 0;
    for (unsigned i = 0; i < depth; i++) strcat(strcat(text, i ? names[4] : names[3]), "/");
    strcat(text, names[any(NAMES)]);
    return text;
}

#define FILES 12
static int files[FILES];
static uint8_t buffer[40000];
static void fill(size_t size) {
    uint8_t start = (uint8_t)any(256);
    for (size_t i = 0; i < size; i++) buffer[i] = (uint8_t)(start + i * 7);
}
static off_t size_of(int file) {
    struct stat stat;
    return fstat(file, &stat) ? -1 : stat.st_size;
}

static void note_stat(const struct stat *stat) {
    note_number(stat->st_mode);
    if (S_ISDIR(stat->st_mode)) return; /* sizes and counts of directories are each file system's own */
    note_number(stat->st_size);
    note_number((long)stat->st_nlink);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static void note_directory(const char *path) {
    char *names[64];
    int count = 0;
    DIR *directory = opendir(path);
    if (said(directory ? 0 : -1)) return;
    for (struct dirent *entry; (entry = readdir(directory)) && count < 64;) names[count++] = strdup(entry->d_name);
    closedir(directory);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) {
        note(names[i], strlen(names[i]));
        free(names[i]);
    }
}

/* Through a shared mapping: what is read there is what read says, what is written there is what others read. */
static void use_mapping(int file) {
    off_t size = size_of(file);
    if (size < 1) return;
    uint8_t *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        said(-1);
        return;
    }
    for (unsigned i = any(5); i; i--) {
        size_t at = any((uint32_t)size), length = any(200);
        if (length > (size_t)size - at) length = (size_t)size - at;
        if (any(2)) memset(memory + at, (int)any(256), length);
        else note(memory + at, length);
        ssize_t got = pread(file, buffer, length, (off_t)at);
        if (got >= 0) note(buffer, (size_t)got);
    }
    if (any(2)) said(msync(memory, (size_t)size, any(2) ? MS_SYNC : MS_ASYNC));
    munmap(memory, (size_t)size);
}

static int with_links = 1;
static void step(void) {
    int *file = &files[any(FILES)];
    const char *path = any_path(), *other = any_path();
    struct stat stat;
    size_t size;
    ssize_t got;
    off_t at;
    switch (any(24)) {
    case 0: case 1: case 2: case 3:
        if (*file >= 0) said(close(*file));
        *file = open(path, O_RDWR | (any(3) ? O_CREAT : 0) | (any(8) ? 0 : O_TRUNC) | (any(8) ? 0 : O_EXCL) | (any(6) ? 0 : O_APPEND), 0644);
        said(*file < 0 ? -1 : 0);
        break;
    case 4: case 5: case 6:
        if (*file < 0) break;
        fill(size = any(any(4) ? 300 : sizeof buffer));
        said(pwrite(*file, buffer, size, any(60000)));
        break;
    case 7:
        if (*file < 0) break;
        fill(size = any(5000));
        said(write(*file, buffer, size));
        break;
    case 8: case 9:
        if (*file < 0) break;
        got = said(pread(*file, buffer, any(sizeof buffer), any(60000)));
        if (got > 0) note(buffer, (size_t)got);
        break;
    case 10:
        if (*file < 0) break;
        at = said(lseek(*file, any(3) ? (off_t)any(50000) : 0, any(2) ? SEEK_SET : SEEK_END));
        got = said(read(*file, buffer, any(9000)));
        if (got > 0) note(buffer, (size_t)got);
        (void)at;
        break;
    case 11: said(unlink(path)); break;
    case 12: said(rename(path, other)); break;
    case 13: if (with_links) said(link(path, other)); break;
    case 14: said(mkdir(path, 0755)); break;
    case 15: said(rmdir(path)); break;
    case 16: said(symlink(other, path)); break;
    case 17:
        got = said(readlink(path, (char *)buffer, 100));
        if (got > 0) note(buffer, (size_t)got);
        break;
    case 18: if (*file >= 0) said(ftruncate(*file, any(70000))); break;
    case 19: said(truncate(path, any(70000))); break;
    case 20: if (*file >= 0) use_mapping(*file); break;
    case 21: said(chmod(path, 0600 + any(64))); break;
    case 22:
        if (!said(lstat(path, &stat))) note_stat(&stat);
        if (*file >= 0 && !said(fstat(*file, &stat))) note_stat(&stat);
        break;
    case 23:
        if (any(4)) note_directory(any(2) ? "dir" : ".");
        else if (*file >= 0) said(any(2) ? fsync(*file) : fdatasync(*file));
        break;
    }
}

static void show(const char *path, int depth) {
    char *names[64], below[300];
    int count = 0;
    DIR *directory = opendir(path);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory)) && count < 64;)
        if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
    closedir(directory);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) {
        struct stat stat;
        snprintf(below, sizeof below, "%s/%s", path, names[i]);
        if (lstat(below, &stat)) continue;
        printf("%s %o", below, (unsigned)stat.st_mode);
        if (S_ISREG(stat.st_mode)) {
            digest = 14695981039346656037ull;
            int file = open(below, O_RDONLY);
            for (ssize_t got; (got = read(file, buffer, sizeof buffer)) > 0;) note(buffer, (size_t)got);
            close(file);
            printf(" %ld %ld %016lx", (long)stat.st_size, (long)stat.st_nlink, (unsigned long)digest);
        }
        if (S_ISLNK(stat.st_mode)) {
            ssize_t length = readlink(below, (char *)buffer, 100);
            printf(" -> %.*s", (int)length, (char *)buffer);
        }
        printf("\n");
        if (S_ISDIR(stat.st_mode) && depth) show(below, depth - 1);
        free(names[i]);
    }
}

int main(int count, char **arguments) {
    if (count < 4 || chdir(arguments[1])) {
        fprintf(stderr, "Usage: files_random DIRECTORY SEED STEPS [without-links]\n");
        return 2;
    }
    state = strtoull(arguments[2], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
    long steps = atol(arguments[3]);
    with_links = count < 5;
    umask(022);
    for (int i = 0; i < FILES; i++) files[i] = -1;
    for (long i = 1; i <= steps; i++) {
        step();
        if (i % (steps / 20 ? steps / 20 : 1) == 0) printf("%ld %016lx\n", i, (unsigned long)digest);
    }
    for (int i = 0; i < FILES; i++)
        if (files[i] >= 0) close(files[i]);
    show(".", 5);
    return 0;
}
