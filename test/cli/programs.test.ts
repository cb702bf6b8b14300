/**
 * Unmodified programs as unikernels: Debian's static busybox, natively and in a machine, must give the same stdout, stderr and exit status. Both
 * consoles (the virtio one and, on q35, its PCI form), stdin of every size, much output, slow and absent readers.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';

const BUSYBOX = '/bin/busybox';
const folder = mkdtempSync(join(tmpdir(), 'hull-programs-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HULL_ROOT: join(folder, 'root'), TMPDIR: tmpdir() };
const DEADLINE = 600_000;

interface Result {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

async function run(command: string, args: readonly string[], input: Buffer | string = '', given: NodeJS.ProcessEnv = env): Promise<Result> {
  const result = await execa(command, args, {
    input, env: given, extendEnv: false, reject: false, encoding: 'buffer', stripFinalNewline: false, timeout: DEADLINE, maxBuffer: 1 << 28,
  });
  const status = result.exitCode ?? (result.signal === 'SIGTERM' && !result.timedOut ? 143 : result.signal === 'SIGSEGV' ? 139 : result.signal === 'SIGKILL' ? 137 : -1);
  return { status, stdout: Buffer.from(result.stdout), stderr: Buffer.from(result.stderr) };
}

const machine = (args: readonly string[], input?: Buffer | string, options: readonly string[] = [], given?: NodeJS.ProcessEnv) =>
  run(hull, ['run', ...options, BUSYBOX, ...args], input, given);

function describe(bytes: Buffer): string {
  return bytes.length <= 2000 ? bytes.toString('latin1') : `${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Bytes that repeat nowhere soon, the same in each run. */
