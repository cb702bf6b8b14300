/**
 * Damaged objects, archives and executables through the readers and the linker: a result or a typed error, in bounded time and memory.
 * Seeded: HULL_FUZZ_SEED repeats a run; HULL_FUZZ_SECONDS makes it longer (3 by default).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  ElfError,
  RelaTable,
  readArchive,
  readElf,
  readNotes,
  readSymbols,
  SHT_NOTE,
  SHT_RELA,
  sectionBytes,
  writeArchive,
} from '../../compiler/elf/index.ts';
import { LinkError, linkExecutable, linkImage } from '../../compiler/link/index.ts';

const seconds = Number(process.env.HULL_FUZZ_SECONDS ?? 3);
const firstSeed = Number(process.env.HULL_FUZZ_SEED ?? 1);

/** Usually some ms; what does not end, or goes through all again and again, takes longer also on a slow machine. */
const LONGEST_MS = 20_000;

/** xorshift32 */
function makeRandom(seed: number): (below: number) => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

t.setTimeout((seconds + 600) * 1000);
const folder = mkdtempSync(join(tmpdir(), 'hull-fuzz-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(
  join(folder, 'a.cc'),
  `struct A { virtual ~A() {} virtual int get() { return 3; } }; inline int shared() { static int n; return ++n; } __thread int t = 4; extern int other;
extern "C" int f(int n) { A a; t += n; return a.get() + shared() + other + t; } const char *s[] = { "abc", "bc", "" }; extern "C" void _start() { f(1); for (;;); }
__attribute__((constructor)) static void c() {} `,
);
writeFileSync(
  join(folder, 'b.c'),
  'int _Z5other, other = 3; int common[10]; __attribute__((weak)) int w; void hull_pvh_entry(void) { other++; for (;;); } void __gxx_personality_v0(void) {}  void __cxa_guard_acquire(void) {} void __cxa_guard_release(void) {} void _ZdlPv(void) {}',
);
execFileSync('clang', ['-c', '-O1', '-fPIC', '-ffunction-sections', '-fcommon', '-fno-rtti', 'a.cc', 'b.c'], { cwd: folder });
execFileSync('ar', ['crs', 'lib.a', 'a.o', 'b.o'], { cwd: folder });
const read = (name: string) => readFileSync(join(folder, name));
const seeds = { 'a.o': read('a.o'), 'b.o': read('b.o'), 'lib.a': read('lib.a') };
const executable = linkExecutable({
  inputs: [{ name: 'lib.a', bytes: seeds['lib.a'], whole: true }],
  keep: [],
  defines: { _ZTVN10__cxxabiv117__class_type_infoE: 0 },
}).image;
const corpus: [string, Uint8Array][] = [...Object.entries(seeds), ['executable', executable]];

const INTERESTING = [0, 1, 4, 8, 0x7f, 0x80, 0xff, 0xff00, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const out = Buffer.from(bytes);
  // Headers are at both ends: aim there half of the time.
  const place = () =>
    random(2)
      ? random(out.length)
      : random(2)
        ? random(Math.min(out.length, 128))
        : Math.max(0, out.length - 1 - random(Math.min(out.length, 2048)));
  for (let count = 1 + random(4); count > 0; count--) {
    const at = place();
    switch (random(5)) {
      case 0:
        out[at] = random(256);
        break;
      case 1:
        out[at] = (out[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        if (at + 4 <= out.length) out.writeUInt32LE(INTERESTING[random(INTERESTING.length)] ?? 0, at & ~3);
        break;
      case 3:
        out.copy(out, place(), at, Math.min(out.length, at + 1 + random(64)));
        break;
      default:
        if (random(8) === 0) return out.subarray(0, at);
    }
  }
  return out;
}

function readEverything(bytes: Uint8Array): void {
  const elf = readElf(bytes);
  for (const kind of ['static', 'dynamic'] as const) {
    const table = readSymbols(elf, kind);
    for (let i = 0; table && i < table.count; i++) void [table.name(i), table.bigValue(i), table.section(i), table.size(i)];
  }
  for (const section of elf.sections) {
    if (section.type === SHT_NOTE) readNotes(sectionBytes(elf, section));
    if (section.type !== SHT_RELA) continue;
    const table = new RelaTable(elf, section);
    for (let i = 0; i < table.count; i++) void [table.offset(i), table.type(i), table.addend(i)];
  }
}

/** What a mutated file is given to. */
const consumers: ((name: string, bytes: Uint8Array) => void)[] = [
  (_, bytes) => readEverything(bytes),
  (_, bytes) => {
    for (const member of readArchive(bytes).members) readEverything(member.bytes);
  },
  (name, bytes) => {
    const rest = name === 'a.o' ? [{ name: 'b.o', bytes: seeds['b.o'] }] : name === 'b.o' ? [{ name: 'a.o', bytes: seeds['a.o'] }] : [];
    void linkExecutable({ inputs: [{ name, bytes, whole: name === 'lib.a' }, ...rest], gc: bytes.length % 2 === 0 }).map;
  },
  (name, bytes) => {
    if (name === 'executable')
      void linkImage({
        inputs: [],
        components: [{ manifest: { name: 'b' }, archive: seeds['lib.a'] }],
        program: { bytes, path: '/x' },
        unwind: true,
      }).symbols;
    else
      void linkImage({
        inputs: [{ name, bytes, whole: true }],
        components: [{ manifest: { name: 'c' }, archive: name === 'lib.a' ? bytes : seeds['lib.a'] }],
      }).symbols;
  },
];

t.test(`damaged files for ${seconds} s, from seed ${firstSeed}`, { timeout: (seconds + 500) * 1000 }, async (t) => {
  const end = performance.now() + seconds * 1000;
  let runs = 0;
  let refused = 0;
  let slowest = 0;
  for (let seed = firstSeed; performance.now() < end || runs < 200; seed++) {
    const random = makeRandom(seed);
    const [name, bytes] = corpus[random(corpus.length)] as [string, Uint8Array];
    const damaged = mutate(bytes, random);
    for (const consume of consumers) {
      const start = performance.now();
      try {
        consume(name, damaged);
      } catch (error) {
        refused++;
        if (!(error instanceof ElfError || error instanceof LinkError)) {
          t.fail(`seed ${seed} (${name}): ${(error as Error).stack}`);
          return;
        }
      }
      runs++;
      const took = performance.now() - start;
      slowest = Math.max(slowest, took);
      if (took > LONGEST_MS) {
        t.fail(`seed ${seed} (${name}) took ${took} ms`);
        return;
      }
    }
    if (process.memoryUsage().rss > 1.5 * 2 ** 30) {
      t.fail(`seed ${seed} (${name}): resident memory ${process.memoryUsage().rss}`);
      return;
    }
  }
  t.comment(`${runs} runs, ${refused} refused, slowest ${slowest.toFixed(0)} ms`);
  t.ok(refused > 0 && refused < runs, 'some refused, some read');
});

t.test('a long chain of archive members does not overflow the stack', async (t) => {
  const count = 3000;
  writeFileSync(join(folder, 'one.s'), '.globl f0_____\nf0_____: call f1_____\n');
  execFileSync('clang', ['-c', 'one.s'], { cwd: folder });
  const template = read('one.o');
  const name = (i: number) => `f${String(i).padEnd(6, '_')}`.slice(0, 7);
  const member = (i: number) => {
    const bytes = Buffer.from(
      template
        .toString('latin1')
        .replace('f1_____', name(i + 1))
        .replace('f0_____', name(i)),
      'latin1',
    );
    return { name: `m${i}.o`, bytes, symbols: [name(i)] };
  };
  const archive = writeArchive(Array.from({ length: count }, (_, i) => member(count - 1 - i)));
  t.throws(() => linkExecutable({ inputs: [{ name: 'chain.a', bytes: archive }], entry: 'f0_____' }), {
    code: 'undefined-symbol',
    message: /f3000/,
  });
});
