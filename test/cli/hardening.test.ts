/**
 * Protection of memory and its randomness, with the whole product in between: what no program may do ends in a fault that is told with
 * names, and two boots of one image differ. The programs: test/guest/hardening.c, for each C library and linked.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';

const hull = resolve('dist/hull');
const root = mkdtempSync(join(tmpdir(), 'hull-hardening-'));
t.teardown(() => rmSync(root, { recursive: true }));
const VARIANTS = ['glibc', 'pie', 'musl', 'linked'] as const;

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(variant: string, ...args: string[]): Promise<Outcome> {
  const env = { ...process.env, HULL_ROOT: root, NODE_EXTRA_CA_CERTS: '' };
  return new Promise((done) => {
    execFile(hull, ['run', resolve(`build/guest/${variant}/hardening`), ...args], { env, timeout: 240_000 }, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }),
    );
  });
}

/** `name` faults or has called what faults, and was called by `caller`. */
const FAULTS: [what: string, line: RegExp, name: string, caller: string][] = [
  ['read-only', /Segmentation fault: write at 0x[0-9a-f]+/, 'write_read_only', 'main'],
  ['text', /Segmentation fault: write at 0x[0-9a-f]+/, 'write_text', 'main'],
  ['data', /Segmentation fault: execute at 0x[0-9a-f]+/, 'call', 'main'],
  ['stack', /Segmentation fault: execute at 0x[0-9a-f]+/, 'call', 'main'],
  ['heap', /Segmentation fault: execute at 0x[0-9a-f]+/, 'call', 'main'],
  ['mapping', /Segmentation fault: execute at 0x[0-9a-f]+/, 'call', 'main'],
  ['null-call', /Segmentation fault: execute at 0x0$/m, 'call_null', 'main'],
  ['null-read', /Segmentation fault: read at 0x0$/m, 'read_null', 'main'],
  ['overflow', /Segmentation fault: write at 0x[0-9a-f]+/, 'overflow_stack', 'overflow_stack'],
];

for (const variant of VARIANTS) {
  t.test(`${variant}: what no program may do`, async (t) => {
    for (const [what, line, name, caller] of FAULTS) {
      const { status, stdout, stderr } = await run(variant, what);
      t.equal(status, 139, `${what}: ${stderr}`);
      t.equal(stdout, '');
      t.match(stderr, line);
      t.match(stderr, new RegExp(`(at|from) ${name}\\+0x[0-9a-f]+`), `${what}: the function has its name`);
      t.match(stderr, new RegExp(`from ${caller}\\+0x[0-9a-f]+`), `${what}: so has its caller`);
      // It lies right before main in memory and ends with a call, so a pointer to main looks like a return to it.
      t.notMatch(stderr, /from smash_stack/, `${what}: a pointer to a function is no caller`);
    }
    if (variant === 'musl') return; // docs/bugs.md, "An abort that only sleeps"
    const smash = await run(variant, 'smash');
    t.equal(smash.status, variant === 'glibc' || variant === 'pie' ? 134 : 139, `a smashed stack: ${smash.stderr}`);
  });

  t.test(`${variant}: two boots differ`, async (t) => {
    const boots = await Promise.all([run(variant), run(variant), run(variant)]);
    const read = (boot: Outcome) => new Map(boot.stdout.trimEnd().split('\n').map((line) => line.split(' ') as [string, string]));
    const found = boots.map(read);
    for (const { status, stderr } of boots) t.equal(status, 0, stderr);
    const moving = ['stack', 'heap', 'canary', 'mapping', 'random', ...(variant === 'pie' || variant === 'linked' ? ['image'] : [])];
    for (const what of moving) {
      const values = new Set(found.map((boot) => boot.get(what)));
      t.equal(values.size, boots.length, `${what}: ${[...values].join(', ')}`);
    }
    for (const boot of found) {
      t.equal(boot.get('random')?.length, 32);
      t.not(boot.get('canary'), '0');
    }
  });
}
