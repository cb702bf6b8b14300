/**
 * compiler/select: from system calls to components.
 *
 * Owns: closure, reasons, options and their errors on a small made-up libOS; the table of names against the system's header.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { CompilerError } from '../../compiler/error.ts';
import {
  explainComponent,
  listSyscalls,
  readManifests,
  type SelectRequest,
  selectComponents,
  syscallCount,
  syscallName,
  syscallNumber,
} from '../../compiler/select/index.ts';

const components = readManifests(
  [
    { name: 'init', requires: ['arch', 'channel'] },
    { name: 'arch', requires: ['memory'] },
    { name: 'memory' },
    { name: 'channel' },
    { name: 'virtio', requires: ['memory'] },
    { name: 'virtio-console', requires: ['virtio', 'channel'], drivers: ['virtio-console'] },
    { name: 'virtio-mmio', requires: ['virtio'] },
    { name: 'virtio-pci', requires: ['virtio'] },
    { name: 'uart-16550', requires: ['channel'] },
    { name: 'exec', requires: ['vm'], programs: 'binary' },
    { name: 'linked', programs: 'linked' },
    { name: 'vm', requires: ['memory'], syscalls: { mmap: 'partial: no huge pages', brk: 'full' }, programs: 'binary' },
    { name: 'linked-vm', requires: ['memory'], syscalls: { mmap: 'full' }, programs: 'linked' },
    { name: 'file', requires: ['wait'], syscalls: { read: 'full', write: 'full' } },
    { name: 'wait', requires: ['clock'] },
    { name: 'clock', syscalls: { clock_gettime: 'full' } },
    { name: 'network', requires: ['clock'], syscalls: { socket: 'full' } },
  ],
  'test',
);
const places = (...names: string[]) => new Map(names.map((name) => [syscallNumber(name) ?? -1, `f_${name}`]));
const select = (request: Partial<SelectRequest>) =>
  selectComponents({ kind: 'binary', components, calls: new Map(), ...request });

function errorOf(run: () => unknown): CompilerError {
  try {
    run();
  } catch (error) {
    if (error instanceof CompilerError) return error;
    throw error;
  }
  throw new Error('expected a CompilerError');
}

const core = ['arch', 'channel', 'exec', 'init', 'memory', 'virtio', 'virtio-console', 'virtio-mmio', 'virtio-pci', 'vm'];

t.test('calls bring their components and what these require', (t) => {
  t.same(select({}).candidates, core, 'no call: the profile, closed');
  const selection = select({ calls: places('write', 'ptrace') });
  t.same(selection.candidates, [...core, 'clock', 'file', 'wait'].sort(), 'write: file -> wait -> clock');
  t.same(selection.calls, ['ptrace', 'write'], 'names for the table');
  t.match(selection.missing, [{ name: 'ptrace', place: 'f_ptrace', component: undefined }], 'a call that nobody has');
  t.equal(explainComponent(selection, 'file'), 'call write made at f_write');
  t.equal(explainComponent(selection, 'clock'), 'required by wait, required by file, call write made at f_write');
  t.match(explainComponent(selection, 'memory'), /required by .*(boots|drives|starts)/);
  t.notOk(selection.activate.includes('file'), 'a call makes a candidate, not a root');
  t.end();
});

t.test('an unknown call brings all of the kind', (t) => {
  const selection = select({ calls: 'all' });
  t.same(selection.candidates, components.filter((c) => c.programs !== 'linked').map((c) => c.name).sort());
  t.equal(selection.calls, 'all');
  t.equal(explainComponent(selection, 'network'), 'the program may make any call');
  const linked = select({ kind: 'linked' });
  t.ok(linked.activate.includes('uart-16550') && linked.activate.includes('linked'), 'linked: its own roots');
  t.notOk(linked.candidates.includes('vm') || linked.activate.includes('virtio-console'), 'and nothing of binary images');
  t.end();
});

/** A manifest without these calls, which another component of the test has. */
const dropCalls = (component: Record<string, unknown>, calls: readonly string[]) => ({
  ...component,
  syscalls: Object.fromEntries(Object.entries((component['syscalls'] ?? {}) as Record<string, string>).filter(([call]) => !calls.includes(call))),
});

