/**
 * Debian's tools that read /proc, /sys and the mount table, in the guest: what they print is checked for sense, since numbers are the machine's own. One run a group of
 * tools: a shell script prints a mark before each.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { makeDebianRoot } from '../debian-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-proc-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const PACKAGES =
  'base-files bash dash coreutils grep sed procps psmisc lsof util-linux mount bsdutils python3-minimal libpython3-stdlib ncurses-base expect tmux libc-bin'.split(' ');

const made = makeDebianRoot('tools', PACKAGES, (root) => {
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\nother:x:1234:1234::/tmp:/bin/bash\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ntty:x:5:\nother:x:1234:\n');
});
const skip = 'reason' in made ? made.reason : false;
if (skip !== false) console.error(`proc.test: Debian's tools are not run: ${skip}`);
const root = 'root' in made ? made.root : '';

/** Runs each command in one guest, after `before`; what each printed, by command. */
async function runAll(before: string, commands: readonly string[], options: readonly string[] = []): Promise<Map<string, string>> {
  const script = [before, ...commands.flatMap((command, index) => [`echo '@@@ ${index}'`, `{ ${command}\n} </dev/null 2>&1`])].join('\n').concat('\n');
  const args = ['run', '--rootfs', root, ...options, 'bash'];
  const { stdout, stderr } = await execa(hull, args, { env, extendEnv: false, reject: false, input: script, timeout: 600_000 });
  const parts = new Map<string, string>();
  for (const part of stdout.split('@@@ ').slice(1)) {
    const [index = '', ...lines] = part.split('\n');
    parts.set(commands[Number(index)] ?? '', lines.join('\n'));
  }
  if (parts.size < commands.length) parts.set('missing', stderr);
  return parts;
}

async function check(t: Test, before: string, expected: Record<string, RegExp[]>, options: readonly string[] = []) {
  const got = await runAll(before, Object.keys(expected), options);
  t.notOk(got.get('missing'), 'the script came to its end');
  for (const [command, patterns] of Object.entries(expected)) {
    for (const pattern of patterns) t.match(got.get(command) ?? '', pattern, command);
  }
}

t.test('processes', { skip }, async (t) => {
  await check(t, 'export TERM=dumb; sleep 1001 & sleep 1002 | cat &', {
    'ps aux': [/^USER +PID %CPU %MEM +VSZ +RSS TTY +STAT START +TIME COMMAND$/m, /^root +2 +\d+\.\d +\d\.\d +\d+ +\d+ \? +S +\d\d:\d\d +\d:\d\d sleep 1001$/m],
    'ps -ef': [/^root +1 +0 +\d+ \d\d:\d\d \? +\d\d:\d\d:\d\d bash$/m, /^root +2 +1 +\d+ .* sleep 1001$/m],
    'ps axjf': [/^ +0 +1 +1 +1 \? +-1 Ss? +0 +\d+:\d\d bash/m, /ps axjf$/m],
    'ps -o pid,ppid,pgid,sid,ni,nlwp,vsz,rss,comm -p 2': [/^ +2 +1 +1 +1 +0 +1 +\d+ +\d+ sleep$/m],
    'top -bn1': [/^Tasks: +\d+ total, +\d+ running,/m, /^MiB Mem : +2\d\d\.\d total/m, /^ +1 root +20 +0 +\d+ +\d+ +\d+ S +\d+\.\d +\d+\.\d +\d+:\d\d\.\d\d bash$/m],
    free: [/^Mem: +26\d{4} +\d+ +\d+ +\d+ +\d+ +\d+$/m, /^Swap: +0 +0 +0$/m],
    uptime: [/^ \d\d:\d\d:\d\d up +\d+ min, .*load average: \d\.\d\d, \d\.\d\d, \d\.\d\d$/m],
    vmstat: [/^ *\d+ +0 +0 +\d+ +0 +\d+ +0 +0 +\d+ +0 +\d+ +\d+ +\d+ +\d+ +\d+ +0 +0$/m],
    'w -h; echo $?': [/^0$/m],
    'pgrep sleep': [/^2\n3\n$/],
    'pmap 2': [/r-x-- sleep$/m, /rw--- +\[ stack \]$/m, /^ total +\d+K$/m],
    'pstree -p': [/^bash\(1\)-\+-/m, /\|-sleep\(2\)/],
    'fuser -v /usr/bin/sleep /bin/sleep; true': [/sleep/],
    'lsof -p 2': [/^sleep +2 root +cwd +DIR .* \/$/m, /^sleep +2 root +txt +REG .*\/sleep$/m, /^sleep +2 root +0\w +(CHR|FIFO)/m],
    'cat /proc/2/cmdline | tr "\\0" " "': [/^sleep 1001 $/m],
    'pkill -f "sleep 100"; wait; pgrep sleep; echo $?': [/^1$/m],
  });
});

