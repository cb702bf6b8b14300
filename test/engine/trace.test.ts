/** Values of traced calls as text, by the instruction set of the program: Linux numbers some flags, and lays out struct stat, differently. */
import t from 'tap';
import type { CallMachine } from '../../compiler/select/index.ts';
import { readShapes } from '../../engine/trace/calls.ts';
import { formatParameter } from '../../engine/trace/values.ts';

/** One parameter of a call, by its position. */
function format(machine: CallMachine, name: string, index: number, value: number, bytes?: Buffer): string | undefined {
  const parameter = readShapes(machine).get(name)?.parameters[index];
  if (parameter === undefined) throw new Error(`Cannot format parameter ${index} of "${name}": no such, expected one of its shape`);
  return formatParameter(parameter, { value: BigInt(value), all: [], bytes, vectors: [] }, 0n);
}

t.test('flags of open', (t) => {
  const O = { x86_64: { DIRECTORY: 0o200000, NOFOLLOW: 0o400000, DIRECT: 0o40000, LARGEFILE: 0o100000 }, aarch64: { DIRECTORY: 0o40000, NOFOLLOW: 0o100000, DIRECT: 0o200000, LARGEFILE: 0o400000 } };
  for (const machine of ['x86_64', 'aarch64'] as const) {
    for (const [name, bit] of Object.entries(O[machine])) t.equal(format(machine, 'openat', 2, bit | 2), `O_RDWR|O_${name}`, `${machine}: ${name}`);
    t.equal(format(machine, 'openat', 2, 0o20000000 | O[machine].DIRECTORY | 1), 'O_WRONLY|O_TMPFILE', machine);
    t.equal(format(machine, 'openat', 2, 0o2000000 | O[machine].DIRECTORY), 'O_RDONLY|O_DIRECTORY|O_CLOEXEC', machine);
    t.equal(format(machine, 'pipe2', 1, O[machine].DIRECT | 0o2000000), 'O_DIRECT|O_CLOEXEC', machine);
  }
  t.end();
});

t.test('flags of calls that make a descriptor of their own', (t) => {
  const calls: [string, number, string][] = [['pipe2', 1, 'O'], ['dup3', 2, 'O'], ['epoll_create1', 0, 'EPOLL'], ['eventfd2', 1, 'EFD'], ['timerfd_create', 1, 'TFD'], ['signalfd4', 3, 'SFD'], ['inotify_init1', 0, 'IN']];
  for (const [name, index, prefix] of calls) {
    t.equal(format('x86_64', name, index, 0), '0', name);
    t.equal(format('x86_64', name, index, 0o2000000), `${prefix}_CLOEXEC`, name);
  }
  t.end();
});

t.test('struct stat', (t) => {
  const stat = Buffer.alloc(144);
  stat.writeUInt32LE(0o100644, 24);
  stat.writeBigInt64LE(77n, 48);
  t.equal(format('x86_64', 'fstat', 1, 4096, stat), '{st_mode=S_IFREG|0644, st_size=77, ...}');
  const generic = Buffer.alloc(128);
  generic.writeUInt32LE(0o020666, 16);
  generic.writeBigUInt64LE(0x103n, 32);
  t.equal(format('aarch64', 'fstat', 1, 4096, generic), '{st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}');
  t.equal(format('aarch64', 'fstat', 1, 4096, generic.subarray(0, 64)), '0x1000', 'not enough of it');
  t.end();
});
