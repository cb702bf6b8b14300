/**
 * Twenty clients at once against two instances, through one engine: `node tools/run.mjs test/engine/run-clients.ts [SECONDS] [CLIENTS] [SEED]` (20 seconds, 20 clients). The first instance only answers, so each
 * answer must be the right one to the byte; the second is paused, stopped and started meanwhile, so a request may be refused there, but only in words that say so. Prints what was done; exit status 1 when an
 * answer was wrong, and what is wrong with it.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { makeBox, makeEngine } from './harness.ts';

const seconds = Number(process.argv[2] ?? 20);
const clients = Number(process.argv[3] ?? 20);
let seed = Number(process.argv[4] ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'hull-clients-'));
const { hull, socket, env, ask, start, removeAll } = makeEngine(folder);

const STEADY = 'steady';
const MOVED = 'moved';
const REFUSED = /is not running|is paused|is already paused|is not paused|cannot start a paused|its machine to answer|No such exec/;
/** A process whose machine was stopped under it. */
const KILLED = 137;

const random = () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return seed / 2 ** 31;
};
const counts: Record<string, number> = {};
const problems: string[] = [];
const count = (name: string) => {
  counts[name] = (counts[name] ?? 0) + 1;
};

function askBytes(method: string, path: string, body?: Buffer): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const made = request({ socketPath: socket, method, path, headers: body === undefined ? {} : { 'Content-Type': 'application/x-tar' } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) }));
    });
    made.on('error', reject);
    made.end(body);
  });
}

/** A connection that is taken over: all that comes on it, taken apart into stdout and stderr. */
function hijack(path: string, input: Buffer): Promise<{ stdout: Buffer; stderr: Buffer; head: string }> {
  return new Promise((resolve, reject) => {
    const body = '{"Detach":false,"Tty":false}';
    const connection = connect({ path: socket, allowHalfOpen: true }, () => {
      connection.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      connection.end(input);
    });
    const parts: Buffer[] = [];
    connection.on('data', (part: Buffer) => parts.push(part));
    connection.on('error', reject);
    connection.on('end', () => {
      const all = Buffer.concat(parts);
      const at = all.indexOf('\r\n\r\n');
      const head = all.subarray(0, at).toString();
      const streams: Record<number, Buffer[]> = { 1: [], 2: [] };
      let rest = all.subarray(at + 4);
      while (head.includes(' 101 ') && rest.length >= 8) {
        const size = rest.readUInt32BE(4);
        streams[rest[0] as number]?.push(rest.subarray(8, 8 + size));
        rest = rest.subarray(8 + size);
      }
      resolve({ stdout: Buffer.concat(streams[1] as Buffer[]), stderr: Buffer.concat(streams[2] as Buffer[]), head: head.includes(' 101 ') ? head : all.toString() });
    });
  });
}

async function exec(name: string, args: readonly string[], input: Buffer, wanted: { stdout: Buffer; stderr: string; code: number }): Promise<void> {
  const made = await ask('POST', `/containers/${name}/exec`, { Cmd: args, AttachStdin: true, AttachStdout: true, AttachStderr: true });
  if (made.status !== 201) return void refuse(name, 'exec create', made.status, made.body);
  const id = JSON.parse(made.body).Id as string;
  const said = await hijack(`/exec/${id}/start`, input);
  const state = JSON.parse((await ask('GET', `/exec/${id}/json`)).body) as { ExitCode: number | null; message?: string };
  const isRight = said.stdout.equals(wanted.stdout) && said.stderr.toString() === wanted.stderr && state.ExitCode === wanted.code;
  if (isRight) return count(`${name} exec`);
  if (name === MOVED && (state.ExitCode === KILLED || REFUSED.test(said.stdout.toString()) || REFUSED.test(said.head))) return count(`${name} exec, stopped under it`);
  problems.push(`${name}: exec ${args.join(' ').slice(0, 100)}: code ${state.ExitCode}, ${said.stdout.length} bytes of ${wanted.stdout.length}: ${said.stdout.toString().slice(0, 200)}|${said.stderr.toString().slice(0, 200)}|${said.head.slice(0, 300)}`);
}

function refuse(name: string, what: string, status: number, body: string): void {
  if (name === MOVED && status === 409 && REFUSED.test(body)) count(`${name} ${what}, refused`);
  else problems.push(`${name}: ${what}: ${status} ${body.slice(0, 300)}`);
}

