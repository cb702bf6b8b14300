/**
 * The process that a network's switch is: starts with the first member, ends with the last. Owns: the network's folder of sockets, which only its user can enter. Rules: one switch a network, the one that
 * listens on control.sock; whoever joins does so over a control connection (lines of JSON) and gets a socket of its own for QEMU; a join lasts as long as QEMU's connection, and until that is there as
 * long as the control connection.
 */
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { isReachable } from './client.ts';
import { formatIpv4, parseIpv4Number, type Subnet } from '../subnets.ts';
import { createSwitch, type Member, type Switch } from './core.ts';
import { createFrameWriter, readFrames } from './stream.ts';
import { askServers } from './lookup.ts';

export interface ServeSpec {
  readonly name: string;
  readonly subnet: Subnet;
  /** Where the sockets are. */
  readonly folder: string;
  /** The host's name servers; none: names of members only. */
  readonly servers: readonly string[];
}

/** How long it waits for a first member, and after the last one. */
const FIRST_MS = 10_000;
const LAST_MS = 500;

/** Ends when the last member has gone; at once when another switch is there. */
export async function serveSwitch(spec: ServeSpec): Promise<void> {
  mkdirSync(spec.folder, { recursive: true, mode: 0o700 });
  const core = createSwitch({ ...spec, forward: (query) => askServers(spec.servers, query) });
  const control = await listenAlone(join(spec.folder, 'control.sock'));
  if (control === undefined) return;
  for (const name of readdirSync(spec.folder)) if (name !== 'control.sock') rmSync(join(spec.folder, name), { force: true }); // of a switch that was killed
  await new Promise<void>((done) => {
    const controls = new Set<Socket>();
    let timer = setTimeout(leaveIfIdle, FIRST_MS);
    function leaveIfIdle(): void {
      if (controls.size === 0 && core.members().length === 0) done();
    }
    function settle(): void {
      clearTimeout(timer);
      timer = setTimeout(leaveIfIdle, LAST_MS);
    }
    control.on('connection', (socket) => {
      controls.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        controls.delete(socket);
        settle();
      });
      attendControl(socket, core, spec.folder, settle);
    });
  });
  control.close(); // takes its file away
  try {
    rmdirSync(spec.folder);
  } catch {
    // the next one is there already, and what a killed one left is for it to sweep
  }
}

/** Listens there unless somebody does; a socket that nobody listens on any more is taken away. */
async function listenAlone(path: string): Promise<Server | undefined> {
  for (let i = 0; i < 3; i++) {
    const server = await listenOn(path);
    if (server !== undefined) return server;
    if (await isReachable(path)) return undefined;
    const dead = `${path}.${process.pid}`;
    try {
      renameSync(path, dead);
    } catch {
      continue; // another one did
    }
    // It may have been made anew between the look and the renaming: then it is put back.
    if (await isReachable(dead)) renameSync(dead, path);
    else unlinkSync(dead);
  }
  return undefined;
}

function listenOn(path: string): Promise<Server | undefined> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? done(undefined) : fail(error)));
    server.listen(path, () => done(server));
  });
}

interface ControlRequest {
  readonly join?: { readonly names?: unknown; readonly ip?: unknown };
  readonly list?: unknown;
}

const describe = (member: Member, gateway: string) => ({ ip: formatIpv4(member.address), mac: member.mac, names: member.names, gateway });

function attendControl(socket: Socket, core: Switch, folder: string, settle: () => void): void {
  const reply = (value: object) => socket.write(`${JSON.stringify(value)}\n`);
  createInterface({ input: socket }).on('line', (line) => {
    let request: ControlRequest;
    try {
      request = JSON.parse(line) as ControlRequest;
    } catch {
      return void socket.destroy();
    }
    if (request.list !== undefined) return void reply({ members: core.members().map((member) => describe(member, core.gateway)) });
    const names = Array.isArray(request.join?.names) ? request.join.names.filter((name): name is string => typeof name === 'string') : [];
    const wanted = typeof request.join?.ip === 'string' ? parseIpv4Number(request.join.ip) : undefined;
    const member = core.join(names, wanted);
    if (member === undefined) return void reply({ error: wanted === undefined ? 'no address left' : 'Address already in use' });
    const path = join(folder, `${formatIpv4(member.address)}.sock`);
    const leave = () => {
      core.leave(member);
      rmSync(path, { force: true });
      settle();
    };
    openPort(path, core, member, socket, leave).then(
      () => reply({ ...describe(member, core.gateway), path }),
      (error: Error) => {
        leave();
        reply({ error: error.message });
      },
    );
  });
}

/** One connection to that path becomes the member's. */
async function openPort(path: string, core: Switch, member: Member, control: Socket, leave: () => void): Promise<void> {
  rmSync(path, { force: true });
  const server = await listenOn(path);
  if (server === undefined) throw new Error('its socket is there already');
  let isConnected = false;
  server.once('connection', (socket) => {
    isConnected = true;
    server.close();
    core.connect(member, createFrameWriter(socket));
    readFrames(socket, (frame) => core.receive(member, frame));
    socket.on('error', () => socket.destroy());
    socket.on('close', leave);
  });
  control.on('close', () => {
    if (isConnected) return;
    server.close();
    leave();
  });
}
