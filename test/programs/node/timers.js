// Timers, their order, the event loop's phases, clocks.
'use strict';
const { setTimeout: after, setInterval: every, setImmediate: immediately, scheduler } = require('node:timers/promises');
const { monitorEventLoopDelay, performance } = require('node:perf_hooks');

async function main() {
  const order = [];
  const said = new Promise((done) => {
    setTimeout(() => order.push('timeout 0'), 0);
    process.nextTick(() => order.push('tick'));
    Promise.resolve().then(() => order.push('promise'));
    queueMicrotask(() => order.push('microtask'));
    setTimeout(() => setImmediate(() => { order.push('immediate'); done(); }), 30);
    order.push('now');
  });
  await said;
  console.log(order);
  const times = [];
  await Promise.all([300, 100, 200].map(async (ms) => times.push(await after(ms, ms))));
  console.log(times);
  const start = performance.now();
  const clock = process.hrtime.bigint();
  const date = Date.now();
  await after(150);
  console.log(performance.now() - start >= 149, process.hrtime.bigint() - clock >= 149_000_000n, Date.now() - date >= 148);
  let count = 0;
  for await (const value of every(10, 'v')) {
    if (++count === 5) {
      console.log(count, value);
      break;
    }
  }
  console.log(await immediately('immediate'), typeof (await scheduler?.wait(5)));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  await after(100_000, undefined, { signal: stop.signal }).catch(({ name }) => console.log(name));
  setTimeout(() => console.log('never'), 1e6).unref();
  const timer = setTimeout(() => console.log('refreshed'), 40);
  timer.refresh();
  console.log(timer.hasRef());
  const cleared = setInterval(() => console.log('never'), 5);
  clearInterval(cleared);
  const histogram = monitorEventLoopDelay({ resolution: 5 });
  histogram.enable();
  await after(60);
  histogram.disable();
  console.log(histogram.count > 0 || histogram.max >= 0, performance.eventLoopUtilization().utilization <= 1);
  let many = 0;
  await new Promise((done) => {
    for (let i = 0; i < 2000; i++) setTimeout(() => { if (++many === 2000) done(); }, i % 50);
  });
  console.log(many);
}
main();
