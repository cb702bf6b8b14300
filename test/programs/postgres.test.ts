/**
 * Debian's PostgreSQL 15 with its processes: what postgres/work.sh says natively and in a machine whose data are on a volume; the same data served to
 * clients of this host; the VMM killed under load, and every transaction that was acknowledged found again. HULL_POSTGRES=10: so many kills (else 1).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { runNatively } from '../network/root.ts';
import { findPort } from '../ports.ts';
import { makePostgresRoot } from './postgres/root.ts';

const KILLS = Number(process.env['HULL_POSTGRES'] ?? 1);
const here = join(findCheckout(), 'test/programs');
const hull = join(findCheckout(), 'dist/hull');
const folder = mkdtempSync(join(tmpdir(), 'hull-postgres-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
t.setTimeout(900_000 + KILLS * 300_000);

const made = process.getuid?.() === 0 ? makePostgresRoot(folder) : { reason: 'only root may mount what the native run needs' };
const skip = 'reason' in made ? made.reason : false;
if (skip !== false) console.error(`postgres.test: PostgreSQL is not run: ${skip}`);
const root = 'reason' in made ? '' : made.root;
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };

/** A client of the root's packages, run on this host. */
const runClient = (port: number, program: string, args: readonly string[], input = '') => {
  const [command, before] = runNatively(root, `/usr/lib/postgresql/15/bin/${program}`);
  return execa(command, [...before, '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', ...args], { reject: false, input, timeout: 600_000, env: { PGCONNECT_TIMEOUT: '300' } });
};

interface Server {
  readonly port: number;
  readonly process: ChildProcess;
  said(): string;
  ask(sql: string): Promise<string>;
}

async function serve(): Promise<Server> {
  const port = await findPort();
  const args = ['run', '--stop-signal', 'SIGINT', '--rootfs', root, '-v', 'db:/data', '-p', `127.0.0.1:${port}:5432`, '/suite/serve.sh'];
  const child = spawn(hull, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const server: Server = {
    port,
    process: child,
    said: () => said,
    async ask(sql) {
      const { stdout, stderr, exitCode } = await runClient(port, 'psql', ['-At', '-v', 'ON_ERROR_STOP=1', 'postgres'], sql);
      if (exitCode !== 0) throw new Error(`Cannot ask "${sql}": psql ended with ${exitCode}: ${stdout}${stderr}; the server said: ${said.slice(-3000)}`);
      return stdout;
    },
  };
  for (let i = 0; i < 3000 && child.exitCode === null && !said.includes('ready to accept connections'); i++) await new Promise((done) => setTimeout(done, 100));
  return server;
}

/** The VMM of a hull: its only child. */
const findMachine = (child: ChildProcess) => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());

t.test('as natively, data on a volume', { skip }, async (t) => {
  const native = spawnSync(join(here, 'run-natively'), [root, '/suite/work.sh'], { encoding: 'utf8', timeout: 300_000 });
  const guest = await execa(hull, ['run', '--rootfs', root, '-v', 'db:/data', '/suite/work.sh'], { env, extendEnv: false, reject: false, input: '', timeout: 800_000, stderr: 'inherit' });
  t.match(native.stdout, /start 0[^]*100\/100[^]*start 0[^]*stop at once 0/, 'it works natively');
  t.equal(`${guest.stdout}\n`, native.stdout);
});

const SUMS = `select (select sum(abalance) from pgbench_accounts) = sum(delta), (select sum(tbalance) from pgbench_tellers) = sum(delta),
  (select sum(bbalance) from pgbench_branches) = sum(delta) from pgbench_history`;

t.test('clients of the host; killed under load, and recovered', { skip }, async (t) => {
  let server = await serve();
  t.equal(await server.ask('select count(*) from pgbench_history'), '100', server.said());
  await server.ask('create table kept (n int primary key)');
  const bench = await runClient(server.port, 'pgbench', ['-n', '-S', '-t', '50', '-c', '2', 'postgres']);
  t.match(bench.stdout, /processed: 100\/100/, bench.stderr);

  const acknowledged: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const first = kill * 100_000;
    const [command, before] = runNatively(root, '/usr/lib/postgresql/15/bin/psql');
    const writer = spawn(command, [...before, '-h', '127.0.0.1', '-p', String(server.port), '-U', 'postgres', 'postgres'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let tags = '';
    writer.stdout.on('data', (chunk) => (tags += String(chunk)));
    writer.stdin.on('error', () => {}); // it goes with its server
    for (let n = 0; n < 20_000; n++) writer.stdin.write(`insert into kept values (${first + n});\n`);
    const load = runClient(server.port, 'pgbench', ['-n', '-t', '100000', '-c', '3', 'postgres']);
    const count = () => tags.split('INSERT 0 1\n').length - 1;
    const wanted = 20 + Math.floor(Math.random() * 60);
    for (let i = 0; i < 12_000 && count() < wanted; i++) await new Promise((done) => setTimeout(done, 20));
    const gone = once(server.process, 'exit');
    process.kill(findMachine(server.process), 'SIGKILL');
    await Promise.all([gone, once(writer, 'close'), load]);
    t.ok(count() >= wanted, `${count()} rows acknowledged`);
    for (let n = 0; n < count(); n++) acknowledged.push(first + n);

    server = await serve();
    t.match(server.said(), /automatic recovery in progress[^]*redo done/, `killed after ${count()} rows`);
    const found = new Set((await server.ask('select n from kept')).split('\n').map(Number));
    t.same(acknowledged.filter((n) => !found.has(n)), [], 'every acknowledged row is there');
    t.equal(await server.ask(SUMS), 't|t|t', 'and no transaction is there in part');
  }
  t.equal((await runClient(server.port, 'pg_amcheck', ['--install-missing', 'postgres'])).exitCode, 0, 'tables and indexes are sound');
  const ended = once(server.process, 'exit');
  server.process.kill('SIGTERM');
  t.same(await ended, [0, null], 'SIGTERM of hull is SIGINT of the server: a fast stop');
  t.match(server.said(), /received fast shutdown request[^]*database system is shut down/);
});
