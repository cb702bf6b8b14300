/**
 * `hull run -t` at a real terminal: what the program sees of it, what is typed, and that every end gives it back as it was. The terminal is
 * terminal.py's, which has deadlines of its own.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';

type Step = ['see', string] | ['type', string] | ['urge', string, string] | ['size', number, number] | ['signal', number] | ['wait', number];

/** For machines with much else to do. */
const SECONDS = 240;
const folder = mkdtempSync(join(tmpdir(), 'hull-terminal-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const checkout = findCheckout();
const hull = join(checkout, 'dist/hull');
const driver = join(checkout, 'test/cli/terminal.py');
const program = join(checkout, 'build/guest/musl/terminal');
const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HULL_ROOT: join(folder, 'root'), TERM: 'xterm', NODE_EXTRA_CA_CERTS: '' };
const [SIGINT, SIGTERM] = [2, 15];

const python = await execa('python3', ['-c', 'import pty, sys; assert sys.version_info >= (3, 9)'], { reject: false });
const skip = python.exitCode === 0 ? false : `no python3 of 3.9 or newer with its pty module: ${python.shortMessage}`;

/** Runs hull at a terminal; everything is as the steps say, or `failure` says what is not. */
async function attend(args: string[], steps: Step[]): Promise<{ status: number; shown: string; restored: boolean; failure: string | null }> {
  return drive([hull, 'run', ...args], steps);
}

async function drive(argv: string[], steps: Step[]): Promise<{ status: number; shown: string; restored: boolean; failure: string | null }> {
  const request = { argv, rows: 33, columns: 101, steps, seconds: SECONDS };
  const { stdout } = await execa('python3', [driver], { input: JSON.stringify(request), env, extendEnv: false, timeout: (SECONDS + 5) * 1000 });
  return JSON.parse(stdout);
}

t.before(async () => {
  // Images are linked, the accelerator is known.
  for (const path of [program, '/bin/busybox']) await execa(hull, ['run', path, 'true'], { env, extendEnv: false, input: '', reject: false, timeout: SECONDS * 1000 });
});

t.test('what it is, its size, lines, raw bytes', { skip }, async (t) => {
  const { shown, ...end } = await attend(['-it', program], [
    ['see', 'terminal 111\r\nsize 0 33 101\r\n'],
    ['type', 'abX\x7fc\r'],
    ['see', 'line abc\r\n'],
    ['size', 44, 55],
    ['see', 'resized 0 44 55\r\n'],
    ['type', 'raw\r'],
    ['see', '[raw]\n'],
    ['type', 'a\r\x03\x04\x1bq'],
    ['see', '<61><0d><03><04><1b>\r\n[cooked]\r\n'],
    ['type', '\x03'],
    ['see', 'interrupted\r\n'],
    ['type', '\x04'],
    ['see', 'end of file\r\n'],
  ]);
  t.strictSame(end, { status: 0, restored: true, failure: null }, shown);
  t.notMatch(shown, /\r\r\n/, 'the host adds nothing to line ends');
});

t.test('a shell: editing, exit status, end of file', { skip }, async (t) => {
  const { shown, ...end } = await attend(['-it', '/bin/busybox', 'sh'], [
    ['see', '# '],
    ['type', 'echo a$((1+2))X\x7fb\r'],
    ['see', '\r\na3b\r\n'],
    ['see', '# '],
    ['type', 'stty size\r'],
    ['see', '33 101\r\n'],
    ['see', '# '],
    ['type', 'false\r'],
    ['see', 'false\r\n'],
    // Behind its prompt the shell reads raw bytes; an end of file that is typed between two prompts reads as NUL there, as on Linux.
    ['see', '# '],
    ['type', '\x04'],
  ]);
  t.strictSame(end, { status: 1, restored: true, failure: null }, shown);
});

t.test('job control: the background, orphans, sessions, as natively', { skip }, async (t) => {
  const jobs = join(checkout, 'build/guest/musl/jobs');
  const { shown: expected, ...native } = await drive([jobs], []);
  const { shown, ...guest } = await attend(['-it', jobs], []);
  t.strictSame(native, { status: 0, restored: true, failure: null }, expected);
  t.strictSame(guest, native, shown);
  t.equal(shown, expected);
});

t.test('bash: ^Z, jobs, bg, fg', { skip }, async (t) => {
  const bash = '/bin/bash';
  const root = join(folder, 'jobs-root');
  for (const program of [bash, '/bin/sleep', '/bin/cat', '/bin/stty']) {
    const { stdout } = await execa('ldd', [program]);
    for (const file of [program, ...(stdout.match(/\/lib\S*/g) ?? [])]) {
      mkdirSync(dirname(root + file), { recursive: true });
      copyFileSync(file, root + file);
    }
  }
  const { shown, ...end } = await attend(['-it', '--rootfs', root, bash, '--norc', '--noprofile', '-i'], [
    ['see', '# '],
    ['type', 'sleep 100\r'],
    ['see', 'sleep 100\r\n'],
    // Nothing tells when a job has the terminal: keys that it is to get are typed again where they came before that.
    ['wait', 0.5],
    ['urge', '\x1a', '[1]+  Stopped                 sleep 100\r\n'],
    ['see', '# '],
    ['type', 'bg\r'],
    ['see', '[1]+ sleep 100 &\r\n'],
    ['see', '# '],
    ['type', 'jobs\r'],
    ['see', '[1]+  Running                 sleep 100 &\r\n'],
    ['see', '# '],
    ['type', 'fg\r'],
    ['see', 'sleep 100\r\n'],
    ['wait', 0.5],
    ['urge', '\x03', '# '],
    ['type', 'echo status $?\r'],
    ['see', 'status 130\r\n'],
    ['see', '# '],
    ['type', 'cat &\r'],
    ['wait', 0.5],
    ['urge', '\r', 'Stopped                 cat\r\n'],
    ['see', '# '],
    ['type', 'fg\r'],
    ['see', 'cat\r\n'],
    ['type', 'hello\r'],
    ['see', 'hello\r\nhello\r\n'],
    ['type', '\x04'],
    ['see', '# '],
    ['type', 'stty tostop; echo quiet &\r'],
    ['wait', 0.5],
    ['urge', '\r', 'Stopped                 echo quiet\r\n'],
    ['see', '# '],
    ['type', 'stty -tostop; fg\r'],
    ['see', '\r\nquiet\r\n'],
    ['see', '# '],
    ['type', 'exit 5\r'],
  ]);
  t.strictSame(end, { status: 5, restored: true, failure: null }, shown);
});

t.test('every end gives the terminal back', { skip }, async (t) => {
  const busy = ['sh', '-c', 'echo ready; while :; do :; done'];
  const ready: Step = ['see', 'ready\r\n'];
  const ends: [what: string, args: string[], steps: Step[], status: number][] = [
    ['exit 7', ['sh', '-c', 'exit 7'], [], 7],
    ['Ctrl-C to a program that sleeps', ['sh', '-c', 'echo ready; exec sleep 100'], [ready, ['type', '\x03']], 130],
    ['Ctrl-C to a program that computes', busy, [ready, ['type', '\x03']], 130],
    ['Ctrl-C to a program that reads', ['sh', '-c', 'echo ready; exec cat'], [ready, ['type', 'x'], ['see', 'x'], ['type', '\x03']], 130],
    ['Ctrl-D to cat', ['sh', '-c', 'echo ready; exec cat'], [ready, ['type', 'one\r'], ['see', 'one\r\none\r\n'], ['type', '\x04']], 0],
    ['SIGTERM to hull', busy, [ready, ['signal', SIGTERM]], 143],
    ['SIGTERM to hull as it starts', busy, [['wait', 0.1], ['signal', SIGTERM]], 143],
    ['SIGINT to hull', busy, [ready, ['signal', SIGINT]], 130],
    ['three SIGINTs to hull', ['sh', '-c', 'trap "" INT; echo ready; while :; do :; done'], [ready, ['signal', SIGINT], ['signal', SIGINT], ['signal', SIGINT]], 137],
    ['a fault', ['sh', '-c', 'kill -SEGV $$'], [], 139],
    ['an applet that is not there', ['nosuchapplet'], [], 127],
  ];
  for (const [what, args, steps, status] of ends) {
    const { shown, ...end } = await attend(['-it', '/bin/busybox', ...args], steps);
    t.strictSame(end, { status, restored: true, failure: null }, `${what}: ${shown}`);
  }
  const quit = await attend(['-it', program], [['see', 'size 0 33 101\r\n'], ['type', '\x1c']]);
  t.strictSame([quit.status, quit.restored, quit.failure], [131, true, null], 'Ctrl-\\');
  const missing = await attend(['-it', join(folder, 'missing')], []);
  t.strictSame([missing.status, missing.restored], [127, true], 'a program that is not there');
  const small = await attend(['-it', '-m', '2', '/bin/busybox', 'true'], []);
  t.strictSame([small.status, small.restored], [125, true], 'too little memory');
});
