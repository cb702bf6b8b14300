/**
 * Instances under random commands, with sudden ends of QEMU, of commands and of the engine, and a look at what is left. Owns: the actions, and what reality is: processes, listening ports, sockets, taps and
 * files, and logs whose lines have numbers. Rules: a seed makes the same choices (not the same times); a command may fail where another was quicker, but only in words that an engine has for that.
 */
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { execa } from 'execa';
import { findCheckout } from '../boot/guest/build.ts';
import { pause as sleep } from '../wait.ts';
import { makeEngine, type RunningEngine } from './harness.ts';

export interface ChaosOptions {
  /** Empty; everything happens in it. */
  readonly folder: string;
  readonly seconds: number;
  readonly instances: number;
  readonly seed: number;
}

export interface ChaosReport {
  /** How often each action was taken. */
  readonly actions: Readonly<Record<string, number>>;
  /** What commands and the engine said when they refused, without names. */
  readonly refusals: Readonly<Record<string, number>>;
  /** What is not as it should be: none in a good run. */
  readonly problems: readonly string[];
  readonly checkedRuns: number;
}

const WORKERS = 6;
const NETWORK = 'chaosnet';
const VOLUME = 'chaosvol';
const IMAGE = 'chaos:1';
/** Answers that another one's command explains. */
const EXPECTED = /No such container|is not running|is already (paused|in use)|is not paused|container is (running|paused)|cannot start a paused|cannot kill container|Conflict\.|being used|No such exec|already exists|is paused|its machine to answer|virtual machine monitor/;
/** What `end` may not find at once: a switch leaves half a second after its last member, a machine when its guest is done. Much more than that, for machines with much else to do. */
const GRACE_MS = 120_000;

/** mulberry32: the same numbers for the same seed. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Process {
  readonly pid: number;
  readonly cwd: string;
  readonly command: string;
}

/** Processes whose environment names the root: hull's and what hull started. */
function findProcesses(root: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`HULL_ROOT=${root}`)) return [];
        return [{ pid: Number(pid), cwd: readlinkSync(`/proc/${pid}/cwd`), command: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').slice(0, 120) }];
      } catch {
        return []; // it ended
      }
    });
}

/** Ports of this host on which the processes listen (proc(5), net/tcp: state 0A). */
function findPorts(pids: readonly number[]): Map<number, number> {
  const inodes = new Map<string, number>();
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[3] === '0A') inodes.set(fields[9] as string, Number.parseInt(fields[1]?.split(':')[1] as string, 16));
  }
  const ports = new Map<number, number>();
  for (const pid of pids) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const port = inodes.get(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '');
        if (port !== undefined) ports.set(port, pid);
      }
    } catch {
      // it ended
    }
  }
  return ports;
}

const listTaps = () => readdirSync('/sys/class/net').sort().join(' ');

export function listAll(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...listAll(path)] : [path];
  });
}

interface State {
  readonly status: string;
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly startedAt: string;
  readonly logStart: number;
  readonly ports: readonly { readonly host: number }[];
}

