/** Names of numbers: flags, requests, errors. Source: Linux's uapi headers, for x86-64 where nothing else is said. */
interface NameSet {
  readonly isFlags: boolean;
  /** What 0, or none of the flags, is called. */
  readonly zero?: string | undefined;
  readonly names: readonly (readonly [bigint, string])[];
}

/** "NAME number" pairs; a prefix saves its repetition; a first pair of 0 names the absence of flags. */
function makeSet(isFlags: boolean, prefix: string, text: string): NameSet {
  const words = text.trim().split(/\s+/);
  const names = words.filter((_, i) => i % 2 === 0).map((name, i): [bigint, string] => [BigInt(words[i * 2 + 1] as string), prefix + name]);
  const zero = names.find(([value]) => value === 0n)?.[1];
  return { isFlags, zero, names: isFlags ? names.filter(([value]) => value !== 0n) : names };
}

const flags = (prefix: string, text: string) => makeSet(true, prefix, text);
const values = (prefix: string, text: string) => makeSet(false, prefix, text);

/** Those of O_* that arm64's fcntl.h has elsewhere than x86-64's; TMPFILE holds DIRECTORY. */
interface OwnOpenFlags {
  readonly direct: string;
  readonly tmpfile: string;
  readonly directory: string;
  readonly nofollow: string;
  readonly largefile: string;
}
const openFlags = (at: OwnOpenFlags) =>
  flags('O_', `RDONLY 0 WRONLY 1 RDWR 2 CREAT 0x40 EXCL 0x80 NOCTTY 0x100 TRUNC 0x200 APPEND 0x400 NONBLOCK 0x800 SYNC 0x101000 DSYNC 0x1000 ASYNC 0x2000 DIRECT ${at.direct} TMPFILE ${at.tmpfile} DIRECTORY ${at.directory} NOFOLLOW ${at.nofollow} NOATIME 0x40000 LARGEFILE ${at.largefile} CLOEXEC 0x80000 PATH 0x200000`);

