// cluster: workers as processes with messages, their ends, and one listening socket that they share.
'use strict';
const cluster = require('node:cluster');
const { once } = require('node:events');
const http = require('node:http');

async function main() {
  const workers = [1, 2, 3].map((n) => cluster.fork({ NUMBER: n }));
  const online = await Promise.all(workers.map((worker) => once(worker, 'online')));
  console.log(online.length, Object.keys(cluster.workers));
  const answers = workers.map(async (worker) => {
    worker.send({ square: worker.id + 10 });
    return (await once(worker, 'message'))[0];
  });
  console.log(await Promise.all(answers));
  workers[0].send({ exit: 7 });
  console.log('exit', (await once(workers[0], 'exit')).slice(0, 2), workers[0].exitedAfterDisconnect);
  workers[1].process.kill('SIGKILL');
  console.log('killed', (await once(workers[1], 'exit')).slice(0, 2));
  workers[2].disconnect();
  await once(workers[2], 'disconnect');
  console.log('gone', (await once(workers[2], 'exit')).slice(0, 2), workers[2].exitedAfterDisconnect, Object.keys(cluster.workers));

  const servers = [4, 5].map(() => cluster.fork({ SERVE: '1' }));
  const [[{ port }]] = await Promise.all(servers.map((worker) => once(worker, 'listening')));
  const seen = new Set();
  for (let i = 0; i < 8; i++) {
    const [response] = await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response');
    let body = '';
    for await (const chunk of response) body += chunk;
    seen.add(body);
  }
  console.log([...seen].sort());
  const ends = servers.map((worker) => once(worker, 'exit'));
  cluster.disconnect(() => console.log('all disconnected'));
  console.log((await Promise.all(ends)).map((end) => end.slice(0, 2)));
}

if (cluster.isPrimary) main();
else if (process.env.SERVE) http.createServer((_, response) => response.end(`worker ${cluster.worker.id}`)).listen(0, '127.0.0.1');
else
  process.on('message', ({ square, exit }) => {
    if (exit) process.exit(exit);
    process.send({ id: cluster.worker.id, number: process.env.NUMBER, square: square * square });
  });
