/**
 * Unmodified Debian programs in many small cases (cases/*.sh): run natively in the same root (run-natively) and in one machine, what each case
 * says and its status compared. HULL_PROGRAMS="archive.sh text.sh" runs these files instead of the usual ones, which leave out the long ones.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { makeRoot } from './roots.ts';

const PACKAGES =
  'base-files base-passwd dash bash busybox coreutils findutils grep sed gawk mawk bc jq diffutils patch m4 make tar gzip bzip2 xz-utils zstd rsync git sqlite3 dpkg file openssl perl procps util-linux bsdextrautils time libc-bin hostname'.split(
    ' ',
  );
const FILES = (process.env.HULL_PROGRAMS ?? 'dash.sh busybox.sh make.sh').split(' ');

const here = join(findCheckout(), 'test/programs');
const folder = mkdtempSync(join(tmpdir(), 'hull-programs-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
t.setTimeout(1_800_000);

/** "=== file: name = status" and what follows, up to the next. */
function readCases(output: string): Map<string, string> {
  const cases = new Map<string, string>();
  let name = '';
  for (const line of output.split('\n')) {
    const head = /^=== ([\w.]+: .*) = \d+$/.exec(line);
    if (head) name = head[1] ?? '';
    if (name) cases.set(name, `${cases.get(name) ?? ''}${line}\n`);
  }
  return cases;
}

const made = makeRoot('programs', PACKAGES);
const skip = 'reason' in made ? made.reason : process.getuid?.() === 0 ? false : 'only root may mount what the native runs need';
if (skip !== false) console.error(`programs.test: Debian programs are not run: ${skip}`);

t.test('cases as natively', { skip }, async (t) => {
  if ('reason' in made) return;
  const root = join(folder, 'root');
  execFileSync('cp', ['-al', made.root, root]); // hard links
  cpSync(join(here, 'cases'), join(root, 'suite/cases'), { recursive: true });
  cpSync(join(here, 'run-cases'), join(root, 'suite/run-cases'));
  chmodSync(join(root, 'suite/run-cases'), 0o755);
  const native = spawnSync(join(here, 'run-natively'), [root, '/suite/run-cases', ...FILES], { encoding: 'latin1', input: '', maxBuffer: 1 << 26 });
  t.equal(native.status, 0, `the native run: ${native.stderr}`);
  const guest = await execa(join(findCheckout(), 'dist/hull'), ['run', '-m', '1g', '--rootfs', root, '/suite/run-cases', ...FILES], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') },
    extendEnv: false,
    reject: false,
    input: '',
    timeout: 1_500_000,
    encoding: 'latin1',
  });
  t.equal(guest.exitCode, 0, `the machine's run: ${guest.stderr}`);
  const found = readCases(`${guest.stdout}\n`);
  const expected = readCases(native.stdout);
  t.ok(expected.size > 0, 'there are cases');
  for (const [name, text] of expected) {
    t.equal(found.get(name), text, name);
  }
});