export async function runChaos({ folder, seconds, instances, seed }: ChaosOptions): Promise<ChaosReport> {
  const random = makeRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const harness = makeEngine(folder);
  const { hull, root, env } = harness;
  const actions: Record<string, number> = {};
  const refusals: Record<string, number> = {};
  const problems: string[] = [];
  const count = (record: Record<string, number>, name: string) => {
    record[name] = (record[name] ?? 0) + 1;
  };
  const interfaces = listTaps();

  const refuse = (where: string, text: string) => {
    const plain = `${where}: ${text.trim().replaceAll(/[0-9a-f]{12,64}/g, 'ID').replaceAll(/\bbox\d+\b/g, 'NAME')}`;
    count(refusals, plain);
    if (!EXPECTED.test(text)) problems.push(`unexpected answer: ${plain}`);
  };

  /** A command, perhaps killed at a random moment of it. */
  const call = async (args: readonly string[], mayBeKilled = true): Promise<string> => {
    const isKilled = mayBeKilled && random() < 0.25;
    const child = execa(hull, args, { env, extendEnv: false, reject: false, stdin: 'ignore', timeout: 300_000 });
    if (isKilled) setTimeout(() => child.kill('SIGKILL'), random() * 700);
    const { exitCode, signal, stderr, stdout } = await child;
    if (isKilled) count(actions, 'a command killed');
    if (signal !== undefined && signal !== 'SIGKILL') problems.push(`hull ${args.join(' ')}: ended by ${signal}`);
    // A run in the foreground has its program's status.
    if (exitCode !== undefined && exitCode !== 0 && stderr !== '' && args[1] !== '--rm') refuse(`hull ${args[0]}`, stderr);
    return stdout;
  };
  const ok = async (...args: string[]): Promise<string> => (await execa(hull, args, { env, extendEnv: false, stdin: 'ignore', timeout: 300_000 })).stdout;

  /** A request; the engine may end amid it. */
  const ask = async (method: string, path: string, body?: unknown): Promise<void> => {
    try {
      const { status, body: text } = await harness.ask(method, path, body, AbortSignal.timeout(300_000));
      if (status >= 400) refuse(`${method} ${path.replace(/\/box\d+/, '/NAME').replace(/\?.*/, '')} ${status}`, (JSON.parse(text) as { message: string }).message);
    } catch (error) {
      if (!['ECONNRESET', 'ECONNREFUSED', 'ENOENT', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) problems.push(`${method} ${path}: ${(error as Error).message}`);
    }
  };

  // What there is: one program, by its path and as an image.
  const program = join(folder, 'talk');
  execFileSync('musl-gcc', ['-static', '-O1', '-o', program, join(findCheckout(), 'test/engine/talk.c')]);
  const archive = join(folder, 'talk.tar');
  execFileSync('tar', ['cf', archive, '-C', folder, 'talk']);
  let engine: RunningEngine = await harness.start();
  await harness.ask('POST', '/images/create?fromSrc=-&repo=chaos&tag=1', readFileSync(archive));
  await ok('network', 'create', NETWORK);

  // No hexadecimal digits alone: where the name is gone, that would be the beginning of others' ids.
  const names = Array.from({ length: instances }, (_, i) => `box${i}`);
  const numberOf = (name: string) => Number(name.slice('box'.length));
  const isNetworked = (name: string) => numberOf(name) % 3 === 1;
  const isPublished = (name: string) => numberOf(name) % 3 === 2;
  const isFromImage = (name: string) => numberOf(name) % 2 === 1;
  const mode = () => (random() < 0.6 ? ['stay'] : ['end', String(1 + Math.floor(random() * 100)), String(Math.floor(random() * 30))]);

  const create = async (name: string) => {
    if (random() < 0.5) {
      const options = ['-m', '16m', ...(isNetworked(name) ? ['--network', NETWORK] : []), ...(isPublished(name) ? ['-p', '127.0.0.1::80'] : []), ...(random() < 0.3 ? ['-v', `${VOLUME}:/data`] : [])];
      await call(['run', '-d', '--name', name, ...(random() < 0.1 ? ['--rm'] : []), ...options, ...(isFromImage(name) ? [IMAGE, '/talk'] : [program]), ...mode()]);
      return;
    }
    await ask('POST', `/containers/create?name=${name}`, {
      Image: IMAGE,
      Cmd: ['/talk', ...mode()],
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        Memory: 16 << 20,
        NetworkMode: isNetworked(name) ? NETWORK : 'default',
        PortBindings: isPublished(name) ? { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } : {},
        RestartPolicy: random() < 0.3 ? { Name: 'on-failure', MaximumRetryCount: 3 } : {},
      },
    });
    await ask('POST', `/containers/${name}/start`);
  };

  const stateOf = (name: string): { id: string; state: State } | undefined => {
    try {
      const id = readlinkSync(join(root, 'instances/.names', name));
      return { id, state: JSON.parse(readFileSync(join(root, 'instances', id, 'state.json'), 'utf8')) as State };
    } catch {
      return undefined;
    }
  };
  /** Runs that may have ended by force, whatever they had just said: an instance's id and its start. */
  const hurt = new Set<string>();
  const runOf = ({ id, state }: { readonly id: string; readonly state: Pick<State, 'startedAt'> }) => `${id} ${state.startedAt}`;
  const noteHurt = (name: string) => {
    const found = stateOf(name);
    if (found !== undefined) hurt.add(runOf(found));
  };
  /** The run that there is before or after it: commands of others may start another one meanwhile. */
  const hurting = async (name: string, work: () => Promise<unknown>) => {
    noteHurt(name);
    await work();
    noteHurt(name);
  };

  const ACTIONS: Readonly<Record<string, { readonly weight: number; run(name: string): Promise<void> }>> = {
    create: { weight: 8, run: create },
    start: { weight: 8, run: async (name) => void (random() < 0.5 ? await call(['start', name]) : await ask('POST', `/containers/${name}/start`)) },
    stop: { weight: 4, run: async (name) => void (random() < 0.5 ? await call(['stop', '-t', '20', name]) : await ask('POST', `/containers/${name}/stop?t=20`)) },
    restart: { weight: 2, run: async (name) => void (random() < 0.5 ? await call(['restart', '-t', '20', name]) : await ask('POST', `/containers/${name}/restart?t=20`)) },
    kill: { weight: 2, run: (name) => hurting(name, () => (random() < 0.5 ? call(['kill', name]) : ask('POST', `/containers/${name}/kill`))) },
    term: { weight: 2, run: async (name) => void (random() < 0.5 ? await call(['kill', '-s', 'TERM', name]) : await ask('POST', `/containers/${name}/kill?signal=TERM`)) },
    pause: { weight: 2, run: async (name) => {
      await (random() < 0.5 ? call(['pause', name]) : ask('POST', `/containers/${name}/pause`));
      await (random() < 0.5 ? call(['unpause', name]) : ask('POST', `/containers/${name}/unpause`));
    } },
    remove: { weight: 2, run: async (name) => void (random() < 0.5 ? await call(['rm', '-f', name]) : await ask('DELETE', `/containers/${name}?force=1`)) },
    look: { weight: 4, run: async (name) => void (random() < 0.5 ? await call([...pick([['logs'], ['inspect', '--type', 'container'], ['port']]), name]) : await ask('GET', `/containers/${name}/json`)) },
    list: { weight: 2, run: async () => void (random() < 0.5 ? await call(['ps', '-a']) : await ask('GET', '/containers/json?all=1')) },
    foreground: { weight: 1, run: async () => void (await call(['run', '--rm', '-m', '16m', program, 'end', '0', '3'])) },
    'QEMU killed': { weight: 3, run: async (name) => {
      const found = stateOf(name);
      if (found === undefined || found.state.pid === 0) return;
      hurt.add(runOf(found));
      try {
        if (readlinkSync(`/proc/${found.state.pid}/cwd`) === join(root, 'instances', found.id)) process.kill(found.state.pid, 'SIGKILL');
      } catch {
        // it ended
      }
    } },
  };
  const deck = Object.entries(ACTIONS).flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));

  let until = Date.now() + seconds * 1000;
  const unmade = [...names];
  const work = async () => {
    for (let name = unmade.pop(); name !== undefined; name = unmade.pop()) await create(name);
    // On a slow machine there is time for actions, too.
    until = Math.max(until, Date.now() + (seconds * 1000) / 3);
    while (Date.now() < until) {
      const action = pick(deck);
      count(actions, action);
      await ACTIONS[action]?.run(pick(names));
    }
  };
  const tormentEngine = async () => {
    while (Date.now() < until) {
      await sleep(1000 + random() * 8000);
      const isSudden = random() < 0.7;
      count(actions, isSudden ? 'the engine killed' : 'the engine ended');
      await engine.end(isSudden ? 'SIGKILL' : 'SIGTERM');
      for (const line of engine.said().split('\n')) if (/(Type|Reference|Range|Syntax)Error|\n\s+at /.test(line)) problems.push(`the engine said: ${line}`);
      engine = await harness.start();
    }
  };
  await Promise.all([tormentEngine(), ...Array.from({ length: WORKERS }, work)]);
  await engine.end();

  // Reality. What is on its way to its end gets there.
  const listRunning = () => names.flatMap((name) => {
    const found = stateOf(name);
    return found !== undefined && found.state.pid !== 0 ? [{ name, ...found }] : [];
  });
  const findOrphans = async () => {
    await ok('ps', '-a');
    const running = listRunning();
    const allowed = new Set(running.map(({ state }) => state.pid));
    const isSwitch = ({ command }: Process) => command.includes('network serve');
    return findProcesses(root).filter((each) => !allowed.has(each.pid) && !(isSwitch(each) && running.some(({ name }) => isNetworked(name))));
  };
  let orphans = await findOrphans();
  for (const deadline = Date.now() + GRACE_MS; orphans.length > 0 && Date.now() < deadline; orphans = await findOrphans()) await sleep(200);
  for (const { pid, command, cwd } of orphans) problems.push(`process ${pid} (${command}) in ${cwd} belongs to nothing`);

  const listed = (await ok('ps', '-a', '--no-trunc', '--format', '{{.Names}} {{.State}} {{.ID}}')).split('\n').filter((line) => line !== '');
  for (const id of readdirSync(join(root, 'instances')).filter((name) => !name.startsWith('.'))) {
    if (!listed.some((line) => line.endsWith(id))) problems.push(`instance ${id} has a folder and is not listed`);
  }
  const alive = new Map(findProcesses(root).map((each) => [each.pid, each]));
  const running = listRunning();
  for (const { name, id, state } of running) {
    if (alive.get(state.pid)?.cwd === join(root, 'instances', id)) continue;
    // It may have ended meanwhile, which the next look notes.
    await ok('ps', '-a');
    if (stateOf(name)?.state.pid === state.pid) problems.push(`${name} is ${state.status} with process ${state.pid}, which is not its machine`);
  }
  const ports = findPorts([...alive.keys()]);
  const wanted = new Map(running.flatMap(({ name, state }) => state.ports.map(({ host }) => [host, { name, pid: state.pid, status: state.status }] as const)));
  for (const [port, pid] of ports) if (!wanted.has(port)) problems.push(`port ${port} is listened on by ${pid} (${alive.get(pid)?.command}) for nothing`);
  for (const [port, { name, pid, status }] of wanted) {
    if (!ports.has(port)) {
      // It may have ended between the two looks.
      await ok('ps', '-a');
      if (stateOf(name)?.state.pid === pid) problems.push(`port ${port} of ${name} is listened on by nobody`);
    } else if (status === 'running') {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(60_000) }).then((response) => response.text(), (error: Error) => error.message);
      // It may have ended meanwhile.
      if (answer !== 'hello\n' && stateOf(name)?.state.pid !== 0 && (await ok('ps', '-q', '-f', `name=^${name}$`, '-f', 'status=running')) !== '') problems.push(`${name} answers on port ${port}: ${answer}`);
    }
  }
  // Another test may have one for a while.
  for (const deadline = Date.now() + GRACE_MS; listTaps() !== interfaces && Date.now() < deadline; ) await sleep(200);
  if (listTaps() !== interfaces) problems.push(`network interfaces were ${interfaces}, and are ${listTaps()}`);

  // Those that run end when they are asked to, or by themselves.
  for (const { name, state } of running) {
    if (state.status === 'paused') await ok('unpause', name).catch((error: Error) => problems.push(error.message));
  }
  const left = running.map(({ name }) => name);
  if (left.length > 0) await ok('stop', '-t', '60', ...left).catch((error: Error) => problems.push(error.message));

  // Logs: each run's lines from the first on without a gap, and a status that goes with them.
  let checkedRuns = 0;
  for (const name of names) {
    await ok('ps', '-a');
    const found = stateOf(name);
    if (found === undefined || found.state.startedAt === '') continue;
    const { id, state } = found;
    if (state.status !== 'exited') problems.push(`${name} is ${state.status} after a stop: ${JSON.stringify(state)}`);
    const text = await ok('logs', name);
    const runs = text.split('begin\n').slice(1);
    if (text !== '' && !text.startsWith('begin')) problems.push(`${name}: its log begins with ${JSON.stringify(text.slice(0, 60))}`);
    for (const run of runs) {
      checkedRuns++;
      const lines = run.split('\n');
      const other = lines.findIndex((line, i) => line !== `line ${i}`);
      const last = other < 0 ? lines.length : other;
      const rest = lines.slice(last).join('\n');
      // A killed machine's last line may be cut.
      if (!/^(end \d+\n?|term\n?|)$/.test(rest) && !`line ${last}`.startsWith(rest)) problems.push(`${name}: after ${last} lines its log goes on with ${JSON.stringify(rest.slice(0, 60))}`);
    }
    // One that was asked to end before its program began has said nothing: the last lines are those of a run before.
    const hasBegun = readFileSync(join(root, 'instances', id, 'output')).subarray(state.logStart).includes('begin');
    const end = hasBegun ? /(?:end (\d+)|(term))\n?$/.exec(runs.at(-1) ?? '') : null;
    const expected = end === null ? 137 : end[2] === undefined ? Number(end[1]) : 3;
    // 128: a start that failed, 143: asked to end before it was there.
    const isKnown = state.exitCode === expected || (hurt.has(runOf({ id, state })) && state.exitCode === 137) || (state.exitCode === 128 && state.error !== '') || (end === null && state.exitCode === 143);
    if (!isKnown) problems.push(`${name} has status ${state.exitCode} ("${state.error}"), and its log ends with ${JSON.stringify(text.slice(-40))}`);
  }

  // Everything goes.
  await harness.removeAll();
  await ok('ps', '-a');
  for (const deadline = Date.now() + GRACE_MS; findProcesses(root).length > 0 && Date.now() < deadline; ) await sleep(200);
  for (const { pid, command } of findProcesses(root)) problems.push(`process ${pid} (${command}) is there after all was removed`);
  await ok('network', 'rm', NETWORK).catch((error: Error) => problems.push(error.message));
  await ok('volume', 'rm', '-f', VOLUME).catch((error: Error) => problems.push(error.message));
  const isKept = (path: string) => path.startsWith(join(root, 'cache')) || path.startsWith(join(root, 'images')) || /^\/(events\.jsonl(\.1)?|volumes|(networks|instances)(\/\.lock)?|instances\/\.names)$/.test(path.slice(root.length));
  for (const path of [...listAll(root), ...listAll(join(folder, 'tmp'))]) {
    if (/\.tmp-\d+-\d+$/.test(path)) problems.push(`temporary file ${path} is left`);
    else if (path.startsWith(root) ? !isKept(path) : !/^\/hull-\d+$/.test(path.slice(folder.length + 4))) problems.push(`${path} is left (${statSync(path, { throwIfNoEntry: false })?.isSocket() === true ? 'a socket' : 'a file'})`);
  }
  try {
    statSync(harness.socket);
    problems.push('the engine’s socket is there after its end');
  } catch {
    // as it should be
  }
  writeFileSync(join(folder, 'report.json'), JSON.stringify({ seed, actions, refusals, problems }, null, 2));
  return { actions, refusals, problems, checkedRuns };
}
