/*
 * Images under Xen 4.17, which runs inside QEMU with Debian's kernel as dom0 (dom0.ts): folders of `hull export --format xl`, started by xl itself. All domains run in one start of that host, which
 * takes most of the time. Skipped, with the reason, where Debian's packages cannot be had.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { createRecordDecoder, decodeBootModule, decodeWaitStatus, FLAG, MODULE, RECORD } from '../../boot/index.ts';
import { makeDomainName } from '../../boot/xen/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { GUEST_ADDRESS, makeDom0, runInDom0 } from './dom0.ts';
import { makeGuestRoot } from './guest-root.ts';

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
const guests = 'reason' in made ? made : makeGuestRoot();

const COMMANDS = 'echo "from $(cat /etc/motd)"; busybox md5sum /bin/busybox; busybox id -u; busybox sleep 1; echo written > /tmp/x; cat /tmp/x';
/** Reads every file that there is, by blkfront. */
const PYTHON = `
import hashlib, os, sys, time
all = hashlib.sha256()
count = 0
for folder, folders, files in os.walk("/usr"):
    folders.sort()
    for name in sorted(files):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not os.path.islink(path):
            all.update(open(path, "rb").read())
            count += 1
print(count, all.hexdigest(), sys.version, time.time() > 1.7e9)
sys.exit(9)
`;
const WAITING = 'trap "echo asked to end; exit 5" TERM; echo waiting; while :; do busybox sleep 1; done';

async function makeGuests(guestRoot: string): Promise<void> {
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
  await mustRun('export', '--format', 'xl', '-o', 'framed', 'hello', 'framed');
  writeFileSync(join(folder, 'Dockerfile.guests'), 'FROM scratch\nCOPY . /\nLABEL hull.memory=48m\n');
  await mustRun('build', '-q', '-f', 'Dockerfile.guests', '-t', 'guests', guestRoot);
  writeFileSync(join(folder, 'Dockerfile.web'), 'FROM guests\nEXPOSE 80\n');
  await mustRun('build', '-q', '-f', 'Dockerfile.web', '-t', 'web', shell);
  await mustRun('export', '--format', 'xl', '-o', 'python', 'guests', '/usr/bin/python3', '-c', PYTHON);
  await mustRun('export', '--format', 'xl', '-o', 'nginx', 'web', '/usr/sbin/nginx');
  // As hull itself would start them: with records on the channel.
  for (const name of ['framed', 'python', 'nginx']) {
    const path = join(folder, name, 'module');
    const module = readFileSync(path);
    const { flags = 0, records = [] } = decodeBootModule(module) ?? {};
    module.writeUInt32LE(flags | FLAG.FRAMED, 12);
    records.find(({ type }) => type === MODULE.REALTIME)?.payload.fill(0); // the time is Xen's
    writeFileSync(path, module);
  }
}

/** What a domain with records said, and how it ended. */
function readRecords(log: Buffer): { said: string; status: ReturnType<typeof decodeWaitStatus> | undefined } {
  const said: string[] = [];
  let status: ReturnType<typeof decodeWaitStatus> | undefined;
  const decoder = createRecordDecoder({
    record: (type, payload) => {
      if (type === RECORD.EXIT) status = decodeWaitStatus(payload.readUInt32LE(0));
      else said.push(`${payload}`);
    },
    raw: (bytes) => said.push(`outside of records: ${bytes}`),
  });
  decoder.push(log);
  decoder.end();
  return { said: said.join(''), status };
}