function makeBytes(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 0x9e3779b9;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

const numbers = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${(i * 7919) % 20_011}\n`).join(''));
const binary = makeBytes(5_000_000);
const text = 'one two\nthree\n\nfour five six\n';

t.before(async () => {
  await machine(['true']); // the image is linked, the accelerator is known
});

t.test('the same output, errors and status as natively', async (t) => {
  const cases: [name: string, args: string[], input?: Buffer | string][] = [
    ['echo', ['echo', 'a', 'b', '', 'c  d', 'ä']],
    ['a loop', ['sh', '-c', 'i=0; while [ $i -lt 5 ]; do echo $i; i=$((i+1)); done']],
    ['arithmetic', ['sh', '-c', 'echo $((7*6)) $((1<<40)) $((-7/2)) $((0x1f & 6)); a=3; : $((a+=4)); echo $a']],
    ['functions, cases, here documents', ['sh', '-c', 'f() { case $1 in a*) echo A;; *) echo other; esac; }; f abc; f x; read l <<E\nhi $((1+1))\nE\necho "$l"; set -- 1 2 3; for x; do printf "<%s>" "$x"; done']],
    ['exit 0', ['sh', '-c', 'exit 0']],
    ['exit 1', ['sh', '-c', 'exit 1']],
    ['exit 37', ['sh', '-c', 'exit 37']],
    ['exit 255', ['sh', '-c', 'exit 255']],
    ['stderr apart', ['sh', '-c', 'echo out; echo err >&2; echo out2; exit 3']],
    ['much on stderr', ['sh', '-c', 'i=0; while [ $i -lt 3000 ]; do echo "error line $i" >&2; i=$((i+1)); done']],
    ['awk', ['awk', 'BEGIN { for (i = 0; i < 10; i++) printf "%d %.6f %e %s\\n", i, sin(i), exp(i), substr("hello", i % 5); print length("abc"), 1e300 * 1e300, log(0) }']],
    ['awk of stdin', ['awk', '{ s += $1; n[$1 % 7]++ } END { print s, NR; for (i = 0; i < 7; i++) print i, n[i] }'], numbers],
    ['seq', ['seq', '100000']],
    ['printf', ['printf', '%5d|%-5s|%x|%c|%b\\n', '42', 'ab', '255', 'z', 'a\\tb']],
    ['expr', ['expr', '3', '+', '4', '*', '5']],
    ['expr that fails', ['expr', '3', '+', 'x']],
    ['test', ['test', '3', '-gt', '4']],
    ['true', ['true']],
    ['false', ['false']],
    ['factor', ['factor', '1234567890123', '97']],
    ['date of a given time', ['date', '-u', '-d', '@1700000000', '+%Y-%m-%d %H:%M:%S %j %a']],
    ['cal', ['cal', '2', '2024']],
    ['dd', ['dd', 'if=/dev/zero', 'bs=1000', 'count=3', 'status=none']],
    ['cat of nothing', ['cat'], ''],
    ['cat of little', ['cat'], text],
    ['cat of 5 MB', ['cat'], binary],
    ['wc', ['wc'], binary],
    ['md5sum', ['md5sum'], binary],
    ['sha256sum', ['sha256sum'], binary],
    ['sort', ['sort'], numbers],
    ['sort -n', ['sort', '-nr'], numbers],
    ['tac', ['tac'], numbers],
    ['sed', ['sed', '-n', 's/\\(.\\)1/\\1x/p'], numbers],
    ['grep -c', ['grep', '-c', '7.*3'], numbers],
    ['grep without a match', ['grep', 'nothing'], text],
    ['head', ['head', '-n', '2'], text],
    ['cut, of stdin', ['cut', '-d', ' ', '-f', '2'], text],
    ['base64', ['base64'], binary.subarray(0, 10_000)],
    ['od', ['od', '-c'], binary.subarray(0, 1000)],
    ['gzip', ['gzip', '-c', '-n'], numbers],
    ['a script on stdin', ['sh'], 'echo from script\nread x <<E\nhi\nE\necho $x\nx=1\nwhile [ $x -lt 4 ]; do echo $x; x=$((x+1)); done\nexit 9\n'],
    ['read from stdin', ['sh', '-c', 'while read a b; do echo "$b:$a"; done'], text],
    ['SIGTERM to itself', ['sh', '-c', 'kill -TERM $$; echo not reached']],
    ['SIGKILL to itself', ['sh', '-c', 'kill -KILL $$; echo not reached']],
    ['a trap', ['sh', '-c', 'trap "echo got; exit 4" TERM; kill -TERM $$; echo not reached']],
    ['an applet that is not there', ['nosuchapplet']],
    ['exec false', ['sh', '-c', 'exec false']],
    ['a command that is not there', ['sh', '-c', 'nosuchcommand; echo $?']],
    ['a syntax error', ['sh', '-c', 'if; then']],
    ['a file that is not there', ['cat', '/nonexistent']],
    ['a short sleep', ['sleep', '0.05']],
  ];
  for (const [name, args, input] of cases) {
    const native = await run(BUSYBOX, args, input);
    const guest = await machine(args, input);
    t.equal(guest.status, native.status, `${name}: status`);
    t.equal(describe(guest.stdout), describe(native.stdout), `${name}: output`);
    t.equal(describe(guest.stderr), describe(native.stderr), `${name}: errors`);
  }
});

t.test('files of the machine', async (t) => {
  const script = 'cd /tmp; echo one > a; echo two >> a; pwd; while read x; do echo "<$x>"; done < ../tmp/a; [ -s a ] && echo full; [ -e ../b ] || echo none';
  const { stdout, stderr, status } = await machine(['sh', '-c', script]);
  t.equal(`${stdout}${stderr}${status}`, '/tmp\n<one>\n<two>\nfull\nnone\n0');
});

t.test('options', async (t) => {
  const said = async (args: string[], options: string[], given?: NodeJS.ProcessEnv) => {
    const result = await machine(args, '', options, given);
    t.equal(result.status, 0, `${args.join(' ')}: ${result.stderr}`);
    return result.stdout.toString();
  };
  const file = join(folder, 'variables');
  writeFileSync(file, '# a comment\nFROM_FILE=a b\nINHERITED\nOVER=file\n');
  const options = ['--env-file', file, '-e', 'OVER=option', '-e', 'EMPTY=', '-e', 'ABSENT', '-e', 'EQUALS=a=b', '--hostname', 'box'];
  t.equal(
    await said(['env'], options, { ...env, INHERITED: 'yes', SECRET: 'no' }),
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=box\nHOME=/root\nFROM_FILE=a b\nINHERITED=yes\nOVER=option\nEMPTY=\nEQUALS=a=b\n',
  );
  t.equal(await said(['pwd'], ['-w', '/tmp']), '/tmp\n');
  t.equal(await said(['pwd'], []), '/\n');
  t.equal(await said(['hostname'], ['--hostname', 'box']), 'box\n');
  t.equal(await said(['-n', 'hi'], ['--entrypoint', '/bin/echo']), 'hi');
  t.equal(await said(['id', '-u'], ['-u', '12:34']), '12\n');
  t.match(await said(['uname', '-m'], []), /^x86_64\n$/);
  const before = Date.now() / 1000;
  const seconds = Number(await said(['date', '-u', '+%s'], []));
  t.ok(seconds > before - 3 && seconds < Date.now() / 1000 + 3, `date is now: ${seconds}`);
});

for (const kind of ['microvm', 'q35']) {
  t.test(`${kind}: much in, much out, and readers that are slow or leave`, async (t) => {
    const options = ['--machine', kind];
    t.equal((await machine(['md5sum'], binary, options)).stdout.toString().slice(0, 32), createHash('md5').update(binary).digest('hex'));
    const command = `"${hull}" run --machine ${kind} ${BUSYBOX}`;
    const shell = (script: string) => execa('bash', ['--norc', '-c', script], { env, extendEnv: false, reject: false, timeout: DEADLINE });
    const many = await shell(`${command} dd if=/dev/zero bs=65536 count=1600 status=none | wc -c`);
    t.equal(many.stdout.trim(), '104857600', '100 MB, every byte');
    const slow = await shell(`${command} dd if=/dev/zero bs=65536 count=320 status=none | (sleep 1; wc -c)`);
    t.equal(slow.stdout.trim(), '20971520', 'a reader that begins late misses nothing');
    const held = await shell(`${command} sh -c 'i=0; while [ $i -lt 400000 ]; do echo "line $i"; i=$((i+1)); done' | (read a; sleep 1; echo "$a"; head -c 100000 | wc -c); echo "\${PIPESTATUS[0]}"`);
    t.equal(held.stdout, 'line 0\n100000\n141', 'a reader that leaves ends the program as SIGPIPE does');
    const first = await shell(`${command} yes | head -n 1; echo "\${PIPESTATUS[0]}"`);
    t.equal(first.stdout, 'y\n141');
    t.equal(first.stderr, '');
  });
}

t.test('what waits for a reader is bounded', async (t) => {
  // A reader that takes nothing: the machine is held back, hull's memory does not grow with what the program would write.
  const child = execa(hull, ['run', BUSYBOX, 'yes'], { env, extendEnv: false, reject: false, buffer: false, timeout: DEADLINE });
  // It has all that it needs for passing bytes on when the first ones come.
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.pause();
  const rss = async () => Number(/VmRSS:\s+(\d+)/.exec((await execa('cat', [`/proc/${child.pid}/status`])).stdout)?.[1]);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const before = await rss();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const after = await rss();
  child.kill('SIGKILL');
  await child;
  t.ok(before > 0 && after < before + 20_000, `resident ${before} KiB, later ${after} KiB`);
});

t.test('output is whole also when the program ends while input is on its way', async (t) => {
  // The end of stdin races with the machine's end; several at once, so that hull is late now and then.
  for (let round = 0; round < 4; round++) {
    const results = await Promise.all(Array.from({ length: 8 }, () => machine(['sh', '-c', 'read x; echo got $x'], 'first\nsecond\n')));
    for (const { status, stdout, stderr } of results) {
      t.same([status, stdout.toString(), stderr.toString()], [0, 'got first\n', ''], 'all that it wrote, and its status');
    }
  }
});
