/**
 * kill -9 of build, pull, push, rmi, prune, load and tag, two at a time, at random moments. Owns: the loop, and what must hold after each: the store is whole, and no process or mount
 * of what was killed is left; at the end no temporary file either. Who calls it says how often, and what is done about what it finds.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lookUntil, pause } from '../wait.ts';

export interface SuddenEnds {
  /** Built hull. */
  readonly hull: string;
  /** HULL_ROOT of the store; `name` is an image in it that a registry has, too. */
  readonly root: string;
  readonly home: string;
  /** HOST:PORT of a registry that takes pushes. */
  readonly registry: string;
  readonly name: string;
  /** An archive of save. */
  readonly archive: string;
  readonly count: number;
  /** A static busybox: builds take part. */
  readonly busybox?: string | undefined;
}

/** In RUN's command: what finds its processes. */
const MARK = `sudden-${process.pid}-${Math.random().toString(36).slice(2)}`;

/** Processes by what they were started with, but for this one. */
function listProcesses(texts: readonly string[]): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return texts.some((text) => line.includes(text)) ? [`${pid}: ${line}`] : [];
    } catch {
      return []; // it ended
    }
  });
}

const listFiles = (folder: string): string[] => {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
};

/** What was found, a line each. */
export async function killAtRandom({ hull, root, home, registry, name, archive, count, busybox }: SuddenEnds): Promise<string[]> {
  const temporary = join(home, 'sudden-tmp');
  mkdirSync(temporary, { recursive: true });
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, HULL_ROOT: root, TMPDIR: temporary };
  const run = (args: readonly string[]) => spawnSync(process.execPath, [hull, ...args], { env, encoding: 'utf8' });
  const context = join(home, 'sudden-context');
  let builds = 0;
  // Each build is another one: the cache has its first steps and never its last.
  const makeBuild = () => ['build', '-q', '-t', `${registry}/built:1`, '--build-arg', `N=${builds++}`, context];
  if (busybox !== undefined) {
    mkdirSync(context, { recursive: true });
    writeFileSync(join(context, 'busybox'), readFileSync(busybox), { mode: 0o755 });
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\nARG N\nRUN --mount=type=cache,target=/c echo $N >>/c/list && dd if=/dev/urandom of=/data bs=1k count=500 2>/dev/null && sleep 0.2; : ${MARK}\nCOPY busybox /copy\n`,
    );
  }
  const verbs: readonly (() => readonly string[])[] = [
    () => ['pull', name],
    ...(busybox === undefined ? [] : [makeBuild]),
    () => ['push', name],
    () => ['rmi', '-f', name],
    ...(busybox === undefined ? [] : [makeBuild]),
    () => ['image', 'prune', '-a'],
    () => ['load', '-i', archive],
    () => ['tag', name, `${registry}/other:1`],
  ];
  const wrong: string[] = [];
  // Moments are spread over what the longest of them takes here and now.
  const begun = Date.now();
  const first = run(busybox === undefined ? ['pull', name] : makeBuild());
  if (first.status !== 0) wrong.push(`before anything was killed: ${first.stderr}`);
  const longest = Math.max(400, Date.now() - begun);
  for (let i = 0; i < count; i++) {
    const chosen = [0, 1].map((j) => (verbs[(i * 2 + j * (1 + (i % 5))) % verbs.length] as () => readonly string[])());
    const started: ChildProcess[] = chosen.map((args) => spawn(process.execPath, [hull, ...args], { env, stdio: 'ignore' }));
    await pause(40 + Math.random() * longest);
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
    const what = `after ${i} (${chosen.map((args) => args[0]).join(', ')})`;
    const left = await lookUntil(() => listProcesses([MARK, root]), ({ length }) => length === 0);
    for (const line of left) wrong.push(`${what}: a process is left: ${line}\n`);
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) if (line.includes(root)) wrong.push(`${what}: a mount is left: ${line}\n`);
    const check = run(['image', 'check']);
    if (check.status !== 0) wrong.push(`${what}: ${check.stdout}${check.stderr}`);
  }
  run(['pull', name]);
  if (busybox !== undefined) {
    const { status, stderr } = run(makeBuild());
    if (status !== 0) wrong.push(`at the end, build: ${stderr}`);
  }
  const pruned = run(['image', 'prune', '-a']);
  if (pruned.status !== 0) wrong.push(`prune: ${pruned.stderr}`);
  const last = run(['image', 'check']);
  if (!/^0 images, 0 blobs, 0B: nothing wrong\n$/.test(last.stdout)) wrong.push(`at the end, in ${join(root, 'images')}: ${last.stdout}`);
  for (const folder of [temporary, join(root, 'images.state/tmp'), join(root, 'images.state/leases'), join(root, 'images.state/lock'), join(root, 'cache/build/work')]) {
    for (const path of listFiles(folder)) wrong.push(`at the end: "${path}" is left\n`);
  }
  return wrong;
}
