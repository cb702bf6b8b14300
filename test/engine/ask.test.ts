/** A question to a QEMU that reads it and never answers: it is ended when its program has ended in this run, and only then. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeRecord, RECORD } from '../../boot/index.ts';
import { askMachine } from '../../engine/instances/control.ts';
import type { Instance } from '../../engine/instances/index.ts';
import { identifyProcess } from '../../engine/state/index.ts';

const ended = encodeRecord(RECORD.EXIT, Buffer.alloc(4));
const said = encodeRecord(RECORD.STDOUT, Buffer.from('still here\n'));

/** A process and a socket in QEMU's place, and what its machine has said. `isDeaf`: it does not answer. */
async function stand(t: Pick<typeof import('tap').default, 'teardown'>, output: readonly Buffer[], logStart: number, isDeaf: boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'hull-ask-'));
  writeFileSync(join(folder, 'output'), Buffer.concat(output));
  const child = spawn('sleep', ['120'], { stdio: 'ignore' });
  const end = new Promise<string | null>((resolve) => void child.on('exit', (_, signal) => resolve(signal)));
  const server = createServer((socket) => {
    void end.then(() => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (isDeaf) return;
      for (const line of bytes.toString().trim().split('\n')) socket.write(`{"return": "yes", "id": ${(JSON.parse(line) as { id: number }).id}}\n`);
    });
  });
  await new Promise<void>((resolve) => void server.listen(join(folder, 'qmp'), resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await end;
    server.close();
    rmSync(folder, { recursive: true });
  });
  const state = { pid: child.pid as number, identity: identifyProcess(child.pid as number), logStart };
  return { instance: { folder, state, config: { name: 'deaf' } } as unknown as Instance, child, end };
}

t.test('its program has ended: it is ended', async (t) => {
  const { instance, end } = await stand(t, [said, ended, said, ended], said.length + ended.length, true);
  await t.rejects(askMachine(instance, 'query-status'), { code: 'instance-conflict', message: /QEMU ended/ });
  t.equal(await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 1000, 'it runs'))]), 'SIGKILL');
});

t.test('its program ends while it is asked, its record comes in pieces', async (t) => {
  const { instance, end } = await stand(t, [said, ended, said], said.length + ended.length, true);
  const answer = t.rejects(askMachine(instance, 'query-status'), { code: 'instance-conflict', message: /QEMU ended/ });
  for (const piece of [ended.subarray(0, 5), ended.subarray(5, 18), ended.subarray(18)]) {
    await new Promise((resolve) => setTimeout(resolve, 700)); // a look comes each 500 ms
    appendFileSync(join(instance.folder, 'output'), piece);
  }
  await answer;
  t.equal(await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 1000, 'it runs'))]), 'SIGKILL');
});

t.test('an earlier run of it has ended: no answer, and it stays', async (t) => {
  const { instance, child } = await stand(t, [said, ended, said], said.length + ended.length, true);
  await t.rejects(askMachine(instance, 'query-status'), { code: 'instance-conflict', message: /no answer for 10 seconds/ });
  t.strictSame([child.exitCode, child.signalCode], [null, null]);
});

t.test('one that answers stays, whatever its program did', async (t) => {
  const { instance, child } = await stand(t, [said, ended], 0, false);
  t.equal(await askMachine(instance, 'query-status'), 'yes');
  t.strictSame([child.exitCode, child.signalCode], [null, null]);
});
