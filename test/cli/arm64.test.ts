// `hull cc --platform linux/arm64` and `hull run`: a C program, its C library and libOS on QEMU's machine `virt`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';

const HULL = resolve('dist/hull');
const root = mkdtempSync(join(tmpdir(), 'hull-arm64-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

const PROGRAM = `
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
static _Thread_local int counted = 40;
static __attribute__((noinline)) int deep(int left, int *where) {
    volatile char room[4096] = {1};
    if (!left) *where = 1;
    return left ? deep(left - 1, where) + room[0] : 0;
}
/* Blocks of all sizes, that grow; pages that are given back and cannot be written any more. */
static void heap(void) {
    enum { BLOCKS = 100 };
    char *all[BLOCKS];
    int right = 0, place;
    for (int i = 0; i < BLOCKS; i++) all[i] = memset(malloc(i * 997 + 1), i, i * 997 + 1);
    for (int i = 0; i < BLOCKS; i++) all[i] = realloc(all[i], i * 1997 + 1);
    for (int i = 0; i < BLOCKS; i++) right += all[i][i * 997] == i;
    for (int i = 0; i < BLOCKS; i++) free(all[i]);
    char *map = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map[5] = 1;
    map[4096 * 100] = 2;
    int sum = map[5] + map[4096 * 100] + map[4096 * 7];
    int kept = mprotect(map, 4096, PROT_READ), gone = munmap(map + 8192, 8192);
    printf("%d %d %d %d %d\\n", right, sum, kept, gone, deep(1000, &place));
    fflush(stdout);
    map[5] = 2;
}
int main(int argc, char **argv) {
    const char *what = argv[1];
    if (!strcmp(what, "fault")) return deep(2, (int *)8);
    if (!strcmp(what, "heap")) heap();
    if (!strcmp(what, "numbers")) {
        volatile long double third = 1, two = 2;
        third /= 3;
        printf("%.30Lf %La %.20Lg %Lf\\n", third, third, sqrtl(two), -third * 0);
        printf("%.17g %a %e %f %d\\n", 0.1, 0.1, 1e308, 123456.789, (int)(two * 21));
        volatile unsigned __int128 wide = 1;
        wide <<= (int)two + 98;
        printf("%llu\\n", (unsigned long long)(wide / 1000000007));
    }
    if (!strcmp(what, "rest")) {
        printf("%d %s %s\\n", argc, argv[2], getenv("NAME"));
        fprintf(stderr, "to stderr\\n");
        printf("%d %d\\n", counted + 2, puts("") < 0);
    }
    return 7;
}
`;
const NUMBERS = `0.333333333333333333333333333333 0x1.5555555555555555555555555555p-2 1.4142135623730950488 -0.000000
0.10000000000000001 0x1.999999999999ap-4 1.000000e+308 123456.789000 42`;

/** Threads that take turns, that share a lock, and one that computes while another does: who computes is interrupted. */
const THREADS = `
#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counted;
static int turn;
static volatile int over;
static _Thread_local volatile char own = 5;
static void *count(void *start) {
    double number = (long)start;
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&lock);
        counted++;
        pthread_mutex_unlock(&lock);
        number += 0.5;
    }
    return (void *)(long)number;
}
static void *take_turns(void *own) {
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&lock);
        while (turn != (long)own) pthread_cond_wait(&changed, &lock);
        turn = !turn;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return 0;
}
static void *end(void *unused) { return over = own == 5 ? 1 : 2, unused; }
int main(void) {
    pthread_t threads[4];
    long sum = 0;
    for (long i = 0; i < 4; i++) pthread_create(threads + i, 0, count, (void *)i);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    for (long i = 0; i < 2; i++) pthread_create(threads + i, 0, take_turns, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    pthread_create(threads, 0, end, 0);
    while (!over) ;
    printf("%ld %ld %d %d %d\\n", counted, sum, turn, own, over);
}
`;

/** What arm64-calls.c prints. */
const CALLS = `arguments 1
registers 0
absent -38
sigaction 0
handled 20
record 1
d8 5
faults 36
child 1
status 10752
thread 1
its pointer 4096
clock 0
time 1
efault -14
directory 1
pipe 0
stat 0
`;

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
const reason = !has('qemu-system-aarch64') && 'no qemu-system-aarch64 here (Debian: qemu-system-arm)';

t.test('a C program for linux/arm64', { skip: reason }, (t) => {
  const env = { ...process.env, HULL_ROOT: join(root, 'state'), NODE_EXTRA_CA_CERTS: '' };
  const hull = (...args: string[]) => spawnSync(HULL, args, { cwd: root, env, encoding: 'utf8', timeout: 240_000 });
  writeFileSync(join(root, 'program.c'), PROGRAM);
  const made = hull('cc', '--platform', 'linux/arm64', '-O2', 'program.c', '-o', 'program');
  t.equal(made.status, 0, made.stderr);

  const numbers = hull('run', 'program', 'numbers');
  t.equal(numbers.stdout.split('\n').slice(0, 2).join('\n'), NUMBERS, 'numbers are printed as on Linux');
  t.equal(numbers.stdout.split('\n')[2], String(BigInt.asUintN(64, (1n << 100n) / 1000000007n)), 'and wide integers divided');
  t.equal(numbers.status, 7);
  t.equal(numbers.stderr, 'hull: using TCG: the image is for linux/arm64\n', 'one line says why it is emulated');

  const rest = hull('run', '--accel', 'tcg', '-e', 'NAME=value', 'program', 'rest', 'of it');
  t.equal(rest.stdout, '3 of it value\n\n42 0\n');
  t.equal(rest.stderr, 'to stderr\n', 'nothing is said when TCG was asked for');
  t.equal(rest.status, 7);

  const fault = hull('run', '--accel', 'tcg', 'program', 'fault');
  t.equal(fault.status, 139);
  t.match(fault.stderr, /Segmentation fault: write at 0x8\nhull: {3}at deep[\s\S]*from deep/, 'a fault names its place and who called it');

  const heap = hull('run', '--accel', 'tcg', 'program', 'heap');
  t.match(heap, { status: 139, stdout: '100 3 0 0 1000\n', stderr: /Segmentation fault: write at 0x\w+5\nhull: {3}at (heap|main)/ }, 'memory comes when it is touched, and a page that is read-only stays so');
  t.match(hull('run', '--accel', 'tcg', '-m', '8m', 'program', 'rest'), { status: 7 }, 'in little memory');

  t.match(hull('run', '--platform', 'linux/amd64', 'program'), { status: 125, stderr: /Cannot run "program" on "linux\/amd64": it is for linux\/arm64/ });

  const id = hull('run', '-d', '--accel', 'tcg', 'program', 'rest', 'alone').stdout.trim();
  t.match(id, /^[0-9a-f]{64}$/, 'detached');
  t.equal(hull('wait', id).stdout, '7\n');
  t.equal(hull('logs', id).stdout, '3 alone (null)\n\n42 0\n');
  t.equal(hull('rm', id).status, 0);

  writeFileSync(join(root, 'lines.c'), '#include <stdio.h>\nint main(void) { char line[99]; while (fgets(line, sizeof line, stdin)) printf("got %s", line); }\n');
  for (const [driver, machine, ...options] of [['virtio-console', 'virt'], ['virtio-console on PCI', 'virt-pci'], ['uart-pl011', 'virt', '--hull-add=uart-pl011']] as const) {
    t.equal(hull('cc', '--platform', 'linux/arm64', ...options, 'lines.c', '-o', 'lines').status, 0);
    const lines = spawnSync(HULL, ['run', '--accel', 'tcg', '--machine', machine, 'lines'], { cwd: root, env, encoding: 'utf8', timeout: 240_000, input: 'a\nb\n' });
    t.match(lines, { status: 0, stdout: 'got a\ngot b\n' }, `input by ${driver}`);
  }

  t.match(hull('run', '--machine', 'q35', 'lines'), { status: 125, stderr: /Cannot run "lines" on machine "q35": it is for linux\/arm64, expected virt or virt-pci/ });

  writeFileSync(join(root, 'Dockerfile'), 'FROM scratch\nCOPY program /\nENV NAME=image\nENTRYPOINT ["/program"]\n');
  const built = hull('build', '--platform', 'linux/arm64', '-t', 'small', '.');
  t.equal(built.status, 0, built.stderr);
  const image = hull('run', '--platform', 'linux/arm64', 'small', 'rest', 'an');
  t.match(image, { status: 7, stdout: '3 an image\n\n42 0\n', stderr: 'hull: using TCG: the image is for linux/arm64\nto stderr\n' });
  t.match(hull('run', '--platform', 'linux/amd64', 'small'), { status: 125, stderr: /the image that is here is for linux\/arm64/ });

  const calls = resolve('test/cli/arm64-calls.c');
  const compiled = spawnSync('clang', ['--target=aarch64-linux-gnu', '-O2', '-ffreestanding', '-fno-stack-protector', '-static', '-nostdlib', '-fuse-ld=lld', '-w', calls, '-o', 'calls'], { cwd: root, encoding: 'utf8' });
  t.equal(compiled.status, 0, compiled.stderr);
  const emulator = ['qemu-aarch64-static', 'qemu-aarch64'].find(has);
  if (emulator !== undefined) t.match(spawnSync(emulator, ['calls'], { cwd: root, encoding: 'utf8', timeout: 60_000 }), { status: 7, stdout: CALLS }, 'what Linux answers');
  t.match(hull('run', '--accel', 'tcg', 'calls'), { status: 7, stdout: CALLS }, 'an unmodified program');
  const traced = hull('run', '--accel', 'tcg', '--trace', 'calls');
  t.match(traced, { status: 7, stdout: CALLS, stderr: /write\(1, .* = \d+\n[\s\S]*exit_group\(7\)[\s\S]*exited with 7/ }, 'the same, traced: calls by their names there');
  for (const line of [/^openat\(AT_FDCWD, "\/", O_RDONLY\|O_DIRECTORY\|O_CLOEXEC\) += \d+$/m, /^pipe2\(\[\d+, \d+\], O_DIRECT\) += 0$/m, /^pipe2\(\[\d+, \d+\], 0\) += 0$/m, /^newfstatat\(AT_FDCWD, "\/", \{st_mode=S_IFDIR\|0\d+, st_size=\d+, ...\}, 0\) += 0$/m]) {
    t.match(traced.stderr, line, 'numbers and layouts are those of its instruction set');
  }

  writeFileSync(join(root, 'threads.c'), THREADS);
  t.equal(hull('cc', '--platform', 'linux/arm64', '-O2', 'threads.c', '-o', 'threads').status, 0);
  t.match(hull('run', '--accel', 'tcg', 'threads'), { status: 0, stdout: '8000 4006 0 5 1\n' }, 'threads of a linked program');

  const kvm = hull('run', '--accel', 'kvm', 'program');
  t.match([kvm.status, kvm.stderr], [125, /Cannot use accelerator "kvm": the image is for AArch64/]);
  t.end();
});
