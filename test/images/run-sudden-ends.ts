/**
 * 200 times kill -9 of build, pull, push, rmi, prune, load and tag, two at a time, with a check of the store after each:
 *   npm run -s build && node tools/run.mjs test/images/run-sudden-ends.ts [COUNT]
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startDockerRegistry } from './docker-registry.ts';
import { killAtRandom } from './sudden-ends.ts';

const hull = resolve('dist/hull');
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path) && spawnSync('bwrap', ['--version']).status === 0);
if (busybox === undefined) process.stdout.write('without build: no bwrap or no busybox here\n');
const count = Number(process.argv[2] ?? 200);
const folder = mkdtempSync(join(tmpdir(), 'hull-sudden-'));
const { host, child } = await startDockerRegistry(folder, 'registry');
try {
  mkdirSync(join(folder, 'tree'));
  for (let i = 0; i < 4; i++) writeFileSync(join(folder, 'tree', `file${i}`), randomBytes(5_000_000));
  const root = join(folder, 'state');
  const name = `${host}/app:1`;
  const archive = join(folder, 'saved.tar');
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, HULL_ROOT: root };
  const run = (command: string, args: readonly string[]) => {
    const { status, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  };
  run('tar', ['-C', join(folder, 'tree'), '-cf', join(folder, 'tree.tar'), '.']);
  run(process.execPath, [hull, 'import', join(folder, 'tree.tar'), name]);
  run(process.execPath, [hull, 'push', name]);
  run(process.execPath, [hull, 'save', '-o', archive, name]);
  const wrong = await killAtRandom({ hull, root, home: folder, registry: host, name, archive, count, busybox });
  process.stdout.write(wrong.length === 0 ? `${count} sudden ends of two commands each: nothing wrong\n` : wrong.join(''));
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
