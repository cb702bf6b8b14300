// The engine: ICU, WebAssembly with its guard regions, compiled code, deep stacks, garbage collection, shared memory, snapshots of the heap.
'use strict';
const v8 = require('node:v8');
const vm = require('node:vm');
const os = require('node:os');
const { AsyncLocalStorage } = require('node:async_hooks');
const { PerformanceObserver, performance } = require('node:perf_hooks');

console.log(process.version, process.arch, process.platform, process.argv.length, process.execPath, process.title);
console.log(Object.keys(process.memoryUsage()), process.memoryUsage.rss() > 1e7, os.totalmem() >= os.freemem(), os.endianness(), os.type());
console.log(new Intl.NumberFormat('de-DE', { style: 'currency', currency: 'EUR' }).format(1234567.891));
console.log(new Date(0).toLocaleString('fr-FR', { timeZone: 'Asia/Tokyo', dateStyle: 'full', timeStyle: 'long' }));
console.log(['ä', 'a', 'z', 'Å'].sort(new Intl.Collator('sv').compare).join(), 'ﬃ'.normalize('NFKD'), 'İ'.toLowerCase().length);
console.log([...'👩‍👩‍👧 nǐ hǎo'.matchAll(/\p{L}+/gu)].map(String));

// (module (memory (export "m") 1 65536) (func (export "f") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
//   (func (export "r") (param i32) (result i32) local.get 0 i32.load))
const section = (id, ...bytes) => [id, bytes.length, ...bytes];
const wasm = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f),
  ...section(3, 2, 0, 1),
  ...section(5, 1, 1, 1, 0x80, 0x80, 4),
  ...section(7, 3, 1, 0x6d, 2, 0, 1, 0x66, 0, 0, 1, 0x72, 0, 1),
  ...section(10, 2, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b, 7, 0, 0x20, 0, 0x28, 2, 0, 0x0b),
]);
WebAssembly.instantiate(wasm).then(({ instance }) => {
  const { f, r, m } = instance.exports;
  let sum = 0;
  for (let i = 0; i < 300_000; i++) sum = f(sum, i);
  console.log('wasm', sum, m.buffer.byteLength, m.grow(100), m.buffer.byteLength, r(0));
  try {
    r(101 * 65536);
  } catch (error) {
    console.log(error.name, error.message); // V8 makes this of a SIGSEGV in the guard region
  }
});

const deep = (n) => (n === 0 ? 0 : 1 + deep(n - 1));
console.log(deep(5000));
try {
  deep(1e9);
} catch (error) {
  console.log(error.name, error.message);
}

let hot = 0;
for (let round = 0; round < 50; round++) {
  const add = new Function('x', `return x + ${round};`);
  for (let i = 0; i < 5000; i++) hot = (hot + add(i)) | 0;
}
console.log('compiled', hot);

let kept = [];
for (let i = 0; i < 100; i++) {
  kept.push(Array.from({ length: 2000 }, (_, j) => ({ i, j, text: `${i}-${j}` })));
  if (kept.length > 20) kept = kept.slice(10);
}
console.log('collected', kept.length, kept.at(-1)[1999].text);
const large = new ArrayBuffer(64 << 20);
new Uint8Array(large).fill(7);
console.log(new Uint8Array(large).reduce((a, b, i) => (i % 65536 === 0 ? a + b : a), 0));
try {
  new ArrayBuffer(2 ** 53);
} catch (error) {
  console.log(error.name, error.message);
}

const cell = new Int32Array(new SharedArrayBuffer(8));
console.log(Atomics.wait(cell, 0, 0, 20), Atomics.wait(cell, 0, 1), Atomics.add(cell, 0, 5), Atomics.load(cell, 0));
console.log(v8.deserialize(v8.serialize(new Map([[1, { a: [1n, new Date(0), /x/g] }]]))));
console.log(vm.runInNewContext('x * 2', { x: 21 }), structuredClone({ a: new Set([1]) }));
try {
  vm.runInNewContext('for (;;);', {}, { timeout: 50 });
} catch (error) {
  console.log(error.code);
}
const storage = new AsyncLocalStorage();
storage.run('stored', () => setTimeout(() => console.log(storage.getStore()), 1));
new PerformanceObserver((list) => console.log(list.getEntries().map((entry) => entry.name))).observe({ entryTypes: ['measure'] });
performance.measure('measured');
const session = new (require('node:inspector').Session)();
session.connect();
session.post('Runtime.evaluate', { expression: '6*7' }, (_, { result }) => console.log('inspector', result.value));
let snapshot = 0;
v8.getHeapSnapshot()
  .on('data', (chunk) => {
    snapshot += chunk.length;
  })
  .on('end', () => console.log('snapshot', snapshot > 1e6));
console.log(Object.keys(process.resourceUsage()).length, process.cpuUsage().user > 0, process.uptime() > 0, typeof process.report.getReport().header.cwd);
console.log(process.stdout.isTTY, process.stdin.isTTY, os.EOL === '\n', os.userInfo().username, os.homedir(), os.tmpdir(), process.umask().toString(8));
