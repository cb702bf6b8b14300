/**
 * The numbers of the boot ABI. Owns: the host's copy of libos/abi/boot_abi.h. Rule: a name here is the name there without
 * HULL_; test/boot/abi.test.ts reads the header and compares each one, so neither side changes alone.
 */
export const ABI_VERSION = 1;

export const NOTE_IMAGE = 1;
export const FEATURE = { UART: 1 << 0, VIRTIO_CONSOLE: 1 << 1, INPUT: 1 << 2, SIGNALS: 1 << 3, BINARY: 1 << 4, TRACE: 1 << 5, NETWORK: 1 << 6, MOUNTS: 1 << 7, '9P': 1 << 8, BALLOON: 1 << 9, CONTROL: 1 << 10, EXT4: 1 << 11 } as const;

export const MODULE_MAGIC = 0x314d4c48;
export const FLAG = { FRAMED: 1 << 0, DEBUG_EXIT: 1 << 1, STDIN: 1 << 2, TTY: 1 << 3, FIXED: 1 << 4, READ_ONLY: 1 << 5 } as const;
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
  STDIN: 32,
  STDIN_EOF: 33,
  SIGNAL: 34,
  RESIZE: 35,
  ATTACH: 36,
  EXEC: 37,
} as const;
