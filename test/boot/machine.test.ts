/**
 * Machines, with a guest that speaks the boot ABI and nothing else (guest/): how they start, talk, end, and what is left behind. The whole
 * product is in between: the built dist/hull runs the guest, so what is tested is what a person gets.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { chooseAccelerator, FEATURE, findObstacle, findQemu, makeQemuArguments, probeAccelerator } from '../../boot/index.ts';
import { waitUntil } from '../wait.ts';
import { buildGuest, findCheckout } from './guest/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-machine-'));
const runtime = join(folder, 'run');
mkdirSync(runtime, { mode: 0o700 });
t.teardown(() => rmSync(folder, { recursive: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'root'), XDG_RUNTIME_DIR: runtime };
const guest = buildGuest(folder, 'guest');
const options = { env, extendEnv: false, reject: false, timeout: 240_000, stripFinalNewline: false } as const;
const run = (args: string[], more: object = {}) => execa(hull, ['run', ...args], { input: '', ...options, ...more });

/** QEMUs that run `image`, by their command lines. */
function findQemus(image: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).includes('qemu') && readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(image);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Whether a signal waits for the process (proc_pid_status(5)); one that is gone has none. */
function isPending(pid: number): boolean {
  try {
    return /^(Shd|Sig)Pnd:\t0*[1-9a-f]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** No QEMU, no temporary file. */
async function checkNothingLeft(t: Pick<typeof import('tap').default, 'strictSame'>, image: string): Promise<void> {
  await waitUntil('QEMU goes', () => findQemus(image).length === 0);
  t.strictSame(readdirSync(runtime), [], 'no file is left');
}

interface Started {
  child: ChildProcess;
  stdout: () => string;
  end: Promise<{ code: number | null; signal: string | null; stderr: string }>;
}

/** Starts `hull run` and, unless told not to, waits for the guest's "up". */
async function start(args: string[], waitUp = true): Promise<Started> {
  const child = spawn(hull, ['run', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  const end = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
  if (waitUp) await waitUntil('the guest is up', () => stdout.includes('up\n'), 10);
  return { child, stdout: () => stdout, end };
}

t.before(async () => {
  await run([guest, 'exit']); // what this host accelerates with is found out once
});

t.test('exit codes, signals, streams', async (t) => {
  for (const code of [0, 1, 7, 125, 255]) t.equal((await run([guest, 'exit', String(code)])).exitCode, code);
  for (const signal of [6, 9, 11, 15]) t.equal((await run([guest, 'signal', String(signal)])).exitCode, 128 + signal);
  const both = await run([guest, 'both']);
  t.equal(both.stdout, 'o\n'.repeat(100));
  t.equal(both.stderr, 'e\n'.repeat(100));
  const joined = await run([guest, 'both'], { all: true, stdout: ['pipe'], stderr: ['pipe'] });
  t.equal(joined.exitCode, 0);
  const file = join(folder, 'both.txt');
  await execa('sh', ['-c', `"${hull}" run "${guest}" both > "${file}" 2>&1`], options);
  t.equal(readFileSync(file, 'utf8'), 'o\ne\n'.repeat(100), 'one file gets both in their order');
  t.equal((await run([guest, 'linger'])).exitCode, 5, 'a guest that reported its status and stays is ended');
  await checkNothingLeft(t, guest);
});

t.test('arguments and environment', async (t) => {
  t.equal((await run([guest, 'argv', '-x', '--', 'a b', 'ä'])).stdout, `${guest}\nargv\n-x\n--\na b\nä\n`);
  t.equal((await run(['--entrypoint', 'me', guest, 'argv'])).stdout, 'me\nargv\n');
  const file = join(folder, 'env');
  writeFileSync(file, '# a comment\n\nFILE=1\nHULL_TEST_PASSED\nB=file\n');
  const result = await run(['--env-file', file, '-e', 'B=2', '-eC=3', '-e', 'HULL_TEST_ABSENT', '--hostname', 'box', guest, 'env'], {
    env: { ...env, HULL_TEST_PASSED: 'yes', HULL_TEST_SECRET: 'no' },
  });
  t.strictSame(result.stdout.trimEnd().split('\n'), [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOSTNAME=box',
    'HOME=/root',
    'FILE=1',
    'HULL_TEST_PASSED=yes',
    'B=2',
    'C=3',
  ]);
  t.equal((await run(['-w', '/srv', guest, 'record', '3'])).stdout, '/srv');
  const entropy = await Promise.all([1, 2].map(() => run([guest, 'record', '5'], { encoding: 'buffer' })));
  t.equal(entropy[0]?.stdout.length, 32);
  t.notSame(entropy[0]?.stdout, entropy[1]?.stdout, 'each boot has entropy of its own');
});

t.test('stdin flows by credit, to its end', async (t) => {
  const text = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join('');
  for (const credit of ['100', '4096', '65536']) {
    const result = await run([guest, 'echo', credit], { input: text });
    t.equal(result.exitCode, 0, `never more than ${credit}`);
    t.equal(result.stdout, text);
  }
  const file = join(folder, 'input');
  writeFileSync(file, text);
  t.equal((await run([guest, 'echo', '1000'], { input: undefined, inputFile: file })).stdout, text, 'a file');
  t.equal((await run([guest, 'echo', '1000'], { input: undefined, stdin: 'ignore' })).exitCode, 0, '/dev/null');
  const left = await execa('sh', ['-c', `("${hull}" run "${guest}" say x >&2; cat) < "${file}"`], options);
  t.equal(left.stdout, text, 'a guest that does not read leaves stdin alone');
});

t.test('much output, and slow or absent readers', async (t) => {
  const flood = await execa('sh', ['-c', `"${hull}" run "${guest}" flood 512 | wc -c`], options);
  t.equal(flood.stdout.trim(), String(512 * 1024));
  const slow = await execa('sh', ['-c', `"${hull}" run "${guest}" flood 256 | (sleep 2; wc -c)`], options);
  t.equal(slow.stdout.trim(), String(256 * 1024));
  const gone = await execa('bash', ['-c', `"${hull}" run "${guest}" flood 100000 | head -c 5; echo ":\${PIPESTATUS[0]}"`], options);
  t.match(gone.stdout, /^abcde:141\n$/, 'nobody reads any more: ends as by SIGPIPE');
  const full = await execa('sh', ['-c', `"${hull}" run "${guest}" flood 64 > /dev/full`], options);
  t.equal(full.exitCode, 125);
  t.match(full.stderr, /Cannot write "standard output"/);
  await checkNothingLeft(t, guest);
});

t.test('signals reach the program, or end the machine when it takes none', async (t) => {
  for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1], ['SIGQUIT', 3], ['SIGUSR1', 10]] as const) {
    const started = await start([guest, 'trap']);
    started.child.kill(signal);
    t.equal((await started.end).code, 40 + number, signal);
  }
  const deaf = buildGuest(folder, 'deaf', { FEATURES: '1' });
  for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]] as const) {
    const started = await start([deaf, 'mute']);
    started.child.kill(signal);
    t.equal((await started.end).code, 128 + number, `${signal} without the feature`);
  }
  const early = await start([guest, 'mute']);
  early.child.kill('SIGTERM');
  t.equal((await early.end).code, 143, 'before the guest reads');
  const stop = await start(['--stop-signal', 'USR2', guest, 'trap']);
  stop.child.kill('SIGTERM');
  t.equal((await stop.end).code, 40 + 12, '--stop-signal');
  const grace = await start(['--stop-timeout', '1', guest, 'stubborn']);
  grace.child.kill('SIGTERM');
  t.equal((await grace.end).code, 137, 'killed after --stop-timeout');
  const third = await start([guest, 'stubborn']);
  for (let i = 0; i < 3; i++) {
    third.child.kill('SIGINT');
    // One that is not taken yet would take in the next one.
    await waitUntil('the signal is taken', () => !isPending(third.child.pid as number));
  }
  t.equal((await third.end).code, 137, 'the third Ctrl-C kills');
  await checkNothingLeft(t, guest);
  await checkNothingLeft(t, deaf);
});

