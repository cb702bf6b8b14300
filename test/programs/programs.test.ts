/**
 * Unmodified Debian programs in many small cases, natively and in a machine (compare.ts): tools (cases/*.sh) and Node.js (node/*.js). HULL_PROGRAMS="archive.sh text.sh"
 * and HULL_NODE="crypto.js npm.sh" run these instead of the usual ones, which leave out the long ones; an empty value runs none.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runBoth } from './compare.ts';
import { makeNodeRoot, makeRoot } from './roots.ts';

const TOOLS =
  'base-files base-passwd dash bash busybox coreutils findutils grep sed gawk mawk bc jq diffutils patch m4 make tar gzip bzip2 xz-utils zstd rsync git sqlite3 dpkg file openssl perl procps util-linux bsdextrautils time libc-bin hostname'.split(
    ' ',
  );
const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
t.setTimeout(1_800_000);

async function compare(t: Test, made: string, suite: Record<string, string>, names: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hull-programs-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { native, guest } = await runBoth({ made, folder, suite, arguments: names, memory: '1g', deadline: 1_500_000 });
  t.equal(native.status, 0, `the native run: ${native.stderr}`);
  t.equal(guest.status, 0, `the machine's run: ${guest.stderr}`);
  t.ok(native.cases.size > 0, 'there are cases');
  for (const [name, text] of native.cases) t.equal(guest.cases.get(name), text, name);
}

const node = words(process.env.HULL_NODE ?? 'language.js workers.js net.js');
const project = ['images', 'tsconfig.json', 'node_modules/typescript', 'node_modules/@types/node', 'node_modules/undici-types'];
for (const { title, make, suite, names } of [
  {
    title: 'tools',
    make: () => makeRoot('programs', TOOLS),
    suite: { 'run-cases': 'test/programs/run-cases', cases: 'test/programs/cases' },
    names: words(process.env.HULL_PROGRAMS ?? 'dash.sh busybox.sh make.sh'),
  },
  {
    title: 'Node.js',
    make: () => makeNodeRoot(node.includes('npm.sh')),
    suite: {
      'run-node': 'test/programs/run-node',
      node: 'test/programs/node',
      ...(node.includes('tsc.sh') ? Object.fromEntries(project.map((path) => [`project/${path}`, path])) : {}),
    },
    names: node,
  },
]) {
  if (names.length === 0) continue;
  const made = make();
  const skip = 'reason' in made ? made.reason : process.getuid?.() === 0 ? false : 'only root may mount what the native runs need';
  if (skip !== false) console.error(`programs.test: ${title}: Debian's programs are not run: ${skip}`);
  t.test(`${title}: as natively`, { skip }, async (t) => {
    if ('root' in made) await compare(t, made.root, suite, names);
  });
}