const DOMAINS = ['plain', 'framed', 'files', 'stopped', 'destroyed', 'python', 'nginx'] as const;
const SCRIPT = `
log() { echo /var/log/xen/console/guest-$1.log; }
for name in ${DOMAINS.join(' ')}; do (cd /guests/$name && xl create -q xl.cfg) || echo "cannot create $name"; done
soon() { for i in $(seq 60); do "$@" > /dev/null 2>&1 && return; sleep 1; done; echo "in vain: $*"; } # not wget -T, which this busybox dies of
soon timeout 10 wget -q -O /tmp/page http://${GUEST_ADDRESS}/python3.11; echo "page: $(sha256sum < /tmp/page)"
for i in 1 2 3 4; do timeout 60 wget -q -O /tmp/page.$i http://${GUEST_ADDRESS}/python3.11 & done; wait
echo "pages: $(cat /tmp/page.? | sha256sum)"
timeout 30 wget -S -O - http://${GUEST_ADDRESS}/nothing 2>&1 | grep "HTTP/1.1" | head -n 1
timeout 60 xl shutdown -w nginx > /dev/null; echo "nginx: $?"
soon grep -q waiting $(log stopped); soon grep -q waiting $(log destroyed)
xl shutdown -w stopped > /dev/null; echo "shutdown: $?"
xenstore-write /local/domain/$(xl domid destroyed)/control/shutdown suspend # as xl save does
soon grep -q supported $(log destroyed); xl domid destroyed > /dev/null; echo "suspend: $?"
xl destroy destroyed; echo "destroy: $?"
ended() { ! xl domid $1; }
for name in plain framed files python; do soon ended $name; done
# The last that a domain said is read a moment after its end.
n=0; until [ -s $(log plain) ] && [ -s $(log framed) ] && grep -q written $(log files) && grep -q asked $(log stopped) || [ $n = 60 ]; do sleep 1; n=$((n + 1)); done
echo "domains: $(xl list | tail -n +2 | cut -d ' ' -f 1)."
for name in ${DOMAINS.join(' ')}; do echo "log $name: $(hexdump -v -e '/1 "%02x"' $(log $name))."; done
`;

t.test('domains of Xen', { skip: 'reason' in guests ? guests.reason : false }, async (t) => {
  if ('reason' in made || 'reason' in guests) return;
  await makeGuests(guests.root);
  const files = DOMAINS.flatMap((name) => readdirSync(join(folder, name)).map((file) => [`/guests/${name}/${file}`, { file: join(folder, name, file) }] as const));
  const output = await runInDom0(made, { files, script: SCRIPT, memory: { host: 2048, dom0: 768 }, seconds: 600 });
  const find = (pattern: RegExp) => pattern.exec(output)?.[1];
  const logOf = (name: string) => Buffer.from(find(new RegExp(`^log ${name}: ([0-9a-f]*)\\.$`, 'm')) ?? '', 'hex');
  t.match(output, /^dom0: done$/m, 'the script came to its end') || t.comment(output.slice(-5000));
  t.notMatch(output, /cannot create/);

  t.same(readFileSync(join(folder, 'plain/kernel')), readFileSync(join(folder, 'hello')), 'the kernel is the file that QEMU boots');
  const { stdout, exitCode } = await hull('run', 'hello', 'xen');
  t.equal(exitCode, 7);
  t.equal(`${logOf('plain')}`.trimEnd(), stdout, 'hello, as under QEMU');

  t.same(readRecords(logOf('framed')), { said: 'hello framed\n', status: { code: 7 } }, 'records, and the exit status');

  const python = await hull('run', 'guests', '/usr/bin/python3', '-c', PYTHON);
  t.equal(python.exitCode, 9);
  t.same(readRecords(logOf('python')), { said: `${python.stdout}\n`, status: { code: 9 } }, 'python3 with its root file system on a disk of dom0');
  const page = readFileSync(join(guests.root, 'usr/bin/python3.11'));
  const sum = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest('hex');
  t.equal(find(/^page: (\S+) .*$/m), sum(page), 'nginx, asked from dom0');
  t.equal(find(/^pages: (\S+) .*$/m), sum(page, page, page, page), 'by four at once');
  t.match(output, /HTTP\/1.1 404/, 'and for what is not there');
  t.equal(find(/^nginx: (.*)$/m), '0', 'its end');
  t.same(readRecords(logOf('nginx')).status, { code: 0 }, 'is one of its own');

  t.equal(`${logOf('files')}`.trimEnd(), (await hull('run', 'shell', COMMANDS)).stdout, 'a root file system, as under QEMU');
  t.equal(find(/^shutdown: (.*)$/m), '0', 'xl shutdown');
  t.equal(`${logOf('stopped')}`, 'waiting\nasked to end\n', 'is SIGTERM, and the program ends as it likes');
  t.equal(find(/^destroy: (.*)$/m), '0', 'xl destroy');
  t.match(`${logOf('destroyed')}`, /^waiting\n.*xen-control: "suspend" is not supported\n$/);
  t.equal(find(/^suspend: (.*)$/m), '0', 'who was asked to suspend says so, and goes on');
  t.equal(find(/^domains: (.*)\.$/m), 'Domain-0', 'nothing is left');
});
