/** Root images of directories: which changes of a directory are noticed (tools/launch/survey.c), and that an image that was found once is found again without reading the directory here. */
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { findRootImage } from '../../engine/roots/index.ts';
import { surveyDirectory } from '../../engine/roots/survey.ts';
import { findCheckout } from '../boot/guest/build.ts';

const dist = join(findCheckout(), 'dist');
const folder = mkdtempSync(join(tmpdir(), 'hull-roots-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const skip = process.arch !== 'x64' || process.platform !== 'linux' ? 'hull-survey is of x86-64 Linux' : false;

function makeTree(name: string): (...path: string[]) => string {
  const at = (...path: string[]) => join(folder, name, ...path);
  mkdirSync(at('etc/deep/er'), { recursive: true });
  mkdirSync(at('many'));
  for (let i = 0; i < 1500; i++) writeFileSync(at('many', `file${i}`), `${i}`); // more than one call lists
  writeFileSync(at('etc/deep/er/config'), 'first\n');
  writeFileSync(at('etc/other'), '');
  symlinkSync('etc/other', at('link'));
  return at;
}

t.test('every change gives another identity', { skip }, async (t) => {
  const at = makeTree('changes');
  const survey = async () => (await surveyDirectory(dist, at()))?.identity;
  const file = at('etc/deep/er/config');
  /** At the same times, as far as programs can set them. */
  const keepTimes = (action: () => void) => {
    const { atime, mtime } = statSync(file);
    action();
    utimesSync(file, atime, mtime);
  };
  const changes: Readonly<Record<string, () => void>> = {
    'other content of the same size and time': () => keepTimes(() => writeFileSync(file, 'other\n')),
    'another file of the same content and time': () => keepTimes(() => {
      writeFileSync(at('new'), readFileSync(file));
      renameSync(at('new'), file);
    }),
    'the right to execute': () => chmodSync(file, 0o755),
    'a new time': () => utimesSync(file, 1, 1),
    'a file far below': () => writeFileSync(at('etc/deep/er/more'), ''),
    'the last of many': () => writeFileSync(at('many/file1499'), 'x'),
    'a name': () => renameSync(at('many/file7'), at('many/file7b')),
    'two names that changed places': () => {
      renameSync(at('many/file1'), at('x'));
      renameSync(at('many/file2'), at('many/file1'));
      renameSync(at('x'), at('many/file2'));
    },
    'a second name': () => linkSync(file, at('second')),
    'a link to elsewhere': () => {
      unlinkSync(at('link'));
      symlinkSync('etc/deeps', at('link'));
    },
    'an empty directory': () => mkdirSync(at('many/empty')),
    'its rights': () => chmodSync(at('many/empty'), 0o700),
    'its end': () => rmSync(at('many/empty'), { recursive: true }),
    'the rights of the directory itself': () => chmodSync(at(), 0o711),
  };
  const seen = [await survey()];
  t.match(seen[0], /^[0-9a-f]{32}$/);
  for (const [what, change] of Object.entries(changes)) {
    await sleep(20); // a file system's clock may tick every 10 ms
    change();
    const now = await survey();
    t.ok(now !== undefined && !seen.includes(now), what);
    t.equal(await survey(), now, 'no change, the same one');
    seen.push(now);
  }
  readFileSync(file);
  t.equal(await survey(), seen.at(-1), 'reading is no change');
});

t.test('what cannot be surveyed has no answer', async (t) => {
  t.equal(await surveyDirectory(dist, join(folder, 'nothing')), undefined);
  writeFileSync(join(folder, 'file'), '');
  t.equal(await surveyDirectory(dist, join(folder, 'file')), undefined);
  t.equal(await surveyDirectory(join(folder, 'no-product'), folder), undefined);
  const deep = join(folder, 'deep', 'd/'.repeat(300));
  mkdirSync(deep, { recursive: true });
  t.equal(await surveyDirectory(dist, join(folder, 'deep')), undefined);
  const image = await findRootImage({ roots: join(folder, 'deep-roots'), known: join(folder, 'deep-known') }, join(folder, 'deep'), dist);
  t.ok(existsSync(image), 'its image is made all the same');
});

t.test('an image that was found is found again', { skip }, async (t) => {
  const at = makeTree('found');
  const paths = { roots: join(folder, 'roots'), known: join(folder, 'known') };
  const find = () => findRootImage(paths, at(), dist);
  const image = await find();
  t.equal(await find(), image);
  await sleep(3100); // what changed a moment ago could change again at the same time, and is not remembered
  t.equal(await find(), image);
  t.equal(readdirSync(paths.known).length, 1, 'remembered');
  t.equal(await find(), image);
  t.equal(await findRootImage(paths, at()), image, 'as without the survey');
  rmSync(image);
  t.equal(await find(), image, 'a remembered image that is gone is made again');
  t.ok(existsSync(image));
  writeFileSync(at('etc/other'), 'x');
  const changed = await find();
  t.not(basename(changed), basename(image), 'a change is seen');
  t.equal(await find(), changed);
});
