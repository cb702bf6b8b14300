/** A state of hull's own for a test of instances, and the built hull on it. Owns: that its machines and files go with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';

/** `name`: of the folder. To be called once in a file, before its tests. */
export function makeInstancesRoot(name: string) {
  const folder = mkdtempSync(join(tmpdir(), `hull-${name}-`));
  const hull = join(findCheckout(), 'dist/hull');
  const root = join(folder, 'root');
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: root };
  const call = (...args: string[]) => execa(hull, args, { env, extendEnv: false, reject: false, input: '', timeout: 600_000 });
  const ok = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await call(...args);
    if (exitCode !== 0) throw new Error(`hull ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
    return stdout;
  };
  const inspect = async (instance: string) => JSON.parse(await ok('inspect', '--type', 'container', instance))[0];
  t.teardown(async () => {
    await call('rm', '-f', ...(await call('ps', '-aq')).stdout.split('\n').filter((id) => id !== ''));
    rmSync(folder, { recursive: true });
  });
  return { folder, hull, root, env, call, ok, inspect };
}