t.test('the machine', { skip }, async (t) => {
  await check(
    t,
    '',
    {
      lscpu: [/^CPU\(s\): +1$/m, /^On-line CPU\(s\) list: +0$/m, /^NUMA node0 CPU\(s\): +0$/m],
      lsblk: [/^vda +254:0 +0 +[\d.]+M +1 disk/m],
      findmnt: [/^\/ +overlay +overlay +rw,relatime$/m, /\/proc +proc +proc +rw,nosuid,nodev,noexec,relatime$/m, /\/sys\/fs\/cgroup +cgroup2 +cgroup2 +ro,/m],
      'findmnt -n -o FSTYPE /dev/shm': [/^tmpfs$/m],
      mount: [/^overlay on \/ type overlay \(rw,relatime\)$/m, /^tmpfs on \/dev\/shm type tmpfs \(rw,nosuid,nodev,noexec,relatime,size=65536k\)$/m],
      'df /dev/shm': [/^tmpfs +65536 +0 +65536 +0% \/dev\/shm$/m],
      nproc: [/^1$/m],
      'cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max': [/^0::\/\n6[56]\d{6}\nmax 100000$/m],
      'stat -f -c "%T %t" / /proc /sys /dev/shm /sys/fs/cgroup': [/^overlayfs 794c7630\nproc 9fa0\nsysfs 62656572\ntmpfs 1021994\ncgroup2fs 63677270$/m],
      'echo new > /proc/sys/kernel/hostname; uname -n; cat /proc/sys/kernel/hostname': [/^new\nnew$/m],
      'echo 7 > /proc/sys/vm/swappiness; echo $?': [/^1$/m],
      'cd /proc/sys/net; cat core/somaxconn ipv4/ip_local_port_range; sysctl net.ipv4.tcp_keepalive_time net.core.rmem_max': [/^4096\n32768\t60999\nnet.ipv4.tcp_keepalive_time = 7200\nnet.core.rmem_max = 212992$/m],
      'echo 3 > /proc/sys/vm/drop_caches; echo $?': [/^0$/m],
    },
    ['-m', '64m'],
  );
});

t.test('pseudoterminals', { skip }, async (t) => {
  const python = 'import os, pty; code = pty.spawn(["bash", "--norc", "-c", "tty; test -t 0 && echo on a terminal; exit 3"]); print("status", code >> 8)';
  await check(t, `export TERM=xterm LC_ALL=C.UTF-8\ncat > /tmp/spawn.py <<'END'\n${python}\nEND`, {
    "script -qec 'tty; ps -o pid,tty,stat,comm; stty size' /dev/null": [/^\/dev\/pts\/0\r?$/m, /^ +\d+ pts\/0 +R\+ +ps\r?$/m, /^0 0\r?$/m],
    'python3 /tmp/spawn.py': [/^\/dev\/pts\/0\r?$/m, /^on a terminal\r?$/m, /^status 3$/m],
    "expect -c 'set timeout 120; spawn bash --norc; send \"echo \\$((6*7))\\r\"; expect 42 {puts found}; send \"exit\\r\"; expect eof'": [/found\r?$/m],
    "tmux new -d -s one 'echo inside; tty; sleep 1000' && for i in $(seq 100); do tmux capture-pane -p -t one | grep -q pts/ && break; sleep 0.2; done && tmux ls && tmux capture-pane -p -t one && tmux kill-server": [/^one: 1 windows/m, /^inside$/m, /^\/dev\/pts\/0$/m],
    'ls /dev/pts': [/^ptmx$/m],
  });
});

t.test('reboot ends the machine, whoever calls it', { skip }, async (t) => {
  const call = (command: string) => `import ctypes; c = ctypes.CDLL(None, use_errno=True); r = c.reboot(${command}); print(r, ctypes.get_errno())`;
  const script = (command: string) => `echo before; python3 -c '${call(command)}'; echo after`;
  const args = (command: string) => ['run', '--rootfs', root, 'bash', '-c', script(command)];
  for (const command of ['0x4321fedc', '0x01234567', '0xcdef0123']) {
    const off = await execa(hull, args(command), { env, extendEnv: false, reject: false, timeout: 600_000 });
    t.same([off.exitCode, off.stdout], [0, 'before'], `${command} ${off.stderr}`);
  }
  const unknown = await execa(hull, args('0x12345678'), { env, extendEnv: false, reject: false, timeout: 600_000 });
  t.same([unknown.exitCode, unknown.stdout], [0, 'before\n-1 22\nafter'], unknown.stderr);
  const other = await execa(hull, ['run', '--user', '1234', ...args('0x4321fedc').slice(1)], { env, extendEnv: false, reject: false, timeout: 600_000 });
  t.same([other.exitCode, other.stdout], [0, 'before\n-1 1\nafter'], other.stderr);
});
