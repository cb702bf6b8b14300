/**
 * Memory between a machine and its host. Owns: what the host gets back when a program frees much, and what a machine says when it has no more.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, execaSync } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-memory-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };

function build(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(`${path}.c`, source);
  execaSync('musl-gcc', ['-static', '-O1', '-o', path, `${path}.c`]);
  return path;
}

/** KiB that the machine below a hull process has in memory. */
function readResident(hullPid: number): number {
  const children = readFileSync(`/proc/${hullPid}/task/${hullPid}/children`, 'utf8').trim().split(' ');
  return Math.max(0, ...children.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)));
}

t.test('what a program frees goes back to the host', async (t) => {
  const program = build(
    'frees',
    `#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void) {
    size_t size = 200u << 20;
    char line[9], *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, size);
    puts("full"); fflush(stdout); fgets(line, 9, stdin);
    munmap(p, size);
    puts("freed"); fflush(stdout); fgets(line, 9, stdin);
    p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 2, size / 4);
    for (size_t i = 0; i < size; i += 4096) if (p[i] != (i < size / 4 ? 2 : 0)) return 1;
    puts("again");
    return 0;
}`,
  );
  const image = join(folder, 'frees.img');
  execaSync(hull, ['build', '--add', 'balloon', '-o', image, program], { env, extendEnv: false });
  const child = execa(hull, ['run', '--accel', 'tcg', '-m', '320m', image], { env, extendEnv: false, timeout: 600_000, reject: false });
  const waitFor = (word: string) => new Promise<void>((resolve) => {
    const look = (chunk: Buffer) => {
      if (!chunk.toString().includes(word)) return;
      child.stdout.off('data', look);
      resolve();
    };
    child.stdout.on('data', look);
  });
  await waitFor('full');
  const full = readResident(child.pid as number);
  child.stdin.write('\n');
  await waitFor('freed');
  let least = full;
  for (let i = 0; i < 1200 && least > full - 150 * 1024; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    least = Math.min(least, readResident(child.pid as number));
  }
  t.ok(least <= full - 150 * 1024, `${full} KiB with 200 MiB in use, ${least} KiB after they were freed`);
  child.stdin.end('\n');
  const end = await child;
  t.equal(end.stdout, 'full\nfreed\nagain', 'and comes again, zeroed');
  t.equal(end.exitCode, 0);
});

t.test('when the guest has no more: the process with the most ends, with a reason', async (t) => {
  const program = build(
    'exhausts',
    `#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define MIB (1ul << 20)
static char *grow(unsigned mib) {
    char *p = mmap(0, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (unsigned i = 0; i < mib; i++) memset(p + i * MIB, 1, MIB);
    return p;
}
int main(int argc, char **argv) {
    int ready[2], large_status = -1, small_status = -1;
    char c;
    if (argc > 1) { grow(1024); return 0; }
    pipe(ready);
    pid_t large = fork();
    if (!large) { grow(30); write(ready[1], "x", 1); for (;;) pause(); }
    read(ready[0], &c, 1);
    pid_t small = fork();
    if (!small) { char *p = grow(25); for (unsigned i = 0; i < 25 * MIB; i += 4096) if (p[i] != 1) _exit(1); _exit(7); }
    waitpid(small, &small_status, 0);
    waitpid(large, &large_status, 0);
    printf("%d %d\\n", WEXITSTATUS(small_status), WTERMSIG(large_status));
    return 0;
}`,
  );
  const run = (...args: string[]) =>
    execa(hull, ['run', '--accel', 'tcg', '-m', '48m', program, ...args], { env, extendEnv: false, timeout: 600_000, reject: false });
  const several = await run();
  t.equal(several.stdout, '7 9', 'the larger one was killed, though it only slept; the smaller one has its memory');
  t.match(several.stderr, /^hull: out of memory: guest has 4\d MiB, 4\d MiB used; process 2 \(exhausts\), which has 30 MiB, ends; give more with -m$/);
  const alone = await run('all');
  t.equal(alone.exitCode, 137, 'alone: its end is the machine\'s');
  t.match(alone.stderr, /^hull: out of memory: .*; process 1 \(exhausts\), which has 4\d MiB, ends; give more with -m$/);
});
