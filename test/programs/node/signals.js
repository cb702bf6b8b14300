// Signals to oneself and to children, what an uncaught exception, a rejection, abort and exit make of a process.
'use strict';
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');

const node = (code, ...options) => spawnSync(process.execPath, [...options, '-e', code], { encoding: 'utf8' });
const show = (name, { status, signal, stdout, stderr }) => console.log(name, status, signal, stdout, stderr.split('\n').filter((line) => /Error|reason|throw/.test(line)));

async function main() {
  const alive = setInterval(() => {}, 1000); // handlers alone keep no process
  for (const name of ['SIGUSR2', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGWINCH', 'SIGPIPE', 'SIGALRM', 'SIGCONT']) {
    const got = once(process, name);
    process.kill(process.pid, name);
    console.log(await got);
  }
  console.log(process.kill(process.pid, 0));
  for (const wrong of [() => process.kill(999999, 0), () => process.kill(process.pid, 'SIGNONE'), () => process.on('SIGKILL', () => {})])
    try {
      wrong();
    } catch ({ code }) {
      console.log(code);
    }
  clearInterval(alive);
  show('throw', node('throw new RangeError("thrown")'));
  show('reject', node('Promise.reject(new Error("rejected"))'));
  show('exit code', node('process.exitCode = 4; process.on("exit", (c) => console.log("exit", c)); process.on("beforeExit", () => console.log("before"))'));
  show('caught', node('process.on("uncaughtException", (e, origin) => console.log(e.message, origin)); setTimeout(() => console.log("on"), 1); throw new Error("x")'));
  show('abort', node('process.abort()'));
  show('syntax', node('let let'));
  show('out of memory', { ...node('const a = []; for (;;) a.push(new Array(1e5).fill(a.length))', '--max-old-space-size=24'), stderr: '' });
  const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => { console.log("term"); setTimeout(() => process.exit(6), 10) }); setInterval(() => {}, 1000); console.log("ready")']);
  child.stdout.setEncoding('utf8');
  const texts = [];
  child.stdout.on('data', (text) => {
    texts.push(text);
    if (text.startsWith('ready')) child.kill('SIGTERM');
  });
  console.log(await once(child, 'close'), texts.join(''));
  const stopped = spawn('sh', ['-c', 'echo a; kill -STOP $$; echo b']);
  stopped.stdout.once('data', (text) => {
    console.log(`${text}`);
    const timer = setInterval(() => stopped.kill('SIGCONT'), 20);
    stopped.once('close', () => clearInterval(timer));
  });
  console.log(await once(stopped, 'close'));
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGSEGV']) {
    const sleeping = spawn('sleep', ['1000']);
    await once(sleeping, 'spawn');
    sleeping.kill(signal);
    console.log(await once(sleeping, 'exit'));
  }
}
main();
