/**
 * Where the API is offered. Owns: `--host`'s forms (unix://PATH, tcp://ADDRESS:PORT), the socket's file and its rights. Rules: on TCP only with certificates of both sides; a socket file of an engine that
 * is gone is replaced, of one that is there never; the socket is its owner's and its group's (0660) from its first moment.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, isAbsolute } from 'node:path';
import { describeSystemError } from '../errors.ts';
import { ApiError } from './error.ts';
import type { TlsFiles } from './server.ts';

export type ApiAddress = { readonly kind: 'unix'; readonly path: string } | { readonly kind: 'tcp'; readonly address: string; readonly port: number };

export interface TlsPaths {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

const refuse = (host: string, what: string, expected: string, cause?: unknown) => new ApiError('listen-failed', `Cannot listen on "${host}": ${what}, expected ${expected}`, { cause });

export function parseHost(host: string): ApiAddress {
  const unix = /^unix:\/\/(.+)$/.exec(host)?.[1];
  if (unix !== undefined) {
    if (!isAbsolute(unix)) throw refuse(host, 'its path is not absolute', 'unix:///PATH');
    // sockaddr_un has room for 107 bytes (unix(7)).
    if (Buffer.byteLength(unix) > 107) throw refuse(host, `its path has ${Buffer.byteLength(unix)} bytes`, 'at most 107');
    return { kind: 'unix', path: unix };
  }
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(host);
  if (tcp === null || Number(tcp[3]) > 65535) throw refuse(host, 'no such form', 'unix:///PATH or tcp://ADDRESS:PORT');
  return { kind: 'tcp', address: (tcp[1] ?? tcp[2]) as string, port: Number(tcp[3]) };
}

export function readTls(host: string, paths: TlsPaths): TlsFiles {
  const read = (path: string | undefined, option: string) => {
    if (path === undefined) throw refuse(host, `without ${option} anyone who reaches it would own this host`, '--tlscacert, --tlscert and --tlskey, or a unix:// socket');
    try {
      return readFileSync(path);
    } catch (error) {
      throw refuse(host, `--${option} ${path}: ${describeSystemError(error)}`, 'a PEM file', error);
    }
  };
  return { ca: read(paths.ca, '--tlscacert'), cert: read(paths.cert, '--tlscert'), key: read(paths.key, '--tlskey') };
}

/** Number of a group's name, from /etc/group (group(5)). */
export function findGroup(group: string): number {
  if (/^\d{1,10}$/.test(group)) return Number(group);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${group}:`));
  if (line === undefined) throw new ApiError('listen-failed', `Cannot give the socket to "${group}": no such group, expected one of /etc/group or a number`);
  return Number(line.split(':')[2]);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('close', () => socket.destroy());
    socket.on('connect', () => socket.destroy());
  });
}

async function clearPath(host: string, path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw refuse(host, 'there is a file that is no socket', 'a path of its own');
  if (await isAnswered(path)) throw refuse(host, 'another engine listens there', 'a path of its own');
  unlinkSync(path);
}

/** Resolves when it listens; with what was listened on (a port of 0 is chosen by the host). */
export async function listenOn(server: Server, host: string, group: number | undefined): Promise<string> {
  const address = parseHost(host);
  if (address.kind === 'unix') {
    try {
      mkdirSync(dirname(address.path), { recursive: true, mode: 0o755 });
    } catch (error) {
      throw refuse(host, describeSystemError(error), 'a directory to write to', error);
    }
    await clearPath(host, address.path);
  }
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(refuse(host, describeSystemError(error), 'to have it', error)));
      if (address.kind === 'unix') server.listen(address.path, resolve);
      else server.listen(address.port, address.address, resolve);
    });
  } finally {
    process.umask(before);
  }
  if (address.kind === 'unix') {
    try {
      if (group !== undefined) chownSync(address.path, -1, group);
      chmodSync(address.path, 0o660);
    } catch (error) {
      server.close();
      throw refuse(host, `giving it to group ${group}: ${describeSystemError(error)}`, 'a group of the user', error);
    }
    return host;
  }
  const bound = server.address() as { port: number };
  return `tcp://${address.address.includes(':') ? `[${address.address}]` : address.address}:${bound.port}`;
}