export const SETS: Record<string, NameSet> = {
  open: openFlags({ direct: '0x4000', tmpfile: '0x410000', directory: '0x10000', nofollow: '0x20000', largefile: '0x8000' }),
  open_aarch64: openFlags({ direct: '0x10000', tmpfile: '0x404000', directory: '0x4000', nofollow: '0x8000', largefile: '0x20000' }),
  // pipe2, dup3: of open's flags those that a new descriptor takes
  descriptor: flags('O_', 'NONBLOCK 0x800 DIRECT 0x4000 CLOEXEC 0x80000'),
  descriptor_aarch64: flags('O_', 'NONBLOCK 0x800 DIRECT 0x10000 CLOEXEC 0x80000'),
  epoll: flags('EPOLL_', 'CLOEXEC 0x80000'),
  eventfd: flags('EFD_', 'SEMAPHORE 1 NONBLOCK 0x800 CLOEXEC 0x80000'),
  timerfd: flags('TFD_', 'NONBLOCK 0x800 CLOEXEC 0x80000'),
  signalfd: flags('SFD_', 'NONBLOCK 0x800 CLOEXEC 0x80000'),
  inotify: flags('IN_', 'NONBLOCK 0x800 CLOEXEC 0x80000'),
  prot: flags('PROT_', 'NONE 0 READ 1 WRITE 2 EXEC 4 GROWSDOWN 0x1000000'),
  map: flags('MAP_', 'FILE 0 SHARED_VALIDATE 3 SHARED 1 PRIVATE 2 FIXED 0x10 ANONYMOUS 0x20 GROWSDOWN 0x100 DENYWRITE 0x800 LOCKED 0x2000 NORESERVE 0x4000 POPULATE 0x8000 NONBLOCK 0x10000 STACK 0x20000 FIXED_NOREPLACE 0x100000'),
  mremap: flags('MREMAP_', 'MAYMOVE 1 FIXED 2 DONTUNMAP 4'),
  msync: flags('MS_', 'ASYNC 1 INVALIDATE 2 SYNC 4'),
  madvise: values('MADV_', 'NORMAL 0 RANDOM 1 SEQUENTIAL 2 WILLNEED 3 DONTNEED 4 FREE 8 DONTFORK 10 DOFORK 11 MERGEABLE 12 HUGEPAGE 14 NOHUGEPAGE 15 DONTDUMP 16'),
  access: flags('', 'F_OK 0 R_OK 4 W_OK 2 X_OK 1'),
  atflags: flags('AT_', 'SYMLINK_NOFOLLOW 0x100 REMOVEDIR 0x200 SYMLINK_FOLLOW 0x400 NO_AUTOMOUNT 0x800 EMPTY_PATH 0x1000'),
  whence: values('SEEK_', 'SET 0 CUR 1 END 2 DATA 3 HOLE 4'),
  sa: flags('SA_', 'NOCLDSTOP 1 NOCLDWAIT 2 SIGINFO 4 RESTORER 0x4000000 ONSTACK 0x8000000 RESTART 0x10000000 NODEFER 0x40000000 RESETHAND 0x80000000'),
  sigmask: values('SIG_', 'BLOCK 0 UNBLOCK 1 SETMASK 2'),
  poll: flags('POLL', 'IN 1 PRI 2 OUT 4 ERR 8 HUP 16 NVAL 32 RDNORM 64 RDHUP 0x2000'),
  ioctl: values('', 'TCGETS 0x5401 TCSETS 0x5402 TCSETSW 0x5403 TCSETSF 0x5404 TIOCSCTTY 0x540e TIOCGPGRP 0x540f TIOCSPGRP 0x5410 TIOCGWINSZ 0x5413 TIOCSWINSZ 0x5414 FIONREAD 0x541b FIONBIO 0x5421 TIOCNOTTY 0x5422 FIOCLEX 0x5451 FIONCLEX 0x5450'),
  fcntl: values('F_', 'DUPFD 0 GETFD 1 SETFD 2 GETFL 3 SETFL 4 GETLK 5 SETLK 6 SETLKW 7 SETOWN 8 GETOWN 9 DUPFD_CLOEXEC 1030 SETPIPE_SZ 1031 GETPIPE_SZ 1032 ADD_SEALS 1033 GET_SEALS 1034'),
  flock: flags('LOCK_', 'SH 1 EX 2 NB 4 UN 8'),
  itimer: values('ITIMER_', 'REAL 0 VIRTUAL 1 PROF 2'),
  clock: values('CLOCK_', 'REALTIME 0 MONOTONIC 1 PROCESS_CPUTIME_ID 2 THREAD_CPUTIME_ID 3 MONOTONIC_RAW 4 REALTIME_COARSE 5 MONOTONIC_COARSE 6 BOOTTIME 7 TAI 11'),
  timer: flags('TIMER_', 'ABSTIME 1'),
  family: values('AF_', 'UNSPEC 0 UNIX 1 INET 2 INET6 10 NETLINK 16 PACKET 17'),
  socktype: flags('SOCK_', 'STREAM 1 DGRAM 2 RAW 3 SEQPACKET 5 NONBLOCK 0x800 CLOEXEC 0x80000'),
  sol: values('', 'SOL_IP 0 SOL_SOCKET 1 SOL_TCP 6 SOL_UDP 17 SOL_IPV6 41'),
  shutdown: values('SHUT_', 'RD 0 WR 1 RDWR 2'),
  msg: flags('MSG_', 'OOB 1 PEEK 2 TRUNC 0x20 DONTWAIT 0x40 WAITALL 0x100 NOSIGNAL 0x4000 CMSG_CLOEXEC 0x40000000'),
  clone: flags('CLONE_', 'VM 0x100 FS 0x200 FILES 0x400 SIGHAND 0x800 PIDFD 0x1000 VFORK 0x4000 PARENT 0x8000 THREAD 0x10000 NEWNS 0x20000 SYSVSEM 0x40000 SETTLS 0x80000 PARENT_SETTID 0x100000 CHILD_CLEARTID 0x200000 DETACHED 0x400000 CHILD_SETTID 0x1000000'),
  wait: flags('W', 'NOHANG 1 STOPPED 2 EXITED 4 CONTINUED 8'),
  rlimit: values('RLIMIT_', 'CPU 0 FSIZE 1 DATA 2 STACK 3 CORE 4 RSS 5 NPROC 6 NOFILE 7 MEMLOCK 8 AS 9 LOCKS 10 SIGPENDING 11 MSGQUEUE 12 NICE 13 RTPRIO 14 RTTIME 15'),
  who: values('RUSAGE_', 'SELF 0 CHILDREN 0xffffffff THREAD 1'),
  prctl: values('PR_', 'SET_PDEATHSIG 1 GET_PDEATHSIG 2 GET_DUMPABLE 3 SET_DUMPABLE 4 GET_KEEPCAPS 7 SET_KEEPCAPS 8 SET_NAME 15 GET_NAME 16 GET_SECCOMP 21 SET_SECCOMP 22 CAPBSET_READ 23 CAPBSET_DROP 24 SET_TIMERSLACK 29 GET_TIMERSLACK 30 SET_NO_NEW_PRIVS 38 GET_NO_NEW_PRIVS 39 SET_VMA 0x53564d41'),
  arch_prctl: values('ARCH_', 'SET_GS 0x1001 SET_FS 0x1002 GET_FS 0x1003 GET_GS 0x1004'),
  futex: values('FUTEX_', 'WAIT 0 WAKE 1 REQUEUE 3 CMP_REQUEUE 4 WAKE_OP 5 LOCK_PI 6 UNLOCK_PI 7 WAIT_BITSET 9 WAKE_BITSET 10 WAIT_PRIVATE 128 WAKE_PRIVATE 129 REQUEUE_PRIVATE 131 CMP_REQUEUE_PRIVATE 132 WAKE_OP_PRIVATE 133 WAIT_BITSET_PRIVATE 137 WAKE_BITSET_PRIVATE 138 WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME 393'),
  epollop: values('EPOLL_CTL_', 'ADD 1 DEL 2 MOD 3'),
  grnd: flags('GRND_', 'NONBLOCK 1 RANDOM 2 INSECURE 4'),
};

