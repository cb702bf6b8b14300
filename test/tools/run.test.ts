/** tools/run.mjs keeps what it made of a script, wherever that lies, until the script or a file that it imports changes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';

t.test('a script outside the checkout', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-tools-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const run = () => execFileSync(process.execPath, [resolve('tools/run.mjs'), join(folder, 'script.ts'), 'given'], { encoding: 'utf8' });
  write('part.ts', "export const part: string = 'first';\n");
  write('script.ts', "import { part } from './part.ts';\nconsole.log(part, process.argv.at(-1));\n");
  t.equal(run(), 'first given\n');
  t.equal(run(), 'first given\n', 'again');
  write('part.ts', "export const part: string = 'second';\n");
  t.equal(run(), 'second given\n', 'what it imports changed');
  write('script.ts', "import { part } from './part.ts';\nconsole.log('changed', part);\n");
  t.equal(run(), 'changed second\n', 'it changed');
  t.end();
});
