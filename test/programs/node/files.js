// fs and fs.promises on the root's writable layer and on /dev/shm; fs.watch in its three forms.
'use strict';
const fs = require('node:fs');
const { constants } = fs;
const path = require('node:path');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');

const fails = async (promise) => {
  try {
    await promise;
    console.log('done');
  } catch ({ code, syscall, message }) {
    console.log(code, syscall, message);
  }
};

async function files(root) {
  const p = fs.promises;
  const at = (...names) => path.join(root, ...names);
  await p.rm(root, { recursive: true, force: true });
  console.log('==', root, (await p.mkdir(at('a/b/c'), { recursive: true })) === root);
  await p.writeFile(at('f'), 'hello');
  await p.appendFile(at('f'), ' world');
  console.log(await p.readFile(at('f'), 'utf8'), (await p.stat(at('f'))).size, (await p.stat(at('f'), { bigint: true })).mtimeNs > 0n);
  const handle = await p.open(at('h'), 'w+', 0o640);
  console.log((await handle.write('0123456789')).bytesWritten, (await handle.writev([Buffer.from('ab'), Buffer.from('cd')], 3)).bytesWritten);
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0);
  console.log(bytesRead, buffer.toString('latin1', 0, bytesRead));
  const two = [Buffer.alloc(3), Buffer.alloc(4)];
  console.log((await handle.readv(two, 2)).bytesRead, two.map(String));
  await handle.truncate(5);
  await handle.datasync();
  await handle.sync();
  await handle.chmod(0o600);
  await handle.utimes(1000, 2000.5);
  const { mode, size, mtimeMs, atimeMs, nlink, uid } = await handle.stat();
  console.log(mode.toString(8), size, mtimeMs, atimeMs, nlink, uid);
  await handle.close();
  await fails(handle.read(Buffer.alloc(1)));
  await p.link(at('h'), at('hard'));
  await p.symlink('f', at('soft'));
  await p.rename(at('a'), at('z'));
  console.log((await p.stat(at('hard'))).nlink, await p.readlink(at('soft')), (await p.lstat(at('soft'))).isSymbolicLink(), await p.realpath(at('soft')) === at('f'));
  await p.copyFile(at('f'), at('copy'), constants.COPYFILE_FICLONE);
  await fails(p.copyFile(at('f'), at('copy'), constants.COPYFILE_EXCL));
  for (let i = 0; i < 60; i++) await p.writeFile(at('z/b', `n${i}`), `${i}`);
  await p.cp(at('z'), at('y'), { recursive: true });
  console.log((await p.readdir(at('y/b'))).length, (await p.readdir(root, { withFileTypes: true })).map((entry) => `${entry.name}${entry.isDirectory() ? '/' : ''}`).sort());
  let seen = 0;
  for await (const _ of await p.opendir(at('z/b'), { bufferSize: 7 })) seen++;
  console.log(seen, (await p.mkdtemp(at('tmp-'))).length - root.length);
  await p.access(at('f'), constants.R_OK | constants.W_OK);
  const wrong = [() => p.readFile(at('none')), () => p.rmdir(at('z')), () => p.mkdir(at('f/x')), () => p.open(at('f'), 'wx'), () => p.readFile(root), () => p.unlink(at('z'))];
  for (const operation of wrong) await fails(operation());
  const chunk = Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => i & 255));
  const big = fs.createWriteStream(at('big'));
  for (let i = 0; i < 64; i++) if (!big.write(chunk)) await once(big, 'drain');
  big.end();
  await once(big, 'finish');
  await pipeline(fs.createReadStream(at('big'), { start: 100, highWaterMark: 5000 }), fs.createWriteStream(at('big2')));
  console.log(fs.statSync(at('big')).size, fs.statSync(at('big2')).size, fs.readFileSync(at('big2'))[156]);
  await Promise.all(Array.from({ length: 50 }, (_, i) => p.writeFile(at(`p${i}`), Buffer.alloc(i * 100, i))));
  console.log((await Promise.all(Array.from({ length: 50 }, (_, i) => p.readFile(at(`p${i}`))))).reduce((sum, { length }) => sum + length, 0));
  fs.utimesSync(at('f'), 1.5, 2.25);
  fs.lutimesSync(at('soft'), 3, 4);
  console.log(fs.statSync(at('f')).mtimeMs, fs.lstatSync(at('soft')).mtimeMs, fs.existsSync(at('none')), fs.statSync(at('none'), { throwIfNoEntry: false }));
  if (p.statfs) console.log((await p.statfs(root)).bsize, (await p.statfs(root)).bavail > 0);
  await p.rm(root, { recursive: true });
  console.log(fs.existsSync(root));
}

async function watching(root) {
  fs.rmSync(root, { recursive: true, force: true });
  fs.mkdirSync(root, { recursive: true });
  const stop = new AbortController();
  const events = [];
  const watched = (async () => {
    try {
      for await (const { eventType, filename } of fs.promises.watch(root, { signal: stop.signal })) {
        events.push(`${eventType} ${filename}`);
        if (filename === 'last') stop.abort();
      }
    } catch (error) {
      events.push(error.name);
    }
  })();
  await new Promise((done) => setImmediate(done));
  for (const name of ['one', 'two']) fs.writeFileSync(path.join(root, name), name);
  fs.renameSync(path.join(root, 'one'), path.join(root, 'three'));
  fs.unlinkSync(path.join(root, 'two'));
  fs.writeFileSync(path.join(root, 'last'), '');
  await watched;
  console.log([...new Set(events)]);
  const file = path.join(root, 'three');
  const watcher = fs.watch(file);
  const change = once(watcher, 'change');
  fs.appendFileSync(file, 'x');
  console.log(await change);
  watcher.close();
  const polled = new Promise((done) => fs.watchFile(file, { interval: 30 }, (now, before) => done([before.size, now.size])));
  setTimeout(() => fs.appendFileSync(file, 'yy'), 100);
  console.log(await polled);
  fs.unwatchFile(file);
}

(async () => {
  for (const root of ['/tmp/files', '/dev/shm/files']) {
    await files(root);
    await watching(`${root}-watched`);
  }
})();
