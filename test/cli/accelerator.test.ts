/**
 * The accelerator is tried, not believed: what the first run says and does, what the next one is spared. Works where /dev/kvm runs guests, where it
 * is useless and where there is none, and says which it met. QEMU is started through a script that counts.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';

/** A probe of a useless accelerator may take a second; the rest is for machines with much else to do. */
const PROBE_MS = 1000;
const SLACK_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'hull-accelerator-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const hull = join(findCheckout(), 'dist/hull');
const root = join(folder, 'root');
const cache = join(root, 'cache/accel.json');
const calls = join(folder, 'calls');
const qemu = join(folder, 'qemu');
const hello = join(folder, 'hello');
const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HULL_ROOT: root, HULL_QEMU: qemu, NODE_EXTRA_CA_CERTS: '' };

interface Run {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  /** How QEMU was started: the accelerator each time, or "version". */
  readonly started: string[];
}

async function run(options: string[], more: NodeJS.ProcessEnv = {}): Promise<Run> {
  writeFileSync(calls, '');
  const begin = performance.now();
  const { exitCode, stdout, stderr } = await execa(hull, ['run', ...options, hello], { env: { ...env, ...more }, extendEnv: false, input: '', reject: false, timeout: 240_000 });
  const ms = performance.now() - begin;
  const lines = readFileSync(calls, 'utf8').split('\n').filter((line) => line !== '');
  return { status: exitCode, stdout, stderr, ms, started: lines.map((line) => (line === '--version' ? 'version' : (/-accel (\w+)/.exec(line)?.[1] ?? line))) };
}

t.before(async () => {
  const source = join(folder, 'hello.c');
  writeFileSync(source, '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n');
  await execa(hull, ['cc', '-O2', source, '-o', hello], { env, extendEnv: false });
  writeFileSync(qemu, `#!/bin/sh\necho "$*" >> '${calls}'\ncase "$*" in *"$KILLED"*) [ -n "$KILLED" ] && kill -9 $$;; esac\nexec qemu-system-x86_64 "$@"\n`);
  chmodSync(qemu, 0o755);
});

t.test('tried once, remembered, explained once', async (t) => {
  const { stdout: report } = await execa(hull, ['doctor', '--json'], { env, extendEnv: false, reject: false });
  const kvm = (JSON.parse(report) as { subject: string; state: string; text: string }[]).find(({ subject }) => subject === 'accelerator kvm');
  t.comment(`accelerator kvm: ${kvm?.state}, ${kvm?.text}`);
  t.notOk(existsSync(cache), 'doctor looks anew, and leaves no answer');
  const works = kvm?.state === 'ok';
  const [, reason, took] = /^(.*) \((\d+) ms\)$/.exec(kvm?.text ?? '') ?? [];
  if (!works) t.ok(Number(took) <= PROBE_MS + SLACK_MS, `given up after ${took} ms`);
  const isThere = reason !== 'no /dev/kvm' && reason?.startsWith('/dev/kvm cannot be opened') !== true;

  const first = await run([]);
  t.equal(first.status, 0, first.stderr);
  t.equal(first.stdout, 'hello');
  const used = works ? 'kvm' : 'tcg';
  if (works) t.equal(first.stderr, '', 'KVM works here: nothing to say');
  else t.match(first.stderr, /^hull: using TCG instead of KVM: [^\n]+$/, 'one line says what is used and why');
  if (!works && !isThere) t.ok(first.stderr.endsWith(`: ${reason}`), 'it is what doctor says');
  t.strictSame([...first.started].sort(), ['version', ...(works || isThere ? ['kvm'] : []), ...(works ? [] : ['tcg']), used].sort(), 'each candidate is tried once, then the machine starts');

  const written = statSync(cache).mtimeMs;
  const second = await run([]);
  t.strictSame([second.status, second.stdout, second.stderr], [0, 'hello', ''], 'nothing is said again');
  t.strictSame(second.started, [used], 'QEMU is started for the machine alone');
  t.equal(statSync(cache).mtimeMs, written);
  t.comment(`first run ${first.ms.toFixed(0)} ms, second ${second.ms.toFixed(0)} ms`);
  t.ok(first.ms < second.ms + PROBE_MS + SLACK_MS, 'the first run costs no more than the probes may');

  const forced = await run(['--accel', 'kvm']);
  if (works) t.equal(forced.status, 0, forced.stderr);
  else {
    t.equal(forced.status, 125);
    t.match(forced.stderr, /^hull: Cannot use accelerator "kvm": kvm: .+, expected one that runs a guest \(see hull doctor\)$/);
    t.strictSame(forced.started, [], 'what is known is not tried again');
  }
  const plain = await run(['--accel', 'tcg']);
  t.strictSame([plain.status, plain.stdout, plain.stderr], [0, 'hello', ''], 'a choice needs no explanation');

  utimesSync(qemu, 1, 1);
  const renewed = await run([]);
  t.equal(renewed.stderr, first.stderr === '' ? '' : renewed.stderr.match(/^hull: using TCG instead of KVM: .+$/)?.[0], 'another QEMU is tried anew');
  t.ok(renewed.started.length > 1);
});

t.test('what is no answer is not remembered', async (t) => {
  for (const [what, killed, text] of [
    ['a probe that somebody kills', '-accel tcg', /Cannot probe accelerator "tcg": QEMU was killed by signal 9, expected an answer/],
    ['a question for the version, likewise', '--version', /its version: it was killed by signal 9/],
  ] as const) {
    rmSync(cache, { force: true });
    const lost = await run(['--accel', 'tcg'], { KILLED: killed });
    t.equal(lost.status, 137, `${what}: ${lost.stderr}`);
    t.match(lost.stderr, text, what);
    t.notOk(existsSync(cache), `${what}: nothing is remembered`);
    t.equal((await run(['--accel', 'tcg'])).stdout, 'hello', `${what}: the next run finds its way`);
  }
  for (const content of ['', '{"key":', '[]', '{"key":1,"results":{}}', JSON.stringify({ ...JSON.parse(readFileSync(cache, 'utf8')), key: 'another boot' })]) {
    writeFileSync(cache, content);
    const next = await run([]);
    t.strictSame([next.status, next.stdout], [0, 'hello'], `a cache of ${JSON.stringify(content.slice(0, 20))}: ${next.stderr}`);
    t.ok(next.started.length > 1, 'it is tried again');
  }
});