t.test('a component whose files a program may open', (t) => {
  const files = { name: 'proc-x', requires: ['vfs'], opened: ['/proc'] };
  const vfs = { name: 'vfs', requires: ['clock'], syscalls: { open: 'full', stat: 'full' } };
  const others = (JSON.parse(JSON.stringify(components)) as Record<string, unknown>[]).filter(({ name }) => name !== 'vfs');
  const offer = readManifests([...others.map((component) => dropCalls(component, ['open', 'stat'])), vfs, files], 'test');
  const has = (request: Partial<SelectRequest>) => select({ components: offer, ...request }).activate.includes('proc-x');
  t.ok(has({ calls: places('open') }), 'any path');
  t.ok(has({ calls: places('open'), openedPaths: ['/etc/x', '/proc/meminfo'] }), 'one of them');
  t.ok(has({ calls: 'all' }), 'any call');
  t.notOk(has({ calls: places('open'), openedPaths: ['/process'] }), 'none of them');
  t.notOk(has({ calls: places('write') }), 'no call with a path');
  t.notOk(has({ calls: places('open'), leaveOut: ['proc-x'] }), 'left out');
  t.end();
});

t.test('what the C library\'s own /dev/null brings along', (t) => {
  const libos = join(findCheckout(), 'libos');
  const manifests = readdirSync(libos).map((name) => join(libos, name, 'component.json')).filter((path) => existsSync(path));
  const arch = JSON.parse(readFileSync(join(libos, 'arch/x86_64/component.json'), 'utf8'));
  const own = readManifests([arch, ...manifests.map((path) => JSON.parse(readFileSync(path, 'utf8')))], 'libos');
  const { activate, candidates } = selectComponents({ kind: 'binary', components: own, calls: places('open', 'writev'), openedPaths: ['/dev/null'] });
  t.ok([...activate, ...candidates].includes('device-files'));
  t.notOk([...activate, ...candidates].some((name) => ['vfs', 'tmpfs', 'pty', 'procfs'].includes(name)), 'no file system');
  t.end();
});

t.test('a component that answers a call before it is made', (t) => {
  const offer = readManifests([...JSON.parse(JSON.stringify(components)), { name: 'vdso', requires: ['clock'], programs: 'binary', answers: ['clock_gettime', 'time'] }], 'test');
  const asking = (request: Partial<SelectRequest>) => select({ components: offer, ...request });
  const wanted = asking({ calls: places('clock_gettime') });
  t.ok(wanted.activate.includes('vdso'));
  t.same(wanted.calls, ['clock_gettime', 'time'], 'what it may pass on is there, too');
  t.equal(explainComponent(wanted, 'vdso'), 'call clock_gettime made at f_clock_gettime');
  t.notOk(asking({ calls: places('write') }).activate.includes('vdso'), 'nobody asks');
  t.ok(asking({ calls: 'all' }).activate.includes('vdso'), 'anybody may ask');
  t.notOk(asking({ kind: 'linked', calls: new Map() }).activate.includes('vdso'), 'a call is a function');
  t.notOk(asking({ calls: places('clock_gettime'), leaveOut: ['vdso'] }).activate.includes('vdso'), 'left out');
  t.end();
});

