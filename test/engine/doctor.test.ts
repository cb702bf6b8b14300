/** `hull doctor` on a host with another processor: it looks for what runs there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { examineHost } from '../../engine/doctor/index.ts';

t.test('the launcher is the one for this processor', { skip: process.platform !== 'linux' && 'there is no launcher but on Linux' }, async (t) => {
  const dist = mkdtempSync(join(tmpdir(), 'hull-doctor-'));
  const arch = Object.getOwnPropertyDescriptor(process, 'arch') as PropertyDescriptor;
  t.teardown(() => {
    Object.defineProperty(process, 'arch', arch);
    rmSync(dist, { recursive: true });
  });
  mkdirSync(join(dist, 'bin'));
  const env = { PATH: '/nowhere', HOME: dist, HULL_ROOT: join(dist, 'state') };
  for (const [name, isa, other] of [['x64', 'x86_64', 'aarch64'], ['arm64', 'aarch64', 'x86_64']] as const) {
    Object.defineProperty(process, 'arch', { ...arch, value: name });
    writeFileSync(join(dist, 'bin', `hull-launch-${isa}`), '');
    const launcher = async () => (await examineHost({ dist, env }, undefined)).find(({ subject }) => subject === 'launcher');
    t.strictSame(await launcher(), { subject: 'launcher', state: 'ok', text: join(dist, 'bin', `hull-launch-${isa}`) }, name);
    rmSync(join(dist, 'bin', `hull-launch-${isa}`));
    writeFileSync(join(dist, 'bin', `hull-launch-${other}`), '');
    t.match(await launcher(), { state: 'limited', text: /^no launcher/ }, `${name}: another processor's is of no use`);
    rmSync(join(dist, 'bin', `hull-launch-${other}`));
  }
});
