/*
 * Images under Xen 4.17, which runs inside QEMU with Debian's kernel as dom0 (dom0.ts): folders of `hull export --format xl`, started by xl itself. All domains run in one start of that host, which
 * takes most of the time. Skipped, with the reason, where Debian's packages cannot be had.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { createRecordDecoder, decodeBootModule, decodeWaitStatus, encodeBootModule, FLAG, MODULE, RECORD } from '../../boot/index.ts';
import { makeDomainName } from '../../boot/xen/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { makeDom0, runInDom0 } from './dom0.ts';

t.setTimeout(900_000);

const folder = mkdtempSync(join(tmpdir(), 'hull-xen-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const hull = async (...args: string[]) => {
  const { exitCode, stdout, stderr } = await execa(join(findCheckout(), 'dist/hull'), args, { env, extendEnv: false, reject: false, cwd: folder, input: '', timeout: 240_000 });
  return { exitCode, stdout, stderr };
};
const mustRun = async (...args: string[]) => {
  const done = await hull(...args);
  if (done.exitCode !== 0) throw new Error(`hull ${args.join(' ')}: ${done.stderr}`);
  return done;
};

t.test('names of domains', async (t) => {
  t.equal(makeDomainName('docker.io/library/redis:7'), 'docker.io-library-redis-7');
  t.equal(makeDomainName('12'), 'hull-12', 'a number would be an identifier');
  t.equal(makeDomainName('"'), 'hull', 'nothing is left');
});

const made = makeDom0();

const COMMANDS = 'echo "from $(cat /etc/motd)"; busybox md5sum /bin/busybox; busybox id -u; busybox sleep 1; echo written > /tmp/x; cat /tmp/x';
const WAITING = 'trap "echo asked to end; exit 5" TERM; echo waiting; while :; do busybox sleep 1; done';

async function makeGuests(): Promise<void> {
  writeFileSync(join(folder, 'hello.c'), '#include <stdio.h>\nint main(int argc, char **argv) { printf("hello %s\\n", argc > 1 ? argv[1] : "nobody"); return 7; }\n');
  await mustRun('cc', '-Os', '-s', '--hull-add=xen-console', '-o', 'hello', 'hello.c');
  const shell = join(folder, 'shell');
  mkdirSync(shell);
  for (const name of ['busybox', 'sh', 'cat']) copyFileSync('/bin/busybox', join(shell, name));
  writeFileSync(join(shell, 'motd'), 'a file\n');
  writeFileSync(join(shell, 'Dockerfile'), 'FROM scratch\nCOPY busybox sh cat /bin/\nCOPY motd /etc/\nUSER 5\nENTRYPOINT ["/bin/sh", "-c"]\n');
  await mustRun('build', '-q', '-t', 'shell', shell);
  await mustRun('export', '--format', 'xl', '-o', 'plain', 'hello', 'xen');
  await mustRun('export', '--format', 'xl', '-o', 'files', 'shell', COMMANDS);
  await mustRun('export', '--format', 'xl', '-o', 'stopped', 'shell', WAITING);
  await mustRun('export', '--format', 'xl', '-o', 'destroyed', 'shell', WAITING);
  // As hull itself would start it: with records on the channel.
  await mustRun('export', '--format', 'xl', '-o', 'framed', 'hello', 'framed');
  const { records = [] } = decodeBootModule(readFileSync(join(folder, 'framed/module'))) ?? {};
  const argv = records.find(({ type }) => type === MODULE.ARGV)?.payload.toString().split('\0').slice(0, -1) ?? [];
  writeFileSync(join(folder, 'framed/module'), encodeBootModule({ flags: FLAG.FRAMED, argv, env: [], entropy: new Uint8Array(32), realtime: 0n }));
}

const DOMAINS = ['plain', 'framed', 'files', 'stopped', 'destroyed'] as const;
const SCRIPT = `
log() { echo /var/log/xen/console/guest-$1.log; }
for name in ${DOMAINS.join(' ')}; do (cd /guests/$name && xl create -q xl.cfg) || echo "cannot create $name"; done
until grep -q waiting $(log stopped) && grep -q waiting $(log destroyed); do sleep 1; done
xl shutdown -w stopped > /dev/null; echo "shutdown: $?"
xl destroy destroyed; echo "destroy: $?"
while xl domid plain || xl domid framed || xl domid files; do sleep 1; done > /dev/null 2>&1
# The last that a domain said is read a moment after its end.
n=0; until [ -s $(log plain) ] && [ -s $(log framed) ] && grep -q written $(log files) && grep -q asked $(log stopped) || [ $n = 60 ]; do sleep 1; n=$((n + 1)); done
echo "domains: $(xl list | tail -n +2 | cut -d ' ' -f 1)."
for name in ${DOMAINS.join(' ')}; do echo "log $name: $(hexdump -v -e '/1 "%02x"' $(log $name))."; done
`;

t.test('domains of Xen', { skip: 'reason' in made ? made.reason : false }, async (t) => {
  if ('reason' in made) return;
  await makeGuests();
  const files = DOMAINS.flatMap((name) => ['kernel', 'module', 'xl.cfg'].map((file) => [`/guests/${name}/${file}`, { file: join(folder, name, file) }] as const));
  const output = await runInDom0(made, { files, script: SCRIPT, memory: { host: 2048, dom0: 512 }, seconds: 600 });
  const find = (pattern: RegExp) => pattern.exec(output)?.[1];
  const logOf = (name: string) => Buffer.from(find(new RegExp(`^log ${name}: ([0-9a-f]*)\\.$`, 'm')) ?? '', 'hex');
  t.match(output, /^dom0: done$/m, 'the script came to its end') || t.comment(output.slice(-5000));
  t.notMatch(output, /cannot create/);

  t.same(readFileSync(join(folder, 'plain/kernel')), readFileSync(join(folder, 'hello')), 'the kernel is the file that QEMU boots');
  const { stdout, exitCode } = await hull('run', 'hello', 'xen');
  t.equal(exitCode, 7);
  t.equal(`${logOf('plain')}`.trimEnd(), stdout, 'hello, as under QEMU');

  const said: string[] = [];
  let status: ReturnType<typeof decodeWaitStatus> | undefined;
  const decoder = createRecordDecoder({
    record: (type, payload) => {
      if (type === RECORD.EXIT) status = decodeWaitStatus(payload.readUInt32LE(0));
      else said.push(`${payload}`);
    },
    raw: (bytes) => said.push(`outside of records: ${bytes}`),
  });
  decoder.push(logOf('framed'));
  decoder.end();
  t.equal(said.join(''), 'hello framed\n', 'records');
  t.same(status, { code: 7 }, 'the exit status');

  t.equal(`${logOf('files')}`.trimEnd(), (await hull('run', 'shell', COMMANDS)).stdout, 'a root file system, as under QEMU');
  t.equal(find(/^shutdown: (.*)$/m), '0', 'xl shutdown');
  t.equal(`${logOf('stopped')}`, 'waiting\nasked to end\n', 'is SIGTERM, and the program ends as it likes');
  t.equal(find(/^destroy: (.*)$/m), '0', 'xl destroy');
  t.equal(`${logOf('destroyed')}`, 'waiting\n');
  t.equal(find(/^domains: (.*)\.$/m), 'Domain-0', 'nothing is left');
});
