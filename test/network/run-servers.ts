/**
 * All servers of docs/programs.md, each in a machine of its own and checked by clients on this host; with --least also the least memory with which that works, by halving. Prints the
 * table. Run by `node tools/run.mjs test/network/run-servers.ts [--least] [NAME...]`: some minutes, an hour with --least. The exit status is 1 where a server fails.
 * Owns: the servers that take a root of their own (Node.js, Go, Java, PostgreSQL, PHP, BIND).
 */
import { ok, strictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findLeast, renderTable } from '../../bench/machine.ts';
import { makeGo } from '../programs/go.ts';
import { makePostgresRoot } from '../programs/postgres/root.ts';
import { makeRoot } from '../programs/roots.ts';
import { runNatively } from './root.ts';
import { GO, NODE, type ServerCase, SERVERS } from './servers.ts';
import { download, env, exchange, hull, post, retry, serve, skip, startBehind } from './serving.ts';

const GUEST = resolve('test/network/guest');
const scratch = mkdtempSync(join(tmpdir(), 'hull-run-servers-'));
/** How long a server may take to its first answer. */
const PATIENCE = 240_000;

function takeRoot(made: { root: string } | { reason: string }): string {
  if ('reason' in made) throw new Error(made.reason);
  return made.root;
}


/** What only the caller of a name pays for: a root, an executable, a database. */
const LAZY: readonly { readonly name: string; make(): ServerCase }[] = [
  { name: 'Node.js', make: () => ({ ...NODE, options: ['--rootfs', takeRoot(makeRoot('node-server', ['base-files', 'dash', 'nodejs']))] }) },
  {
    name: 'Go',
    make() {
      const go = makeGo();
      if ('reason' in go) throw new Error(go.reason);
      go.build(join(GUEST, 'server.go'), join(scratch, 'go-root/server'), 'amd64', join(scratch, 'go'));
      return { ...GO, command: ['/server'], options: ['--rootfs', join(scratch, 'go-root')] };
    },
  },
  {
    name: 'Java',
    make() {
      const root = takeRoot(makeRoot('java-server', ['openjdk-17-jdk-headless', 'base-files', 'dash']));
      const classes = join(scratch, 'classes');
      const jdk = 'usr/lib/jvm/java-17-openjdk-amd64';
      mkdirSync(classes);
      const [command, before] = runNatively(root, `${jdk}/bin/javac`);
      execFileSync(command, [...before, '-d', classes, 'test/programs/java/Server.java'], { stdio: ['ignore', 'inherit', 'inherit'] });
      return {
        name: 'Java',
        package: 'openjdk-17-jdk-headless',
        port: '8080',
        command: [`/${jdk}/bin/java`, '-cp', '/out', 'Server'],
        options: ['--rootfs', root, '-v', `${classes}:/out:ro`],
        works: 'com.sun.net.httpserver: GET, a megabyte by POST, 40 requests at once; more in `test/programs/java.test.ts`',
        async check({ port }) {
          const body = Buffer.alloc(1_000_000, 'hull ');
          strictEqual(await download(port, '/a?b=c'), 'GET /a?b=c 0\n');
          strictEqual(await post(port, '/', body), `POST / 1000000\n${body}`);
          const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => download(port, `/${i}`)));
          for (const [i, answer] of answers.entries()) strictEqual(answer, `GET /${i} 0\n`);
        },
      };
    },
  },
  {
    name: 'PostgreSQL',
    make() {
      const root = takeRoot(makePostgresRoot(scratch));
      const initdb = 'chown postgres: /data; setpriv --reuid postgres --regid postgres --init-groups /usr/lib/postgresql/15/bin/initdb -D /data/db -A trust; echo host all all all trust >> /data/db/pg_hba.conf';
      execFileSync(hull, ['run', '--rootfs', root, '-v', 'db:/data', '/bin/sh', '-c', initdb], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      const client = (port: number, program: string, args: readonly string[]) => {
        const [command, before] = runNatively(root, `/usr/lib/postgresql/15/bin/${program}`);
        return execFileSync(command, [...before, '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', ...args, 'postgres'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE });
      };
      return {
        name: 'PostgreSQL',
        package: 'postgresql-15',
        port: '5432',
        command: ['/suite/serve.sh'],
        options: ['--stop-signal', 'SIGINT', '--rootfs', root, '-v', 'db:/data'],
        works: 'psql, pgbench -i and pgbench with 4 clients; more in `test/programs/postgres.test.ts`',
        async check({ port }) {
          strictEqual(client(port, 'psql', ['-At', '-c', 'select 6 * 7']), '42\n');
          client(port, 'pgbench', ['-q', '-i']);
          strictEqual(/processed: (\S+)/.exec(client(port, 'pgbench', ['-n', '-t', '25', '-c', '4']))?.[1], '100/100');
        },
      };
    },
  },
  {
    name: 'PHP',
    make() {
      const pages = join(scratch, 'pages');
      mkdirSync(pages, { recursive: true });
      writeFileSync(join(pages, 'index.php'), '<?php echo 6 * 7, " ", preg_replace("/(l+)/", "<$1>", "hello"), " ", (int) (opcache_get_status() !== false), "\\n";');
      return {
        name: 'PHP',
        package: 'php8.2-cli, php8.2-opcache',
        port: '8080',
        command: ['/usr/bin/php8.2', '-d', 'zend_extension=opcache', '-d', 'opcache.enable_cli=1', '-S', '0.0.0.0:8080', '-t', '/pages'],
        options: ['--rootfs', takeRoot(makeRoot('php-server', ['php8.2-cli', 'php8.2-opcache'])), '-v', `${pages}:/pages:ro`],
        works: 'pages with opcache, whose memory is MAP_32BIT, and regular expressions',
        async check({ port }) {
          for (let n = 0; n < 20; n++) strictEqual(await download(port, '/'), '42 he<ll>o 1\n');
        },
      };
    },
  },
  {
    name: 'BIND',
    make() {
      const settings = join(scratch, 'named');
      mkdirSync(settings, { recursive: true });
      writeFileSync(join(settings, 'zone'), '$TTL 60\n@ SOA ns.hull.example. root.hull.example. 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\nword TXT "of the zone"\n');
      writeFileSync(join(settings, 'named.conf'), 'options { directory "/tmp"; recursion no; pid-file none; };\ncontrols {};\nzone "hull.example" { type primary; file "/named/zone"; };\n');
      const root = takeRoot(makeRoot('named', ['bind9', 'base-passwd']));
      return {
        name: 'BIND',
        package: 'bind9',
        port: '53',
        // As another user than root it binds port 53 by a capability that it keeps.
        command: ['/usr/sbin/named', '-g', '-u', 'www-data', '-c', '/named/named.conf'],
        options: ['--rootfs', root, '-v', `${settings}:/named:ro`],
        works: 'as another user, DNS over TCP: a zone of its own',
        async check({ port }) {
          const question = Buffer.from('0007010000010000000000000477 6f72640468756c6c076578616d706c650000100001'.replaceAll(' ', ''), 'hex');
          const length = Buffer.alloc(2);
          length.writeUInt16BE(question.length);
          ok((await exchange(port, `${length.toString('latin1')}${question.toString('latin1')}`, /of the zone/)).length > question.length);
        },
      };
    },
  },
];