/** Fields of several bits whose values are no flags, at the bottom of the word. */
const FIELDS: Record<string, bigint> = { open: 3n, open_aarch64: 3n, socktype: 15n, clone: 255n };

export function formatName(set: string, value: bigint): string {
  return SETS[set]?.names.find(([number]) => number === value)?.[1] ?? `0x${value.toString(16)}`;
}

export function formatFlags(set: string, value: bigint): string {
  const { names, zero } = SETS[set] as NameSet;
  const field = FIELDS[set] ?? 0n;
  let left = value;
  const found: string[] = [];
  if (field !== 0n && set !== 'clone') {
    const name = names.find(([number]) => number === (value & field))?.[1] ?? ((value & field) === 0n ? zero : undefined);
    if (name !== undefined) {
      found.push(name);
      left &= ~field;
    }
  }
  for (const [number, name] of names) {
    if ((number & field) !== 0n || (left & number) !== number) continue;
    found.push(name);
    left &= ~number;
  }
  if (set === 'clone' && (left & field) === 17n) {
    found.push('SIGCHLD');
    left &= ~field;
  }
  if (left !== 0n) found.push(`0x${left.toString(16)}`);
  return found.length > 0 ? found.join('|') : (zero ?? '0');
}

const ERRORS: Record<string, string> = {
  EPERM: 'Operation not permitted', ENOENT: 'No such file or directory', ESRCH: 'No such process', EINTR: 'Interrupted system call',
  EIO: 'Input/output error', ENXIO: 'No such device or address', E2BIG: 'Argument list too long', ENOEXEC: 'Exec format error',
  EBADF: 'Bad file descriptor', ECHILD: 'No child processes', EAGAIN: 'Resource temporarily unavailable', ENOMEM: 'Cannot allocate memory',
  EACCES: 'Permission denied', EFAULT: 'Bad address', EBUSY: 'Device or resource busy', EEXIST: 'File exists', EXDEV: 'Invalid cross-device link',
  ENODEV: 'No such device', ENOTDIR: 'Not a directory', EISDIR: 'Is a directory', EINVAL: 'Invalid argument', ENFILE: 'Too many open files in system',
  EMFILE: 'Too many open files', ENOTTY: 'Inappropriate ioctl for device', ETXTBSY: 'Text file busy', EFBIG: 'File too large',
  ENOSPC: 'No space left on device', ESPIPE: 'Illegal seek', EROFS: 'Read-only file system', EMLINK: 'Too many links', EPIPE: 'Broken pipe',
  EDOM: 'Numerical argument out of domain', ERANGE: 'Numerical result out of range', EDEADLK: 'Resource deadlock avoided', ENAMETOOLONG: 'File name too long',
  ENOLCK: 'No locks available', ENOSYS: 'Function not implemented', ENOTEMPTY: 'Directory not empty', ELOOP: 'Too many levels of symbolic links',
  ENODATA: 'No data available', EOVERFLOW: 'Value too large for defined data type', ENOTSOCK: 'Socket operation on non-socket',
  EDESTADDRREQ: 'Destination address required', EMSGSIZE: 'Message too long', EPROTOTYPE: 'Protocol wrong type for socket',
  ENOPROTOOPT: 'Protocol not available', EPROTONOSUPPORT: 'Protocol not supported', EOPNOTSUPP: 'Operation not supported',
  EAFNOSUPPORT: 'Address family not supported by protocol', EADDRINUSE: 'Address already in use', EADDRNOTAVAIL: 'Cannot assign requested address',
  ENETDOWN: 'Network is down', ENETUNREACH: 'Network is unreachable', ECONNABORTED: 'Software caused connection abort', ECONNRESET: 'Connection reset by peer',
  ENOBUFS: 'No buffer space available', EISCONN: 'Transport endpoint is already connected', ENOTCONN: 'Transport endpoint is not connected',
  ETIMEDOUT: 'Connection timed out', ECONNREFUSED: 'Connection refused', EHOSTUNREACH: 'No route to host', EALREADY: 'Operation already in progress',
  EINPROGRESS: 'Operation now in progress', ECANCELED: 'Operation canceled',
};
const SAME_NUMBER = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);

export function formatError(number: number, numbers: Readonly<Record<string, number>>): string {
  const name = Object.keys(numbers).find((each) => numbers[each] === number && !SAME_NUMBER.has(each));
  if (name === undefined) return `-${number}`;
  return `-1 ${name}${ERRORS[name] === undefined ? '' : ` (${ERRORS[name]})`}`;
}