t.test('a Ctrl-C at any moment leaves nothing', async (t) => {
  for (let i = 0; i < 12; i++) {
    const started = await start([guest, 'trap'], false);
    await new Promise((resolve) => setTimeout(resolve, 8 + i * 12));
    started.child.kill('SIGINT');
    const end = await started.end;
    t.ok(end.signal === 'SIGINT' || end.code === 130 || end.code === 42, `after ${8 + i * 12} ms: ${JSON.stringify(end)}`);
  }
  await checkNothingLeft(t, guest);
});

t.test('kill -9 of QEMU, and of hull', async (t) => {
  const first = await start([guest, 'stubborn']);
  const [qemu] = findQemus(guest);
  process.kill(qemu as number, 'SIGKILL');
  const end = await first.end;
  t.equal(end.code, 137);
  t.match(end.stderr, /QEMU was killed by signal 9/);
  for (const wait of [true, false]) {
    const second = await start([guest, 'stubborn'], wait);
    if (!wait) await waitUntil('there is QEMU', () => findQemus(guest).length > 0, 5);
    second.child.kill('SIGKILL');
    t.equal((await second.end).signal, 'SIGKILL');
    await checkNothingLeft(t, guest);
  }
});

t.test('machines that end without a status', async (t) => {
  const fault = await run([guest, 'fault']);
  t.equal(fault.exitCode, 125);
  t.match(fault.stderr, /^last words\nhull: Cannot run ".*": the machine reset itself/);
  const panic = await run([guest, 'panic']);
  t.equal(panic.exitCode, 125);
  t.match(panic.stderr, /^hull: test: expectation, guest_entry\+0x0 5\n/);
  const log = await run([guest, 'log']);
  t.equal(log.stderr, 'hull: at guest_entry+0x0 and {ffffff}\nhull: plain\n', 'names where there are any, in order');
  t.equal((await run([guest, 'leave'])).exitCode, 125);
  const raw = await run([guest, 'raw']);
  t.equal(raw.stdout, 'ok\n');
  t.equal(raw.stderr, '', 'what is no record is not shown');
  t.match((await run(['--verbose', guest, 'raw'])).stderr, /firmware says hello\n/);
});