/** One machine of that much memory, checked twice; the error's text, or undefined. */
async function tryServer(server: ServerCase, memory?: number): Promise<string | undefined> {
  const behind = await startBehind();
  const [program, ...args] = server.command;
  const size = memory === undefined ? [] : ['-m', `${memory}k`];
  const running = await serve(server.port, program, args, ['-v', `${GUEST}:/srv:ro`, '-e', `BEHIND=${behind.port}`, ...(server.options ?? []), ...size]);
  try {
    await retry(running, () => server.check(running), memory === undefined ? PATIENCE : PATIENCE / 4);
    await server.check(running);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await running.stop();
    behind.close();
  }
}

async function main(): Promise<number> {
  const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('-'));
  const isLeast = process.argv.includes('--least');
  if (skip !== false) throw new Error(`Cannot run the servers: ${skip}, expected Debian's packages`);
  const rows = [['server', 'package', 'command', 'what works', 'least memory, MiB']];
  let failed = 0;
  for (const { name, make } of [...SERVERS.map((server) => ({ name: server.name, make: () => server })), ...LAZY]) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const begun = performance.now();
    const server = make();
    const error = await tryServer(server);
    const least = isLeast && error === undefined ? await findLeast(1024, 512 << 10, 512, async (kib) => (await tryServer(server, kib)) === undefined) : undefined;
    process.stderr.write(`${name}: ${error ?? 'works'}${least === undefined ? '' : `, from ${least / 1024} MiB on`} (${((performance.now() - begun) / 1000).toFixed(0)} s)\n`);
    if (error !== undefined) failed++;
    rows.push([name, server.package, server.command.join(' ').replaceAll('\n', '\\n'), error === undefined ? server.works : 'nothing', least === undefined ? '-' : String(least / 1024)]);
  }
  process.stdout.write(renderTable(rows));
  return failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
