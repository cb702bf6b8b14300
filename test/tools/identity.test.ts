/** What was built has another name when a byte of it is another: kernels are kept under it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { identifyResults } from '../../tools/build/identity.ts';

t.test('each part counts', (t) => {
  const dist = mkdtempSync(join(tmpdir(), 'hull-identity-'));
  t.teardown(() => rmSync(dist, { recursive: true }));
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(dist, name)), { recursive: true });
    writeFileSync(join(dist, name), text);
  };
  t.equal(identifyResults(dist), undefined, 'nothing was built');
  const parts = ['libos/x86_64/arch.a', 'libos/aarch64/arch.a', 'libos/aarch64/components.json', 'lib/cli-main.js'];
  for (const part of parts) write(part, 'one');
  const before = identifyResults(dist);
  t.match(before, /^[0-9a-f]{16}$/);
  for (const part of parts) {
    write(part, 'two');
    t.not(identifyResults(dist), before, part);
    write(part, 'one');
    t.equal(identifyResults(dist), before, `${part} as it was`);
  }
  t.end();
});
