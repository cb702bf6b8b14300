/**
 * Sudden ends: hull killed, its QEMU killed, SIGINT and SIGTERM, each at a random moment of a run. The exit status says what happened, and
 * nothing is left: no process, no socket, no file but complete caches. HULL_TEST_SEED repeats a sequence.
 *
 * hull's processes are known by the HULL_ROOT in their environment, which is this test's own.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { produceAtomically, produceOnce } from '../../engine/state/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { lookUntil, pause } from '../wait.ts';

const ROUNDS = 50;
/** Each n-th round begins without caches. */
const COLD_EVERY = 5;
const WARM_MS = 400;
const COLD_MS = 1600;
/** For machines with much else to do. */
const END_MS = 240_000;

const folder = mkdtempSync(join(tmpdir(), 'hull-interrupts-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const hull = join(findCheckout(), 'dist/hull');
const [temporary, runtime] = ['tmp', 'run'].map((name) => join(folder, name)) as [string, string];
const warm = join(folder, 'warm');
const hello = join(folder, 'hello');
const makeEnv = (root: string): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], HULL_ROOT: root, TMPDIR: temporary, XDG_RUNTIME_DIR: runtime, NODE_EXTRA_CA_CERTS: '' });

/** Numbers in [0, 1), the same for the same seed (xorshift32). */
function createRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Processes that run under `root`, with the names of their programs. */
function findProcesses(root: string): { pid: number; name: string }[] {
  const wanted = `\0HULL_ROOT=${root}\0`;
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      if (!`\0${readFileSync(`/proc/${name}/environ`, 'latin1')}`.includes(wanted)) return [];
      return [{ pid: Number(name), name: basename(readlinkSync(`/proc/${name}/exe`)) }];
    } catch {
      return []; // gone, or a zombie, or not ours
    }
  });
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}

function listTree(at: string): string[] {
  if (!existsSync(at)) return [];
  return (readdirSync(at, { recursive: true }) as string[]).filter((name) => !statSync(join(at, name)).isDirectory());
}

/** What is in `root` beside complete caches. */
const findLitter = (root: string) => listTree(root).filter((name) => !/^cache\/(accel\.json|code\/[0-9a-f]{16}-v[\d.]+-\w+|kernels\/([0-9a-f]{64}\.(img|sym)|seen\/[^/]+))$/.test(name));

const acts = ['kill -9 of hull', 'kill -9 of QEMU', 'SIGINT', 'SIGTERM'] as const;
type Act = (typeof acts)[number];
const STATUS: Record<Act, number> = { 'kill -9 of hull': 137, 'kill -9 of QEMU': 137, SIGINT: 130, SIGTERM: 143 };
const programs: string[][] = [
  ['/bin/busybox', 'sleep', '30'],
  ['/bin/busybox', 'sh', '-c', 'while :; do :; done'],
  ['/bin/busybox', 'cat'],
  [hello],
];

