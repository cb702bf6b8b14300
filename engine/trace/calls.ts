/**
 * The shapes of system calls, for tracing: "name parameter…", a word of values.ts each; "=hex" or "=none" after the name when the result is not a
 * decimal number. Owns: which calls have a shape, and the classes of --trace. Source: the manual pages of section 2, and uapi headers.
 */
import type { CallMachine } from '../../compiler/select/index.ts';
import { parseParameter, type Parameter } from './values.ts';

const SHAPES = `
read fd out size
write fd in:2 size
open path open mode?
close fd
stat path stat>
fstat fd stat>
lstat path stat>
poll pollfd>:1 uint int
lseek fd int whence
mmap=hex addr size prot map fd hex
mprotect addr size prot
munmap addr size
brk=hex addr
rt_sigaction signal sigaction sigaction> uint
rt_sigprocmask sigmask sigset sigset> uint
rt_sigreturn=none
ioctl fd ioctl ptr
pread64 fd out size int
pwrite64 fd in:2 size int
readv fd iov>:2 int
writev fd iov:2 int
access path access
pipe fds>
select int ptr ptr ptr timeval
sched_yield
mremap=hex addr size size mremap addr
msync addr size msync
mincore addr size ptr
madvise addr size madvise
dup fd
dup2 fd fd
pause
nanosleep timespec timespec>
getitimer itimer itimerval>
alarm uint
setitimer itimer itimerval itimerval>
getpid
sendfile fd fd ptr size
socket family socktype int
connect fd sockaddr int
accept fd ptr ptr
sendto fd in:2 size msg sockaddr int
recvfrom fd out size msg ptr ptr
sendmsg fd ptr msg
recvmsg fd ptr msg
shutdown fd shutdown
bind fd sockaddr int
listen fd int
getsockname fd ptr ptr
getpeername fd ptr ptr
socketpair family socktype int fds>
setsockopt fd sol int in:4 int
getsockopt fd sol int ptr ptr
clone clone ptr ptr ptr ptr
fork
vfork
execve path ptr ptr
exit int
wait4 int wstatus> wait ptr
kill int signal
uname utsname>
fcntl fd fcntl hex
flock fd flock
fsync fd
fdatasync fd
truncate path size
ftruncate fd size
getdents fd ptr size
getcwd outn:1 size
chdir path
fchdir fd
rename path path
mkdir path mode
rmdir path
creat path mode
link path path
unlink path
symlink path path
readlink path out size
chmod path mode
fchmod fd mode
chown path int int
fchown fd int int
lchown path int int
umask=oct mode
gettimeofday timeval> ptr
getrlimit rlimit rlim>
getrusage who ptr
sysinfo ptr
times ptr
getuid
syslog int ptr int
getgid
setuid int
setgid int
geteuid
getegid
setpgid int int
getppid
getpgrp
setsid
setreuid int int
setregid int int
getgroups int ptr
setgroups size ptr
setresuid int int int
getresuid u32> u32> u32>
setresgid int int int
getresgid u32> u32> u32>
getpgid int
setfsuid int
setfsgid int
getsid int
capget ptr ptr
capset ptr ptr
rt_sigpending sigset> uint
rt_sigtimedwait sigset ptr timespec uint
rt_sigqueueinfo int signal ptr
rt_sigsuspend sigset uint
sigaltstack ptr ptr
mknod path mode hex
personality hex
statfs path ptr
fstatfs fd ptr
getpriority int int
setpriority int int int
prctl prctl name> rest rest rest
arch_prctl arch_prctl ptr
setrlimit rlimit rlim
chroot path
sync
mount path path str hex ptr
umount2 path hex
sethostname in:1 size
gettid
readahead fd int size
getxattr path str ptr size
tkill int signal
time ptr
futex ptr futex int timespec ptr hex
sched_setaffinity int size ptr
sched_getaffinity int size ptr
epoll_create int
getdents64 fd ptr size
set_tid_address ptr
fadvise64 fd int size int
clock_settime clock timespec
clock_gettime clock timespec>
clock_getres clock timespec>
clock_nanosleep clock timer timespec timespec>
exit_group=none int
epoll_wait fd ptr int int
epoll_ctl fd epollop fd ptr
tgkill int int signal
utimes path ptr
waitid int int ptr wait ptr
openat at path open mode?
mkdirat at path mode
mknodat at path mode hex
fchownat at path int int atflags
futimesat at path ptr
newfstatat at path stat> atflags
unlinkat at path atflags
renameat at path at path
linkat at path at path atflags
symlinkat path at path
readlinkat at path out size
fchmodat at path mode
faccessat at path access
pselect6 int ptr ptr ptr timespec ptr
ppoll pollfd>:1 uint timespec sigset uint
set_robust_list ptr size
get_robust_list int ptr ptr
splice fd ptr fd ptr size hex
utimensat at path ptr atflags
epoll_pwait fd ptr int int sigset uint
timerfd_create clock timerfd
eventfd uint
fallocate fd hex int int
timerfd_settime fd timer ptr ptr
timerfd_gettime fd ptr
accept4 fd ptr ptr socktype
signalfd4 fd sigset uint signalfd
eventfd2 uint eventfd
epoll_create1 epoll
dup3 fd fd descriptor
pipe2 fds> descriptor
inotify_init1 inotify
preadv fd iov>:2 int int
pwritev fd iov:2 int int
prlimit64 int rlimit rlim rlim>
sendmmsg fd ptr uint msg
recvmmsg fd ptr uint msg ptr
getcpu ptr ptr ptr
sched_getparam int ptr
sched_setscheduler int int ptr
sched_getscheduler int
renameat2 at path at path hex
getrandom random size grnd
memfd_create str hex
execveat at path ptr ptr atflags
membarrier int uint int
copy_file_range fd ptr fd ptr size hex
statx at path atflags hex ptr
rseq ptr hex hex hex
clone3 ptr size
close_range fd fd hex
openat2 at path ptr size
faccessat2 at path access atflags
`;

export interface Shape {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly result: 'number' | 'hex' | 'oct' | 'none';
}

const MEMORY = 'mmap mprotect munmap brk mremap msync mincore madvise mlock munlock mlockall munlockall membarrier memfd_create shmat shmdt'.split(' ');
const PROCESS = 'clone clone3 fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill rt_sigqueueinfo pidfd_open arch_prctl'.split(' ');
const SIGNAL = 'rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack pause kill tkill tgkill signalfd signalfd4'.split(' ');
const NETWORK = 'socket connect accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt'.split(' ');

export const CLASSES = ['file', 'desc', 'memory', 'process', 'signal', 'network'] as const;

export function isInClass(className: string, name: string, shape: Shape | undefined): boolean {
  const has = (kinds: readonly string[]) => shape?.parameters.some(({ kind }) => kinds.includes(kind)) === true;
  switch (className) {
    case 'file':
      return has(['path']);
    case 'desc':
      return has(['fd', 'at', 'fds']) || NETWORK.includes(name);
    case 'memory':
      return MEMORY.includes(name);
    case 'process':
      return PROCESS.includes(name);
    case 'signal':
      return SIGNAL.includes(name);
    default:
      return NETWORK.includes(name);
  }
}

/** Shapes by name. `machine`: whose layouts and numbers the program has. */
export function readShapes(machine: CallMachine = 'x86_64'): Map<string, Shape> {
  const lines = SHAPES.trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [head = '', ...words] = line.split(' ');
      const [name = '', result = 'number'] = head.split('=');
      return [name, { name, result: result as Shape['result'], parameters: words.map((word) => parseParameter(word, machine)) }];
    }),
  );
}
