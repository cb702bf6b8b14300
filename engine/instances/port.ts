/**
 * Ports of a running machine's console (libos/control): each is one conversation at a time. Owns: whose turn it is (a lock, since QEMU lets a second client of a socket wait unseen), and that
 * a conversation begins clean. Rules: the guest is greeted first, and nothing else is sent before it has answered, so what was meant for a client before is never taken for an answer.
 *
 * Why again and again: QEMU (hw/char/virtio-console.c) may hold back what the guest sends on a port whose client left amid a write, until another one has come and gone. A greeting may be sent
 * twice, a request may not.
 */
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connectIn, createRecordDecoder, DETACHED, encodeHello, RECORD } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { isSameProcess, tryLock } from '../state/index.ts';
import type { Instance } from './types.ts';

/** For signals and window sizes, and for stdin. */
export const SIGNAL_PORT = DETACHED.control[0];
export const INPUT_PORT = DETACHED.control[1];
const FURTHER_PORTS = DETACHED.control.slice(2);
const PATIENCE_MS = [500, 2000, 8000, 20_000, 30_000];
const BUSY_MS = 50;
const BEGINNING_MS = 10_000;

export function refuseNotRunning(instance: Pick<Instance, 'id'>): EngineError {
  return new EngineError('instance-conflict', `container ${instance.id} is not running`);
}

const GOING_MS = 1000;
/** Why a machine said nothing: it ends, which takes it a moment after its sockets, or it does not answer. */
export async function explainSilence(instance: Instance, what: string): Promise<EngineError> {
  for (const until = Date.now() + GOING_MS; isSameProcess(instance.state.pid, instance.state.identity); await new Promise((resolve) => setTimeout(resolve, BUSY_MS))) {
    if (Date.now() > until) return new EngineError('instance-conflict', `${what}: its machine does not answer, expected it to`);
  }
  return refuseNotRunning(instance);
}

/** Whether the guest answered in time; false also when the socket was closed. */
export function greet(socket: Socket, patience: number): Promise<boolean> {
  const number = randomInt(0x10000, 2 ** 32);
  return new Promise((resolve) => {
    const settle = (isAnswered: boolean) => {
      clearTimeout(timer);
      socket.off('data', take).off('close', leave).off('end', leave);
      resolve(isAnswered);
    };
    const decoder = createRecordDecoder({
      record: (type, payload) => {
        if (type === RECORD.DONE && payload.readUInt32LE(0) === number) settle(true);
      },
      raw: () => {},
    });
    const take = (chunk: Buffer) => decoder.push(chunk);
    const leave = () => settle(false);
    const timer = setTimeout(leave, patience);
    socket.on('data', take).on('close', leave).on('end', leave);
    socket.write(encodeHello(number));
  });
}

/** Its socket. A machine that is noted as running may have none for a moment yet. */
async function connectPort(instance: Instance, name: string): Promise<Socket> {
  for (const until = Date.now() + BEGINNING_MS; ; await new Promise((resolve) => setTimeout(resolve, BUSY_MS))) {
    try {
      return await connectIn(instance.folder, name);
    } catch (error) {
      if (Date.now() > until || !isSameProcess(instance.state.pid, instance.state.identity)) throw Object.assign(refuseNotRunning(instance), { cause: error });
    }
  }
}

async function converse(instance: Instance, name: string): Promise<Socket> {
  for (const patience of PATIENCE_MS) {
    const socket = await connectPort(instance, name);
    const destroy = () => socket.destroy();
    socket.on('error', destroy);
    if (await greet(socket, patience)) return socket;
    socket.destroy();
    if (!isSameProcess(instance.state.pid, instance.state.identity)) throw refuseNotRunning(instance);
  }
  throw await explainSilence(instance, `Cannot reach container ${instance.id}`);
}

/** A conversation on the port `name`, until its socket is closed. undefined: another client has it. */
async function openPort(instance: Instance, name: string): Promise<Socket | undefined> {
  const lock = tryLock(join(instance.folder, `port-${name}`));
  if (lock === undefined) return undefined;
  try {
    const socket = await converse(instance, name);
    if (socket.destroyed) throw refuseNotRunning(instance);
    socket.once('close', lock);
    return socket;
  } catch (error) {
    lock();
    throw error;
  }
}

async function waitForPort(instance: Instance, names: readonly string[]): Promise<Socket> {
  for (;;) {
    for (const name of names) {
      const socket = await openPort(instance, name);
      if (socket !== undefined) return socket;
    }
    if (!isSameProcess(instance.state.pid, instance.state.identity)) throw refuseNotRunning(instance);
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
  }
}

/** As openPort; waits for its turn. */
export function takePort(instance: Instance, name: string): Promise<Socket> {
  return waitForPort(instance, [name]);
}

/** On the first port that is free; waits for one when all are taken. */
export function takeAnyPort(instance: Instance): Promise<Socket> {
  return waitForPort(instance, FURTHER_PORTS);
}