const verbs: Record<string, (name: string, mark: string) => Promise<void>> = {
  echo: (name, mark) => exec(name, ['sh', '-c', `echo ${mark}; echo e${mark} >&2; exit 7`], Buffer.alloc(0), { stdout: Buffer.from(`${mark}\n`), stderr: `e${mark}\n`, code: 7 }),
  async cat(name) {
    const bytes = randomBytes(1 + Math.floor(random() * 50_000));
    await exec(name, ['cat'], bytes, { stdout: bytes, stderr: '', code: 0 });
  },
  missing: (name, mark) => exec(name, ['sh', '-c', `no-${mark}`], Buffer.alloc(0), { stdout: Buffer.alloc(0), stderr: `sh: no-${mark}: not found\n`, code: 127 }),
  async stats(name) {
    const { status, body } = await ask('GET', `/containers/${name}/stats?stream=false`);
    if (status !== 200) return refuse(name, 'stats', status, body);
    const { name: said, memory_stats: memory } = JSON.parse(body);
    if (said !== `/${name}` || (name === STEADY && !(memory.usage > 0))) problems.push(`${name}: stats ${body.slice(0, 300)}`);
    count(`${name} stats`);
  },
  async top(name) {
    const { status, body } = await ask('GET', `/containers/${name}/top`);
    if (status !== 200) return refuse(name, 'top', status, body);
    const { Titles, Processes } = JSON.parse(body) as { Titles: string[]; Processes: string[][] };
    if (Processes.length === 0 || !Processes.every((row) => row.length === Titles.length)) problems.push(`${name}: top ${body.slice(0, 300)}`);
    count(`${name} top`);
  },
  async copy(name, mark) {
    const bytes = randomBytes(1 + Math.floor(random() * 100_000));
    const place = mkdtempSync(join(folder, 'copy-'));
    try {
      execFileSync('sh', ['-c', 'cat > "$1/$2" && tar cf "$1.tar" -C "$1" "$2"', 'sh', place, mark], { input: bytes });
      const put = await askBytes('PUT', `/containers/${name}/archive?path=/tmp`, readFileSync(`${place}.tar`));
      if (put.status !== 200) return refuse(name, 'copy in', put.status, put.body.toString());
      const got = await askBytes('GET', `/containers/${name}/archive?path=/tmp/${mark}`);
      if (got.status !== 200) return refuse(name, 'copy out', got.status, got.body.toString());
      const back = execFileSync('tar', ['xOf', '-', mark], { input: got.body, maxBuffer: 2 ** 24 });
      if (!back.equals(bytes)) problems.push(`${name}: copy of ${bytes.length} bytes came back with ${back.length}`);
      count(`${name} copy`);
    } finally {
      rmSync(place, { recursive: true });
      rmSync(`${place}.tar`, { force: true });
    }
  },
  async command(name, mark) {
    const { exitCode, stdout, stderr } = await execa(hull, ['exec', name, 'sh', '-c', `echo ${mark}; exit 3`], { env, extendEnv: false, reject: false, stdin: 'ignore', timeout: 300_000 });
    if (exitCode === 3 && stdout === mark && stderr === '') return count(`${name} hull exec`);
    if (name === MOVED && (exitCode === KILLED || REFUSED.test(stderr))) return count(`${name} hull exec, refused`);
    problems.push(`${name}: hull exec: ${exitCode} ${stdout}|${stderr}`);
  },
  async changes(name) {
    const { status, body } = await ask('GET', `/containers/${name}/changes`);
    if (status !== 200) return refuse(name, 'diff', status, body);
    if (!Array.isArray(JSON.parse(body) ?? [])) problems.push(`${name}: diff ${body.slice(0, 100)}`);
    count(`${name} diff`);
  },
};

async function move(): Promise<void> {
  const [verb, status] = ([['pause', 204], ['unpause', 204], ['unpause', 204], ['stop?t=5', 204], ['start', 204], ['start', 204], ['restart?t=5', 204], ['kill?signal=WINCH', 204]] as const)[Math.floor(random() * 8)] as readonly [string, number];
  const answer = await ask('POST', `/containers/${MOVED}/${verb}`);
  if (answer.status === status || answer.status === 304) return count(`${MOVED} ${verb}`);
  refuse(MOVED, verb, answer.status, answer.body);
}

const engine = await start();
console.log(`seed ${seed}, ${seconds} s, ${clients} clients, ${folder}`);
try {
  await execa('sh', ['-c', `"$0" image import - box:1 < "$1" || "$0" import - box:1 < "$1"`, hull, makeBox(folder)], { env, extendEnv: false });
  for (const name of [STEADY, MOVED]) await execa(hull, ['run', '-d', '--name', name, 'box:1', 'sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'], { env, extendEnv: false, stdin: 'ignore' });
  const end = Date.now() + seconds * 1000;
  const names = Object.keys(verbs);
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let turn = 0; Date.now() < end && problems.length < 20; turn++) {
        if (client === 0) {
          await move();
          await new Promise((resolve) => setTimeout(resolve, random() * 800));
          continue;
        }
        const verb = names[Math.floor(random() * names.length)] as string;
        const name = random() < 0.6 ? STEADY : MOVED;
        try {
          await (verbs[verb] as (typeof verbs)[string])(name, `m${client}x${turn}`);
        } catch (error) {
          problems.push(`${name}: ${verb}: ${String(error).slice(0, 400)}`);
        }
      }
    }),
  );
  await ask('POST', `/containers/${MOVED}/unpause`);
  await ask('POST', `/containers/${MOVED}/start`);
  for (const name of [STEADY, MOVED]) await (verbs['echo'] as (typeof verbs)[string])(name, 'after');
} finally {
  await removeAll();
  await engine.end();
}
for (const [name, times] of Object.entries(counts).sort()) console.log(`${String(times).padStart(6)}  ${name}`);
console.log(`${problems.length} problems`);
for (const problem of problems) console.log(`  ${problem}`);
if (engine.said().split('\n').some((line) => /Error|at /.test(line))) console.log(engine.said().slice(0, 3000));
rmSync(folder, { recursive: true, force: true });
process.exit(problems.length === 0 ? 0 : 1);