/** Runs `program` and does `act` to it after `delay` ms (to each QEMU that there is from then on). Resolves with the shell's status. */
async function interrupt(root: string, program: readonly string[], act: Act, delay: number): Promise<{ status: number; stderr: string; pid: number }> {
  const child = spawn(hull, ['run', ...program], { env: makeEnv(root), stdio: 'pipe' });
  let stderr = '';
  child.stdout.resume();
  child.stdin.on('error', () => {});
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const deadline = setTimeout(() => child.kill('SIGABRT'), END_MS);
  let hasEnded = false;
  const ended = new Promise<number>((done) => child.on('close', (code, signal) => {
    hasEnded = true;
    clearTimeout(deadline);
    done(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  }));
  await pause(delay);
  if (act === 'kill -9 of QEMU') {
    // One that has answered already (a probe, a question for the version) is not missed: then the next one is killed, too.
    for (; !hasEnded; await pause(5)) {
      for (const { pid, name } of findProcesses(root)) if (name.startsWith('qemu-system')) killIfThere(pid);
    }
  } else child.kill(act === 'kill -9 of hull' ? 'SIGKILL' : act);
  return { status: await ended, stderr, pid: child.pid as number };
}

t.before(async () => {
  for (const path of [temporary, runtime]) mkdirSync(path);
  const source = join(folder, 'hello.c');
  writeFileSync(source, '#include <stdio.h>\nint main(void) { for (;;) puts("hello"); }\n');
  await execa(hull, ['cc', '-O2', source, '-o', hello], { env: makeEnv(warm) });
  await execa(hull, ['run', '/bin/busybox', 'true'], { env: makeEnv(warm) });
});

t.test('any end at any moment leaves nothing and says what happened', async (t) => {
  const seed = Number(process.env['HULL_TEST_SEED'] ?? Date.now() % 2 ** 31);
  t.comment(`HULL_TEST_SEED=${seed}`);
  const random = createRandom(seed);
  const pids = new Set<number>();
  const cold: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const act = acts[round % acts.length] as Act;
    const isCold = round % COLD_EVERY === COLD_EVERY - 1;
    const program = programs[Math.floor(random() * programs.length)] as string[];
    const delay = Math.floor(random() * (isCold ? COLD_MS : WARM_MS));
    const root = isCold ? join(folder, `cold-${round}`) : warm;
    if (isCold) cold.push(root);

    const what = `${round}: ${act} after ${delay} ms, ${program.map((part) => basename(part)).join(' ')}${isCold ? ', without caches' : ''}`;
    const { status, stderr, pid } = await interrupt(root, program, act, delay);
    pids.add(pid);
    t.equal(status, STATUS[act], `${what}: ${stderr}`);
    t.strictSame(await lookUntil(() => findProcesses(root), (left) => left.length === 0, 20), [], `${what}: no process`);
    t.strictSame([...findLitter(root), ...listTree(temporary), ...listTree(runtime)], [], `${what}: no file`);
  }
  // Other tests have theirs there; what a machine was given is named after the process that made it, and never for long.
  const isOurs = (name: string) => pids.has(Number(/^\.hull-(\d+)-/.exec(name)?.[1]));
  t.strictSame(readdirSync('/dev/shm').filter(isOurs), [], 'nothing in shared memory');
  for (const root of cold) {
    const { stdout, exitCode } = await execa(hull, ['run', '/bin/busybox', 'echo', 'ok'], { env: makeEnv(root), reject: false, timeout: END_MS });
    t.strictSame({ stdout, exitCode }, { stdout: 'ok', exitCode: 0 }, 'what a sudden end left of the caches is of use');
  }
});

t.test('a file of a cache has no name before it is complete', async (t) => {
  const path = join(folder, 'once/file');
  let seen: string[] | undefined;
  produceOnce(path, (fd) => {
    writeFileSync(fd, 'half');
    seen = readdirSync(dirname(path));
    writeFileSync(fd, ', whole');
  });
  // Where the file system has no files without names, there is a temporary one, which the next write sweeps.
  if (seen?.length !== 0) t.comment(`no file without a name here: ${seen}`);
  t.ok(seen?.every((name) => /^file\.tmp-\d+-\d+$/.test(name)), `while it is written: ${seen}`);
  t.equal(readFileSync(path, 'utf8'), 'half, whole');
  produceOnce(path, (fd) => writeFileSync(fd, 'other'));
  t.equal(readFileSync(path, 'utf8'), 'half, whole', 'the first one wins');
  produceAtomically(path, (fd) => writeFileSync(fd, 'other'));
  t.equal(readFileSync(path, 'utf8'), 'other');
  for (const produce of [produceOnce, produceAtomically]) {
    t.throws(() => produce(join(folder, 'once/failed'), () => {
      throw new Error('no');
    }), /^no$/);
  }
  t.strictSame(readdirSync(dirname(path)), ['file'], 'nothing is left of a failure');
});

t.test('hull build: a killed writer leaves what the next write removes', async (t) => {
  const output = join(folder, 'built/image');
  mkdirSync(dirname(output));
  const gone = spawn('true');
  await new Promise((done) => gone.on('close', done));
  for (const name of [`image.tmp-${gone.pid}-0`, `image.tmp-${process.pid}-0`, `other.tmp-${gone.pid}-0`]) writeFileSync(join(dirname(output), name), 'half');
  await execa(hull, ['build', '-o', output, '/bin/busybox'], { env: makeEnv(warm) });
  t.strictSame(readdirSync(dirname(output)).sort(), ['image', `image.tmp-${process.pid}-0`, `other.tmp-${gone.pid}-0`].sort(), 'a living writer, and other files, are left alone');
  t.equal((await execa(hull, ['run', '--entrypoint', 'echo', output, 'ok'], { env: makeEnv(warm) })).stdout, 'ok');
});
