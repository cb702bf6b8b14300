/**
 * The numbers of the boot ABI. Owns: the host's copy of libos/abi/boot_abi.h. Rule: a name here is the name there without
 * HULL_; test/boot/abi.test.ts reads the header and compares each one, so neither side changes alone.
 */
export const ABI_VERSION = 1;

export const NOTE_IMAGE = 1;
export const FEATURE = { UART: 1 << 0, VIRTIO_CONSOLE: 1 << 1, INPUT: 1 << 2, SIGNALS: 1 << 3, BINARY: 1 << 4, TRACE: 1 << 5, NETWORK: 1 << 6, MOUNTS: 1 << 7, '9P': 1 << 8, BALLOON: 1 << 9, CONTROL: 1 << 10, EXT4: 1 << 11, CALLS: 1 << 12, XEN_CONSOLE: 1 << 13 } as const;

export const MODULE_MAGIC = 0x314d4c48;
export const FLAG = { FRAMED: 1 << 0, DEBUG_EXIT: 1 << 1, STDIN: 1 << 2, TTY: 1 << 3, FIXED: 1 << 4, READ_ONLY: 1 << 5, HOLD: 1 << 6 } as const;
export const MODULE = {
  ARGV: 1,
  ENV: 2,
  CWD: 3,
  HOSTNAME: 4,
  ENTROPY: 5,
  REALTIME: 6,
  TSC_KHZ: 7,
  USER: 8,
  WINSIZE: 9,
  ROOTFS: 10,
  EXEC: 11,
  TRACE: 12,
  NETWORK: 13,
  FILES: 14,
  MOUNTS: 15,
  UPPER: 16,
  DISK: 17,
  POWER: 18,
} as const;
export const MOUNT = { '9P': 1, TMPFS: 2, EXT4: 3, READ_ONLY: 1 << 0, OWN: 1 << 1, FILL: 1 << 2 } as const;
export const NETWORK = { DHCP: 1 << 0, AUTOCONF: 1 << 1 } as const;

/** What to send of a traced call's argument. */
export const TRACE = { AFTER: 128, WORDS: 0, STRING: 48, RESULT: 49, LENGTH: 50, ENTRIES: 56, VECTOR: 64, MOST: 256 } as const;

export const RECORD_MAGIC = 0xb5;
export const RECORD_MAX = 65520;
export const DEFERRED_ARGUMENTS = 5;
export const FAULT_STACK = 128;
export const RECORD_HEADER_SIZE = 16;
export const RECORD = {
  STDOUT: 1,
  STDERR: 2,
  LOG: 3,
  EXIT: 4,
  CREDIT: 5,
  READY: 6,
  PANIC: 7,
  CLOCK: 8,
  LOG_DEFERRED: 9,
  PANIC_DEFERRED: 10,
  FAULT: 11,
  TRACE_ENTER: 12,
  TRACE_LEAVE: 13,
  DONE: 14,
  STARTED: 15,
  RETURN: 16,
  STDIN: 32,
  STDIN_EOF: 33,
  SIGNAL: 34,
  RESIZE: 35,
  ATTACH: 36,
  EXEC: 37,
  CALL: 38,
  HELLO: 39,
} as const;

/** Calls on files that the host asks for; numbers of x86-64. */
export const CALL = {
  READ: 0,
  WRITE: 1,
  CLOSE: 3,
  SYNC: 162,
  LSETXATTR: 189,
  LGETXATTR: 192,
  LLISTXATTR: 195,
  GETDENTS64: 217,
  OPENAT: 257,
  MKDIRAT: 258,
  MKNODAT: 259,
  FCHOWNAT: 260,
  NEWFSTATAT: 262,
  UNLINKAT: 263,
  LINKAT: 265,
  SYMLINKAT: 266,
  READLINKAT: 267,
  FCHMODAT: 268,
  UTIMENSAT: 280,
  IS_VALUE: 0,
  IS_DATA: 1,
  IS_OUT: 2,
  IS_LAST: 3,
} as const;
