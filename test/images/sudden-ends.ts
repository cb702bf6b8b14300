/** kill -9 of pull, push, rmi, prune and load, two at a time, at random moments. Owns: the loop; who calls it says how often, and what is done about what it finds. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

export interface SuddenEnds {
  /** Built hull. */
  readonly hull: string;
  /** HULL_ROOT of the store; `names[0]` is an image in it that a registry has, too. */
  readonly root: string;
  readonly home: string;
  /** HOST:PORT of a registry that takes pushes. */
  readonly registry: string;
  readonly names: readonly string[];
  /** An archive of save. */
  readonly archive: string;
  readonly count: number;
}

/** What `hull image check` said after each kill, where it found an error. */
export async function killAtRandom({ hull, root, home, registry, names, archive, count }: SuddenEnds): Promise<string[]> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, HULL_ROOT: root };
  const run = (args: readonly string[]) => spawnSync(process.execPath, [hull, ...args], { env, encoding: 'utf8' });
  const name = names[0] as string;
  const verbs: readonly (readonly string[])[] = [
    ['pull', name],
    ['push', name],
    ['rmi', '-f', name],
    ['image', 'prune', '-a'],
    ['load', '-i', archive],
    ['tag', name, `${registry}/other:1`],
  ];
  const wrong: string[] = [];
  for (let i = 0; i < count; i++) {
    const started: ChildProcess[] = [0, 1].map((j) => spawn(process.execPath, [hull, ...(verbs[(i * 2 + j * (1 + (i % 5))) % verbs.length] as string[])], { env, stdio: 'ignore' }));
    await new Promise((next) => setTimeout(next, 40 + Math.random() * 400));
    await Promise.all(
      started.map(
        (child) =>
          new Promise<void>((done) => {
            if (child.exitCode !== null || child.signalCode !== null) return done();
            child.on('exit', () => done());
            child.kill('SIGKILL');
          }),
      ),
    );
    const check = run(['image', 'check']);
    if (check.status !== 0) wrong.push(`after ${i}: ${check.stdout}${check.stderr}`);
  }
  run(['pull', name]);
  const pruned = run(['image', 'prune', '-a']);
  if (pruned.status !== 0) wrong.push(`prune: ${pruned.stderr}`);
  const last = run(['image', 'check']);
  if (!/^0 images, 0 blobs, 0B: nothing wrong\n$/.test(last.stdout)) wrong.push(`at the end, in ${join(root, 'images')}: ${last.stdout}`);
  return wrong;
}
