/** Sockets of a detached machine: more clients at once than their queues hold. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { connectIn, connectQmp } from '../../boot/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-connect-'));
t.teardown(() => rmSync(folder, { recursive: true }));

t.test('a full queue is waited for', async (t) => {
  // It accepts nobody before this turn of the event loop has ended, and QEMU's queues are no longer.
  const server = createServer((socket) => socket.end('served'));
  await new Promise<void>((resolve) => void server.listen({ path: join(folder, 'busy'), backlog: 1 }, resolve));
  t.teardown(() => server.close());
  const sockets = await Promise.all(Array.from({ length: 12 }, () => connectIn(folder, 'busy')));
  const said = await Promise.all(sockets.map(async (socket) => Buffer.concat(await socket.toArray()).toString()));
  for (const socket of sockets) socket.destroy();
  t.strictSame(said, Array.from({ length: 12 }, () => 'served'));
});

t.test('who is not there is told at once', async (t) => {
  await t.rejects(connectIn(folder, 'nobody'), { code: 'ENOENT' });
});

t.test('a question to a QEMU that has ended has an answer', async (t) => {
  // Its questions are read, and there is nobody to answer them: only the other side of the socket is closed.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.resume();
    socket.write('{"QMP": {}}\n');
    setTimeout(() => socket.end(), 50);
  });
  await new Promise<void>((resolve) => void server.listen(join(folder, 'qmp'), resolve));
  const qmp = await connectQmp(folder);
  t.teardown(() => {
    qmp.close();
    server.close();
  });
  const outcome = await Promise.race([qmp.execute('query-status').catch((error: Error) => error.message), new Promise((resolve) => setTimeout(resolve, 5000, 'no answer').unref())]);
  t.equal(outcome, 'QEMU ended');
});
