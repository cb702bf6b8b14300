// child_process: every way to start a child, pipes, IPC, descriptors, ends.
'use strict';
const { exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { once } = require('node:events');
const { promisify } = require('node:util');

const collect = async (child) => {
  const parts = [[], []];
  child.stdout?.on('data', (chunk) => parts[0].push(chunk));
  child.stderr?.on('data', (chunk) => parts[1].push(chunk));
  const end = await once(child, 'close');
  return [...end, ...parts.map((all) => Buffer.concat(all).toString())];
};

async function main() {
  if (process.send) return child();
  console.log(await collect(spawn('sh', ['-c', 'echo out; echo err >&2; exit 3'])));
  const cat = spawn('cat');
  let total = 0;
  cat.stdout.on('data', (chunk) => {
    total += chunk.length;
  });
  for (let i = 0; i < 50; i++) if (!cat.stdin.write(Buffer.alloc(100_000, i))) await once(cat.stdin, 'drain');
  cat.stdin.end();
  console.log(await once(cat, 'close'), total);
  console.log((await promisify(exec)('seq 3 | tr "\\n" +; echo $VALUE', { env: { ...process.env, VALUE: 'v' }, cwd: '/tmp' })).stdout);
  await promisify(execFile)('ls', ['/none']).catch(({ code, stderr }) => console.log(code, stderr));
  console.log((await once(spawn('/no/such/program'), 'error'))[0].message);
  console.log(execSync('pwd', { cwd: '/usr', encoding: 'utf8' }), execFileSync('head', ['-c', '3'], { input: 'abcdef', encoding: 'utf8' }));
  const sync = spawnSync('sh', ['-c', 'cat; kill -TERM $$'], { input: 'in', timeout: 60_000 });
  console.log(sync.status, sync.signal, `${sync.stdout}`);
  const slow = spawnSync('sleep', ['100'], { timeout: 300, killSignal: 'SIGINT' });
  console.log(slow.signal, slow.error.code);
  console.log(spawnSync('seq', ['100000'], { maxBuffer: 1000 }).error.code, spawnSync('seq', ['100000']).stdout.length);
  const aborted = new AbortController();
  const waiting = spawn('sleep', ['100'], { signal: aborted.signal });
  const failed = once(waiting, 'error');
  aborted.abort();
  console.log((await failed)[0].name, await once(waiting, 'exit'));
  const detached = spawn('sh', ['-c', 'sleep 100 & wait'], { detached: true, stdio: 'ignore' });
  await once(detached, 'spawn');
  process.kill(-detached.pid, 'SIGHUP');
  console.log(await once(detached, 'exit'));
  const log = fs.openSync('/tmp/children.log', 'w');
  await once(spawn('sh', ['-c', 'echo one; echo two >&2; echo three >&5'], { stdio: ['ignore', log, log, 'ignore', 'ignore', log] }), 'exit');
  console.log(fs.readFileSync('/tmp/children.log', 'utf8'));
  const fifth = spawn('sh', ['-c', 'echo extra >&3; cat <&3'], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  fifth.stdio[3].once('data', (text) => {
    console.log(`${text}`);
    fifth.stdio[3].end('to the child');
  });
  console.log(await collect(fifth));
  for (const serialization of ['json', 'advanced']) {
    const forked = fork(__filename, ['argument'], { serialization, execArgv: ['--no-warnings'], env: { ...process.env, WHO: 'child' } });
    console.log((await once(forked, 'message'))[0]);
    forked.send(serialization === 'json' ? { big: 'x'.repeat(200_000) } : { big: 'y'.repeat(200_000), map: new Map([[1, 2]]) });
    console.log((await once(forked, 'message'))[0]);
    forked.send('end');
    console.log(await once(forked, 'exit'), forked.connected);
  }
  const many = await Promise.all(Array.from({ length: 12 }, (_, i) => promisify(execFile)('sh', ['-c', `sleep 0.0${i % 3}; echo ${i}`])));
  console.log(many.map(({ stdout }) => stdout.trim()).join());
  console.log(spawnSync('id', ['-u'], { uid: 1234, gid: 1234, encoding: 'utf8' }).stdout, spawnSync(process.execPath, ['-p', 'process.argv0 + process.ppid.constructor.name'], { argv0: 'zero', encoding: 'utf8' }).stdout);
  const shared = spawnSync(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], { input: Buffer.alloc(300_000, 65) });
  console.log(shared.stdout.length, shared.status);
}

function child() {
  process.on('message', (message) => {
    if (message === 'end') process.exit(9);
    process.send([message.big.length, message.map instanceof Map]);
  });
  process.send([process.argv.slice(2), process.env.WHO, process.execArgv, process.channel !== undefined]);
}
main();