t.test('options add and leave out', (t) => {
  const added = select({ add: ['network'] });
  t.ok(added.activate.includes('network') && added.candidates.includes('clock'), 'added, with what it requires');
  t.equal(explainComponent(added, 'network'), 'asked for by option');
  const without = select({ calls: places('write', 'socket'), leaveOut: ['clock'] });
  t.notOk(without.candidates.some((name) => ['clock', 'wait', 'file', 'network'].includes(name)), 'and what cannot be without');
  t.same(without.excluded, ['clock', 'file', 'linked', 'linked-vm', 'network', 'wait'], "all out of the linker's reach");
  t.same(without.missing.map(({ name, component }) => [name, component]), [['write', 'file'], ['socket', 'network']], 'said');
  t.notOk(select({ leaveOut: ['virtio-pci'] }).candidates.includes('virtio-pci'), 'one transport of two');
  t.ok(select({ drivers: ['uart-16550'] }).candidates.every((name) => !name.startsWith('virtio')), 'another driver');

  const required = errorOf(() => select({ leaveOut: ['memory'] }));
  t.equal(required.code, 'required-component');
  t.match(required.message, /^Cannot leave out "memory": it is needed \(required by /);
  t.equal(errorOf(() => select({ leaveOut: ['init'] })).code, 'required-component', 'of the profile');
  t.equal(errorOf(() => select({ add: ['network'], leaveOut: ['clock'] })).code, 'required-component', 'of an added one');
  t.match(errorOf(() => select({ add: ['nonsense'] })), { code: 'unknown-component', message: /expected one of arch, / });
  t.equal(errorOf(() => select({ add: ['linked'] })).code, 'missing-component', 'of the other kind');
  t.equal(errorOf(() => select({ drivers: [] })).code, 'required-component', 'no driver at all');
  t.end();
});

t.test('a component without what it requires cannot be used', (t) => {
  const more = [...components, ...readManifests([{ name: 'a', requires: ['b'] }, { name: 'b', requires: ['nowhere'] }], 'x')];
  const selection = select({ components: more, calls: 'all' });
  t.notOk(selection.candidates.includes('a') || selection.candidates.includes('b'), 'not selected');
  t.ok(selection.excluded.includes('a') && selection.excluded.includes('b'), 'nor within reach');
  const error = errorOf(() => select({ components: more, add: ['a'] }));
  t.match(error, { code: 'missing-component', message: /"a": it requires b, which cannot be used/ });
  t.end();
});

t.test('manifests are checked', (t) => {
  const wrong: [name: string, value: unknown, text: RegExp][] = [
    ['no list', {}, /holds no list/],
    ['no object', [1], /no object/],
    ['a bad name', [{ name: '../x' }], /named "..\/x"/],
    ['a name twice', [{ name: 'a' }, { name: 'a' }], /there twice/],
    ['requires as text', [{ name: 'a', requires: 'b' }], /"requires" of a/],
    ['an unknown call', [{ name: 'a', syscalls: { reed: 'full' } }], /the call reed/],
    ['an unknown level', [{ name: 'a', syscalls: { read: 'mostly' } }], /"mostly"/],
    ['a call twice', [{ name: 'a', syscalls: { read: 'full' } }, { name: 'b', syscalls: { read: 'full' } }], /a and b both have read/],
    ['a bad kind', [{ name: 'a', programs: 'both' }], /"programs" of a/],
  ];
  for (const [name, value, text] of wrong) {
    t.match(errorOf(() => readManifests(value, 'here')), { code: 'bad-manifest', message: text }, name);
  }
  t.end();
});

t.test('names and numbers are those of the kernel', (t) => {
  const header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
  t.equal(listSyscalls().at(-1)?.number, syscallCount - 1, 'the table ends where it says');
  t.equal(new Set(listSyscalls().map(({ name }) => name)).size, listSyscalls().length, 'no name twice');
  if (!existsSync(header)) {
    t.pass('the header', { skip: `${header} is not here` });
    return t.end();
  }
  let compared = 0;
  for (const [, name, number] of readFileSync(header, 'utf8').matchAll(/^#define __NR_(\w+) (\d+)$/gm)) {
    if (syscallName(Number(number)) !== name || syscallNumber(name ?? '') !== Number(number)) t.fail(`${name} is ${number}`);
    compared++;
  }
  t.ok(compared > 350, `${compared} compared`);
  t.end();
});