t.test('other machines, memory', async (t) => {
  t.equal((await run(['--machine', 'q35', guest, 'exit', '3'])).exitCode, 3, 'q35');
  t.equal((await run(['-m', '2', guest, 'exit', '4'])).exitCode, 4, 'two MiB');
  const big = buildGuest(folder, 'big', { LEAST_MEMORY: '0x4000000' });
  const small = await run(['-m', '32m', big, 'exit']);
  t.equal(small.exitCode, 125);
  t.equal(small.stderr, `hull: Cannot boot "${big}": 32 MiB of memory given, expected at least 64 MiB (-m)\n`);
  const huge = await run(['-m', '900g', guest, 'exit']);
  t.ok(huge.exitCode === 125 || huge.exitCode === 0, 'more than the host has: an error, or the host overcommits');
  const strange = buildGuest(folder, 'strange', { FEATURES: '0' });
  t.match((await run([strange])).stderr, /names no channel/);
});

t.test('QEMU absent, too old, broken', async (t) => {
  const node = join(folder, 'bin');
  mkdirSync(node);
  symlinkSync(process.execPath, join(node, 'node'));
  const absent = await run([guest, 'exit'], { env: { ...env, PATH: node } });
  t.equal(absent.exitCode, 125);
  t.match(absent.stderr, /^hull: Cannot start "qemu-system-x86_64": not found in PATH, expected QEMU 7\.2 or newer \(Debian, Ubuntu: apt install/);
  const fake = (name: string, text: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
    return join(folder, name);
  };
  const old = await run(['--qemu', fake('old', 'echo QEMU emulator version 6.1.0'), guest, 'exit']);
  t.equal(old.exitCode, 125);
  t.match(old.stderr, /version 6\.1\.0, expected QEMU 7\.2 or newer/);
  const broken = await run(['--qemu', fake('broken', 'echo "qemu-system-x86_64: no such luck" >&2; exit 1'), guest, 'exit']);
  t.equal(broken.exitCode, 125);
  t.match(broken.stderr, /no such luck/);
  t.equal((await run(['--qemu', folder, guest])).exitCode, 125, 'a directory');
});

t.test('AArch64: the accelerators of an Arm host are tried by a guest of their own', async (t) => {
  const host = { qemu: findQemu(undefined, env, 'aarch64'), dist: join(findCheckout(), 'dist'), env };
  const probed = await probeAccelerator(host, 'tcg', 'aarch64');
  t.ok(probed.isUsable, `its probe guest runs: ${probed.reason}`);
  const [pc, arm, mac] = [{ platform: 'linux', arch: 'x64' }, { platform: 'linux', arch: 'arm64' }, { platform: 'darwin', arch: 'arm64' }];
  t.match(findObstacle('kvm', 'aarch64', pc), /the host is x64, the image AArch64/);
  t.match(findObstacle('kvm', 'x86_64', arm), /the host is arm64, the image x86-64/);
  t.match(findObstacle('kvm', 'aarch64', mac), /only on Linux/);
  t.equal(findObstacle('hvf', 'aarch64', mac), undefined, 'to be tried');
  t.match(findObstacle('hvf', 'x86_64', mac), /the host is arm64, the image x86-64/);
  t.match(findObstacle('hvf', 'aarch64', arm), /only on macOS/);
  t.equal(findObstacle('tcg', 'x86_64', arm), undefined);
  t.equal(findObstacle('kvm', 'aarch64', arm), findObstacle('kvm', 'x86_64', pc), 'what /dev/kvm says');
  const cpuOf = (accelerator: 'kvm' | 'hvf' | 'tcg', machine: 'virt' | 'microvm') => {
    const args = makeQemuArguments({ machine, accelerator, memory: 2 << 20, cpus: 1, image: 'i', features: 1, fds: { channel: 3, qmp: 4 } });
    return args[args.indexOf('-cpu') + 1];
  };
  t.strictSame([cpuOf('kvm', 'virt'), cpuOf('hvf', 'virt'), cpuOf('tcg', 'virt')], ['host', 'host', 'max']);
  t.equal(cpuOf('kvm', 'microvm'), 'host,-arch-capabilities');
  if (process.arch === 'x64') await t.rejects(chooseAccelerator(host, 'kvm', join(folder, 'none'), 'aarch64'), { code: 'accelerator-unusable' });
});

t.test('the accelerator is tried once and remembered', async (t) => {
  const root = join(folder, 'fresh');
  const starts = join(folder, 'starts');
  const counting = join(folder, 'counting');
  writeFileSync(counting, `#!/bin/sh\necho start >> '${starts}'\nexec '${findQemu(undefined, env).path}' "$@"\n`, { mode: 0o755 });
  const host = { qemu: findQemu(counting, env), dist: join(findCheckout(), 'dist'), env };
  const cache = join(root, 'accel.json');
  const first = await chooseAccelerator(host, 'auto', cache);
  t.ok(existsSync(cache));
  const probed = readFileSync(starts, 'latin1');
  t.not(probed, '');
  const second = await chooseAccelerator(host, 'auto', cache);
  t.equal(readFileSync(starts, 'latin1'), probed, 'no probe the second time');
  t.equal(second.accelerator, first.accelerator);
  t.equal(second.tscKhz, first.tscKhz);
  t.equal(second.notice, undefined, 'said once');
  const usable = first.probe.results.at(-1);
  t.ok(usable?.isUsable);
  t.equal(first.notice !== undefined, first.probe.results.length > 1);
  writeFileSync(cache, '{ broken');
  t.equal((await chooseAccelerator(host, 'tcg', cache)).accelerator, 'tcg', 'a broken cache is made anew');
  await t.rejects(chooseAccelerator(host, 'hvf', cache), { code: 'accelerator-unusable' });
  const cards = [{ id: 'n', netdev: 'user,id=n', mac: '52:54:00:00:00:01' }];
  const devicesOf = (machine: 'virt' | 'virt-pci') => makeQemuArguments({ machine, accelerator: 'tcg', memory: 2 << 20, cpus: 1, image: 'i', features: FEATURE.VIRTIO_CONSOLE, fds: { channel: 3, qmp: 4 }, disk: 'd', cards }).filter((each) => each.startsWith('virtio-') && each.includes(','));
  t.strictSame(devicesOf('virt').map((each) => each.split(',')[0]), ['virtio-blk-device', 'virtio-net-device', 'virtio-serial-device'], 'virt: all behind memory-mapped registers');
  t.strictSame(devicesOf('virt-pci').map((each) => each.split(',')[0]), ['virtio-blk-pci', 'virtio-net-pci', 'virtio-serial-pci'], 'virt-pci: all on PCI');
  t.ok(makeQemuArguments({ machine: 'q35', accelerator: 'kvm', memory: 2 << 20, cpus: 1, image: 'i', features: 2, fds: { channel: 3, qmp: 4 }, log: '/a,b' }).includes('socket,id=channel,fd=3,logfile=/a,,b,logappend=on'));
});
