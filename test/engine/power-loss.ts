/**
 * The power fails while state is written. Owns: rounds of it on a file system of its own (ext4 in a loop device): commands and an engine write as fast as they can, the disk is copied as it is at a random
 * moment, which has what was synchronised and nothing that still was in memory, and everybody is killed. Then both must be readable and work on: the copy after its journal was replayed, as after a power
 * cut, and the root itself, as after a kill. Rule: delayed allocation without ext4's repair of renames (noauto_da_alloc), so that what was not synchronised is empty.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { pause as sleep, waitUntil } from '../wait.ts';
import { makeEngine } from './harness.ts';

const SIZE = '96M';
/** Of a round's writing. */
const LONGEST_MS = 20_000;
const OPTIONS = 'loop,noauto_da_alloc,commit=1';

export interface PowerLossOptions {
  /** Empty. */
  readonly folder: string;
  readonly rounds: number;
  say(line: string): void;
}

export interface PowerLossReport {
  readonly problems: readonly string[];
  /** Writes that were acknowledged, over all rounds. */
  readonly writes: number;
  /** Instances that were found after the cuts. */
  readonly found: number;
}

/** Why this machine cannot do it, or false. */
export function cannotMount(folder: string): string | false {
  const image = join(folder, 'probe.img');
  try {
    execFileSync('truncate', ['-s', '8M', image]);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', image], { env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });
    mkdirSync(join(folder, 'probe'));
    execFileSync('mount', ['-o', 'loop', image, join(folder, 'probe')], { stdio: 'pipe' });
    execFileSync('umount', [join(folder, 'probe')]);
    return false;
  } catch (error) {
    return `no loop device can be mounted here: ${(error as Error).message.split('\n')[0]}`;
  }
}

const random = (most: number) => Math.floor(Math.random() * most);

/** A process that was killed just now may still work in it. */
const unmount = (path: string) => waitUntil(`"${path}" is nobody's any more`, () => spawnSync('umount', [path], { stdio: 'ignore' }).status === 0);

function signalAll(pids: Iterable<number>, signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it ended
    }
  }
}

/** Everything that reads state, and a new instance on top; what goes wrong is told. */
async function checkRoot(hull: string, root: string, env: NodeJS.ProcessEnv, note: (problem: string) => void): Promise<number> {
  const call = async (...args: string[]) => {
    const { exitCode, stderr, stdout } = await execa(hull, args, { env: { ...env, HULL_ROOT: root }, extendEnv: false, reject: false, stdin: 'ignore', timeout: 300_000 });
    if (exitCode !== 0) note(`hull ${args.join(' ').slice(0, 60)}: ${stderr.slice(0, 300)}`);
    return stdout.split('\n').filter((line) => line !== '');
  };
  const ids = await call('ps', '-aq', '--no-trunc');
  const folders = readdirSync(join(root, 'instances')).filter((name) => !name.startsWith('.'));
  for (const id of folders) if (!ids.includes(id)) note(`instance ${id} has a folder and is not listed`);
  await call('network', 'ls');
  await call('volume', 'ls');
  await call('images');
  await call('events', '--since', '10h', '--until', '0s');
  await call('create', '--name', 'after', 'box:1', '/x');
  await call('rm', '-f', 'after', ...ids);
  return ids.length;
}

export async function losePower({ folder, rounds, say }: PowerLossOptions): Promise<PowerLossReport> {
  const image = join(folder, 'disk.img');
  const copy = join(folder, 'copy.img');
  const disk = join(folder, 'disk');
  const after = join(folder, 'after');
  for (const each of [disk, after]) mkdirSync(each);
  execFileSync('truncate', ['-s', SIZE, image]);
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-E', 'lazy_itable_init=0', image], { env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });
  execFileSync('mount', ['-o', OPTIONS, image, disk]);
  const problems: string[] = [];
  let writes = 0;
  let found = 0;
  try {
    const harness = makeEngine(disk);
    const { hull, root, env } = harness;
    const archive = join(folder, 'box.tar');
    mkdirSync(join(folder, 'box'));
    execFileSync('tar', ['cf', archive, '-C', folder, 'box']);
    await execa(hull, ['image', 'import', archive, 'box:1'], { env, extendEnv: false });
    execFileSync('sync', ['-f', disk]);

    for (let round = 1; round <= rounds; round++) {
      const note = (where: string) => (problem: string) => void problems.push(`round ${round}, ${where}: ${problem}`);
      const engine = await harness.start();
      let isOver = false;
      const children = new Set<number>();
      const write = async (worker: number) => {
        for (let i = 0; !isOver; i++) {
          const name = `r${round}w${worker}n${i}`;
          const steps: readonly [string, string, unknown?][] = [
            ['POST', `/containers/create?name=${name}`, { Image: 'box:1', Cmd: ['/x'], Labels: { round: String(round) } }],
            ['POST', `/containers/${name}/update`, { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 + random(9) } }],
            ['POST', `/containers/${name}/rename?name=${name}x`],
            ['POST', '/networks/create', { Name: `${name}net` }],
            ['POST', '/volumes/create', { Name: `${name}vol` }],
            ['POST', '/images/box:1/tag?repo=box&tag=other'],
            ['DELETE', `/networks/${name}net`],
            ['DELETE', `/volumes/${name}vol`],
            ['DELETE', `/containers/${name}x`],
          ];
          for (const [method, path, body] of steps.slice(0, random(3) === 0 ? 3 : undefined)) {
            if (isOver) return;
            const answer = await harness.ask(method, path, body).catch(() => undefined);
            if (answer === undefined) return; // killed amid it
            writes++;
            if (answer.status >= 400) note('writing')(`${method} ${path}: ${answer.body}`);
          }
        }
      };
      const command = async () => {
        while (!isOver) {
          const child = execa(hull, ['create', '--name', `r${round}c${random(1e9)}`, 'box:1', '/x'], { env, extendEnv: false, reject: false, stdin: 'ignore' });
          if (child.pid !== undefined) children.add(child.pid);
          await child;
          if (child.pid !== undefined) children.delete(child.pid);
        }
      };
      const work = [write(0), write(1), write(2), command()];
      const enough = writes + 5 + random(40);
      for (const deadline = Date.now() + LONGEST_MS; writes < enough && Date.now() < deadline; ) await sleep(1);
      await sleep(random(40));
      isOver = true;
      signalAll([engine.pid, ...children], 'SIGSTOP');
      execFileSync('cp', ['--sparse=always', image, copy]);
      signalAll(children, 'SIGKILL');
      await engine.end('SIGKILL');
      await Promise.all(work);

      execFileSync('mount', ['-o', 'loop', copy, after]);
      try {
        found += await checkRoot(hull, join(after, 'root'), env, note('after a power cut'));
      } finally {
        await unmount(after);
      }
      await checkRoot(hull, root, env, note('after a kill'));
      for (const kind of ['network', 'volume']) {
        const names = (await execa(hull, [kind, 'ls', '-q'], { env, extendEnv: false })).stdout.split('\n').filter((name) => name !== '');
        if (names.length > 0) await execa(hull, [kind, 'rm', ...names], { env, extendEnv: false, reject: false });
      }
      say(`${round}: ${writes} writes, ${found} instances found, ${problems.length} problems`);
    }
  } finally {
    await unmount(disk);
    rmSync(copy, { force: true });
  }
  return { problems, writes, found };
}
