/**
 * A root file system with Debian's unmodified python3.11 and its own test suite, and the two ways to run it: as a unikernel, and natively in
 * a chroot of the same root, in namespaces of its own, under a fresh overlay.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDebianRoot } from '../debian-root.ts';

/** What each Debian system has ("Essential: yes" and base), python and what its tests look for. */
const PACKAGES = [
  ...'base-files base-passwd bash bsdutils coreutils dash debianutils diffutils findutils grep gzip hostname libc-bin login mount'.split(' '),
  ...'ncurses-base ncurses-bin perl-base sed tar util-linux procps netbase media-types tzdata openssl'.split(' '),
  ...'python3 python3.11 python3.11-venv python3-gdbm libpython3.11-testsuite'.split(' '),
];

/** What the packages' maintainer scripts would have made. */
function finish(root: string): void {
  for (const name of ['passwd', 'group']) copyFileSync(join(root, `usr/share/base-passwd/${name}.master`), join(root, 'etc', name));
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n');
  // Compiled files, as py3compile makes them. Some tests' data cannot be compiled on purpose: the status says nothing.
  execFileSync('/bin/sh', ['-c', 'chroot "$0" /usr/bin/python3.11 -m compileall -q /usr/lib/python3.11 /usr/lib/python3 >/dev/null 2>&1; :', root]);
}

export const makePythonRoot = (): { root: string } | { reason: string } => makeDebianRoot('python', PACKAGES, finish);

/** Every program sees the same variables on both sides. */
export const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' };

const NATIVE = `
set -e
m=/mnt # its own: nothing is left of it
mount --make-rprivate /
mount -t tmpfs none "$m"
ulimit -n 1024
mkdir "$m/upper" "$m/work" "$m/root"
mount -t overlay -o "lowerdir=$0,upperdir=$m/upper,workdir=$m/work" none "$m/root"
cd "$m/root"
mount -t proc none proc
mount -t tmpfs -o mode=755 none dev
mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
# Directories that tests write in are of one layer, as in the guest; the overlay as a whole is not empty (shutil.disk_usage).
mount -t tmpfs -o mode=1777 none tmp
echo > "$m/upper/.used"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 none dev/pts
mount -t tmpfs -o mode=1777 none dev/shm
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
ip link set lo up
hostname "$1"
shift
# Pipes, which /dev/stderr can be opened through; what starts this gives it sockets.
# And no right to set the machine's clock, which guests do not have either.
{ { setpriv --bounding-set -sys_time chroot . /usr/bin/env -i "$@" | cat >&3; } 2>&1 | cat >&2; } 3>&1
`;

/** Command and arguments that run `args` natively. */
export function makeNativeCommand(root: string, args: readonly string[]): [string, string[]] {
  const variables = Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  return ['unshare', ['-m', '-u', '-n', '-p', '-f', '--kill-child', '/bin/sh', '-c', NATIVE, root, 'hull', ...variables, ...args]];
}

/** Arguments of `hull` that run `args` in a guest. */
export function makeGuestArguments(root: string, memory: string, args: readonly string[]): string[] {
  const variables = Object.entries(ENVIRONMENT).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  return ['run', '--rootfs', root, '--hostname', 'hull', '-m', memory, ...variables, ...args];
}

/** What python is asked: all of a module, verbose, with its results as XML on stderr, where they are complete even when text is mixed up. */
export const makePythonArguments = (modules: readonly string[], options: readonly string[] = []): string[] =>
  ['/usr/bin/python3', '-m', 'test', '-v', '--junit-xml', '/dev/stderr', ...options, ...modules];
