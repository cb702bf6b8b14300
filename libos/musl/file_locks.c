/*
 * flockfile(), ftrylockfile(), funlockfile(): the one way for a stream's lock to be taken, and to count from then on, without threads. So they bring the
 * locks that stdio otherwise refers to weakly (tools/build/musl.ts). The work is musl's own.
 */
#define ftrylockfile hull_try_lock_file
#include "../stdio/ftrylockfile.c"
#undef ftrylockfile

int ftrylockfile(FILE *);

int ftrylockfile(FILE *f) {
    __asm__ volatile(".hidden __lockfile\n\t.hidden __unlockfile\n\t" /* declared, for .reloc makes no symbols of its own */
                     ".reloc ., BFD_RELOC_NONE, __lockfile\n\t.reloc ., BFD_RELOC_NONE, __unlockfile");
    return hull_try_lock_file(f);
}
