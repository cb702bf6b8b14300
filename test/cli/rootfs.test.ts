/**
 * `hull run --rootfs`: unmodified Debian programs with their own loader and libraries, each compared with the same program run natively in a
 * copy of the same root; and roots made by hand for what goes wrong. The packages come through apt-get download, once.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import type { ImageReport } from '../../compiler/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { makeDebianRoot } from '../debian-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-rootfs-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const run = (root: string, args: string[], options: string[] = []) =>
  execa(hull, ['run', '--rootfs', root, ...options, ...args], {
    env,
    extendEnv: false,
    reject: false,
    input: '',
    timeout: 600_000,
    stripFinalNewline: false,
    encoding: 'buffer',
  });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PACKAGES =
  'base-files dash bash coreutils findutils grep sed gawk bc jq lua5.4 perl-base python3-minimal libpython3-stdlib tar gzip'.split(' ');

const AWK = '/usr/share/awk';
const CASES: string[][] = [
  ['ls', '-lR', '/etc/default', AWK],
  ['ls', '/usr/bin'],
  ['cat', '/etc/debian_version'],
  ['sort', '-r', `${AWK}/join.awk`],
  ['sha256sum', '/bin/bash', '/usr/lib/x86_64-linux-gnu/libc.so.6', '/lib/x86_64-linux-gnu/libc.so.6'],
  ['stat', '-c', '%n %s %a %h %F %Y', '/etc/debian_version', '/bin/sh', `${AWK}/join.awk`],
  ['readlink', '-f', '/bin/sh'],
  ['gzip', '-c9n', `${AWK}/join.awk`],
  ['tar', '--sort=name', '-C', '/usr/share', '-cf', '-', 'awk'],
  ['dd', 'if=/bin/bash', 'bs=4096', 'count=10', 'skip=3', 'status=none'],
  ['expr', '3', '+', '4'],
  ['seq', '1', '20000'],
  ['dash', '-c', 'i=0; while [ $i -lt 5 ]; do echo $i; i=$((i+1)); done; echo done > /tmp/x; read a < /tmp/x; echo $a; test -f /tmp/x && echo yes'],
  ['dash', '-c', 'echo y >> /etc/debian_version; while read l; do echo $l; done < /etc/debian_version'],
  ['bash', '-c', 'echo $((1+2)); for i in 1 2 3; do echo -n $i-; done; a=(x y z); echo ${a[@]} ${#a[@]}; printf "%05d\\n" 42; [[ abc =~ b ]] && echo m'],
  ['bash', '-c', `cd ${AWK}; for f in *.awk; do n=0; while read -r l; do n=$((n+1)); done < $f; echo $f $n; done`],
  ['bash', '-c', 'echo x > /tmp/c; cd /tmp; echo c*; exit 7'],
  ['grep', '-n', 'function', `${AWK}/join.awk`],
  ['sed', '-n', 's/function/FUNC/p', `${AWK}/join.awk`],
  ['gawk', 'BEGIN { for (i = 0; i < 3; i++) print i, sin(i); printf "%.3f\\n", exp(1); print toupper("abc") }'],
  ['bc', '-l', '/dev/null'],
  ['jq', '-n', '{a: [1, 2, {b: "c"}]} | .a[2].b, (.a | length)'],
  ['lua5.4', '-e', 'local t = {} for i = 1, 10 do t[i] = i * i end print(table.concat(t, " ")) print(string.format("%g", math.pi))'],
  ['perl', '-e', 'my %h = map { $_ => $_ ** 2 } 1 .. 5; print join(",", map { "$_=$h{$_}" } sort keys %h), "\\n"; print "ok\\n" if "foobar" =~ /o+b/; exit 3'],
  ['python3', '-c', 'print(1)'],
  ['python3', '-c', 'import os, sys, json, re, hashlib, datetime; print(json.dumps({"a": [1, 2.5, None]}), hashlib.sha256(b"x").hexdigest(), sorted(os.listdir("/usr/share/awk"))[:3], sys.version)'],
  ['python3', '-c', 'import mmap; f = open("/bin/bash", "rb"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(len(m), m[:4], m.find(b"GNU bash") > 0, sum(m[::4096]))'],
];

const debian = makeDebianRoot('debian', PACKAGES);
const canChroot = process.getuid?.() === 0;
const skip = 'reason' in debian ? debian.reason : canChroot ? false : 'only root may chroot';
if (skip !== false) console.error(`rootfs.test: Debian programs are not run: ${skip}`);

t.test('Debian programs as in a chroot', { skip }, async (t) => {
  if ('reason' in debian) return;
  const native = join(folder, 'native');
  execFileSync('cp', ['-a', debian.root, native]); // hard links, owners and times as they are
  const first = spawnSync('mknod', ['-m', '666', join(native, 'dev/null'), 'c', '1', '3']);
  t.equal(first.status, 0, 'a null device for the native runs');
  for (const args of CASES) {
    const expected = spawnSync('chroot', [native, ...args], { env: { PATH, HOME: '/root' }, input: '', maxBuffer: 1 << 28 });
    const got = await run(debian.root, args);
    const name = args.join(' ').slice(0, 70);
    t.equal(got.exitCode, expected.status, `${name}: ${text(got.stderr)}`);
    t.ok(expected.stdout.equals(got.stdout), `${name}: ${expected.stdout.length} bytes, got ${got.stdout.length}`);
  }
});

t.test('what a program is said to need, before the run', { skip }, async (t) => {
  if ('reason' in debian) return;
  const { root } = debian;
  const inspect = async (...args: string[]) => (await execa(hull, ['inspect', '--rootfs', root, ...args], { env, extendEnv: false, timeout: 600_000 })).stdout;
  const report = JSON.parse(await inspect('--format', 'json', 'seq')) as ImageReport;
  t.same(report.analysis?.doubts, [], 'seq: its calls are known');
  t.ok(report.analysis?.objects.some(({ path }) => path.endsWith('/libc.so.6')), 'the libraries are named');
  const names = report.components?.map(({ name }) => name) ?? [];
  t.ok(names.includes('erofs') && !names.includes('execve') && !names.includes('epoll'), 'components that its calls need, no others');
  t.match(report.components?.find(({ name }) => name === 'poll')?.why, /^call poll made at \S+ in \S+/, 'with the reason');
  const partial = report.analysis?.calls.filter(({ support }) => support.startsWith('partial: ')).map(({ name }) => name) ?? [];
  t.ok(partial.includes('madvise') || partial.includes('fcntl'), 'and what hull has in part');
  const text = await inspect('dash');
  t.match(text, /System calls that the program can make: any/, 'a shell may do anything');
  t.match(text, /any, since it can execute other programs, by execve in libc\.so\.6/, 'and why');
});

t.test('little memory, and files larger than it', { skip }, async (t) => {
  if ('reason' in debian) return;
  t.match(text((await run(debian.root, ['dash', '-c', 'echo 1'], ['-m', '4m'])).stdout), /^1$/m);
  const sums = ['/bin/bash', '/usr/bin/perl', '/usr/bin/python3.11', '/usr/bin/gawk'].filter((path) => existsSync(join(debian.root, path)));
  const args = ['sha256sum', ...sums, ...sums];
  const native = spawnSync('chroot', [debian.root, ...args], { env: { PATH } });
  t.equal(text((await run(debian.root, args, ['-m', '8m'])).stdout), native.stdout.toString());
});

t.test('a root made by hand', async (t) => {
  const root = join(folder, 'small');
  const file = (path: string, content: string | Uint8Array, mode = 0o755) => {
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
  };
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['sh', 'ls', 'cat', 'echo', 'pwd']) symlinkSync('/bin/busybox', join(root, 'bin', name));
  file('script', '#! /bin/sh -e\necho "$0|$1|$2"\n');
  file('outer', '#!/script\n');
  file('loop', '#!/loop\n');
  file('orphan', '#!/no/such\n');
  file('plain', 'neither\n', 0o644);
  file('text', 'neither\n');
  file('many', 'x'.repeat(5000));
  const elf = Buffer.alloc(4096);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  file('elf32', elf);

  const outputs: [string, string[], string[], string][] = [
    ['found in PATH', ['echo', 'a', 'b c'], [], 'a b c\n'],
    ['a PATH of its own', ['echo', 'x'], ['-e', 'PATH=/nowhere:/bin/'], 'x\n'],
    ['relative to the working directory', ['./pwd'], ['-w', '/bin'], '/bin\n'],
    ['a script with an argument', ['/script', '1', '2'], [], '/script|1|2\n'],
    ['a script whose interpreter is one', ['/outer', '1'], [], '/script|/outer|1\n'],
    ['on q35', ['echo', 'pci'], ['--machine', 'q35'], 'pci\n'],
    ['written over, removed, made', ['sh', '-c', 'echo new > /many; cat /many; >/fresh; cd /; echo f* m*'], [], 'new\nfresh many\n'],
  ];
  for (const [what, args, options, expected] of outputs) {
    const { stdout, stderr, exitCode } = await run(root, args, options);
    t.same({ stdout: text(stdout), exitCode }, { stdout: expected, exitCode: 0 }, `${what}: ${text(stderr)}`);
  }
  const refusals: [string, string[], number, RegExp][] = [
    ['nothing of that name in PATH', ['nothing'], 127, /no such file in .*PATH/],
    ['nothing at that path', ['/no/thing'], 127, /no such file/],
    ['a file that may not be executed', ['/plain'], 126, /may not be executed/],
    ['a directory', ['/bin'], 126, /may not be executed/],
    ['a text file', ['/text'], 126, /is not an ELF file|too short/],
    ['a script without its interpreter', ['/orphan'], 126, /\/no\/such is not there/],
    ['a script that runs itself', ['/loop'], 126, /too many symbolic links or scripts/],
    ['32 bits', ['/elf32'], 126, /64-bit/],
  ];
  for (const [what, args, code, message] of refusals) {
    const { stderr, exitCode } = await run(root, args);
    t.equal(exitCode, code, `${what}: ${text(stderr)}`);
    t.match(text(stderr), message);
  }
  // Changes on the host are seen by the next run, and those of a run by nobody.
  file('many', 'changed\n');
  t.equal(text((await run(root, ['cat', '/many'])).stdout), 'changed\n');
  t.notOk(existsSync(join(root, 'fresh')));
  // A program that is not in the root, but below a directory that is mounted there.
  mkdirSync(join(folder, 'tools'));
  cpSync('/bin/busybox', join(folder, 'tools/expr'));
  const mounted = ['-v', `${join(folder, 'tools')}:/opt/tools:ro`];
  t.equal(text((await run(root, ['/opt/tools/expr', '6', '*', '7'], mounted)).stdout), '42\n');
  t.equal((await run(root, ['/opt/tools/none'], mounted)).exitCode, 127);
  const missing = await run(join(folder, 'missing'), ['sh']);
  t.equal(missing.exitCode, 125);
  t.match(text(missing.stderr), /no such directory/);
});
