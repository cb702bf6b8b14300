// worker_threads: messages, transfer, shared memory, errors, exits, limits, many at once.
'use strict';
const { once } = require('node:events');
const { BroadcastChannel, MessageChannel, Worker, isMainThread, parentPort, receiveMessageOnPort, threadId, workerData } = require('node:worker_threads');

const run = (code, options) => new Worker(code, { eval: true, ...options });

async function main() {
  console.log(isMainThread, threadId);
  const echo = run('const { parentPort, workerData } = require("worker_threads"); parentPort.on("message", (m) => parentPort.postMessage([workerData, m]));', { workerData: { a: 1 } });
  echo.postMessage(new Map([['k', 1n]]));
  console.log((await once(echo, 'message'))[0]);
  const buffer = new ArrayBuffer(1 << 20);
  new Uint8Array(buffer)[12345] = 99;
  echo.postMessage(buffer, [buffer]);
  const [[, back]] = await once(echo, 'message');
  console.log(buffer.byteLength, back.byteLength, new Uint8Array(back)[12345]);
  console.log('terminated', await echo.terminate());

  const shared = new Int32Array(new SharedArrayBuffer(64));
  const adders = Array.from({ length: 6 }, () =>
    run(
      `const { workerData: s } = require('worker_threads');
       for (let i = 0; i < 20000; i++) Atomics.add(s, 0, 1);
       Atomics.add(s, 1, 1); Atomics.notify(s, 1); Atomics.wait(s, 2, 0);`,
      { workerData: shared },
    ),
  );
  for (let done = 0; done < 6; done = Atomics.load(shared, 1)) Atomics.wait(shared, 1, done);
  Atomics.store(shared, 2, 1);
  console.log('woken', Atomics.notify(shared, 2) <= 6);
  console.log((await Promise.all(adders.map((worker) => once(worker, 'exit')))).flat(), shared[0]);

  const failing = run('throw new TypeError("from a worker")');
  const failed = once(failing, 'exit'); // it may come before anyone waits for it
  console.log((await once(failing, 'error'))[0].message, (await failed)[0]);
  console.log((await once(run('process.exit(5)'), 'exit'))[0]);
  const looping = run('for (;;);');
  await once(looping, 'online');
  console.log('stopped', await looping.terminate());
  const greedy = run('const a = []; for (;;) a.push(new Array(10000).fill(a.length));', { resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 } });
  console.log((await once(greedy, 'error'))[0].code);

  const { port1, port2 } = new MessageChannel();
  const through = run('const { workerData } = require("worker_threads"); workerData.once("message", (m) => { workerData.postMessage(m * 2); workerData.close(); });', {
    workerData: port2,
    transferList: [port2],
  });
  const gone = once(through, 'exit');
  port1.postMessage(21);
  console.log((await once(port1, 'message'))[0]);
  await gone;
  console.log(receiveMessageOnPort(port1));
  const channel = new BroadcastChannel('c');
  const heard = new Promise((done) => {
    channel.onmessage = ({ data }) => done(data);
  });
  run('const { BroadcastChannel } = require("worker_threads"); const c = new BroadcastChannel("c"); c.postMessage("broadcast"); c.close();');
  console.log(await heard);
  channel.close();
  const speaking = run('process.stdout.write("out\\n"); console.error("err")', { stdout: true, stderr: true, env: { A: 'b' } });
  const [out, err] = [[], []];
  speaking.stdout.on('data', (text) => out.push(text));
  speaking.stderr.on('data', (text) => err.push(text));
  await once(speaking, 'exit');
  console.log(`${Buffer.concat(out)}|${Buffer.concat(err)}`);
  // Two generations, each loading modules and compiling.
  const sums = await Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      const worker = new Worker(__filename, { workerData: i, argv: ['x'] });
      return (await once(worker, 'message'))[0];
    }),
  );
  console.log(sums);
}

if (isMainThread) main();
else {
  const text = Buffer.alloc(100_000, `${workerData}`);
  parentPort.postMessage([workerData, process.argv[2], require('node:crypto').createHash('sha256').update(text).digest('hex').slice(0, 8), require('node:zlib').deflateSync(text).length]);
}
