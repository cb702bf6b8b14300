/**
 * The process that a network's switch is: starts with the first member, ends with the last. Of a network on a bridge of the host it is who knows the members: it answers for their names, and makes their ports. Owns: the network's folder of sockets, which only its user can enter. Rules: one switch a network, the one that
 * listens on control.sock; whoever joins does so over a control connection (lines of JSON) and gets a socket of its own for QEMU; a join lasts as long as QEMU's connection, and until that is there as
 * long as the control connection.
 */
import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { BridgePort } from '../host-bridge.ts';
import type { Protocol } from '../ports.ts';
import { startRelay } from '../relay.ts';
import { isReachable } from './client.ts';
import { formatIpv4, isWithin, parseIpv4Number, type Subnet } from '../subnets.ts';
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
  /** On a bridge of the host: frames go there. */
  readonly bridge?: HostSide | undefined;
}

/** What a network on a bridge has of the host. */
export interface HostSide {
  /** The bridge is there, with the gateway's address, and no port leads to it. */
  start(): Promise<void>;
  /** These ports lead to members, and no others. */
  publish(ports: readonly BridgePort[]): Promise<void>;
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
  // Whoever connects meanwhile is heard afterwards.
  const prepared = spec.bridge === undefined ? Promise.resolve(undefined) : prepareHost(spec.bridge, core, spec.subnet);
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
      prepared.then(
        (host) => attendControl(socket, core, { folder: spec.folder, host: host?.publisher, settle }),
        (error: Error) => socket.end(`${JSON.stringify({ error: error.message })}\n`),
      );
    });
  });
  await prepared.then((host) => host?.close(), () => {});
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

interface PreparedHost {
  readonly publisher: Publisher;
  close(): void;
}

async function prepareHost(bridge: HostSide, core: Switch, subnet: Subnet): Promise<PreparedHost> {
  await bridge.start();
  const names = await answerNames(core, subnet);
  return { publisher: createPublisher(bridge), close: () => names.close() };
}

/** Questions about names, to the gateway's address on the bridge. */
function answerNames(core: Switch, subnet: Subnet): Promise<{ close(): void }> {
  return new Promise((done, fail) => {
    const socket = createSocket('udp4');
    socket.once('error', fail);
    socket.on('message', (message, { address, port }) => {
      const from = parseIpv4Number(address);
      if (from !== undefined && isWithin(subnet, from)) void core.answerName(address, message, (answer) => socket.send(answer, port, address));
    });
    socket.bind(53, core.gateway, () => done(socket));
  });
}

interface MemberPort {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly guest: number;
}

/** The ports of all members. Each is listened on, too: nobody else takes it, and whoever asks from this host or from the bridge is passed on. */
interface Publisher {
  /** All or none; the result takes them away. */
  add(member: Member, ports: readonly MemberPort[]): Promise<() => Promise<void>>;
}

function createPublisher(bridge: HostSide): Publisher {
  const published = new Set<readonly BridgePort[]>();
  let writing = Promise.resolve();
  /** One after the other: the last that is written is what there is. */
  const write = () => (writing = writing.catch(() => {}).then(() => bridge.publish([...published].flat())));
  return {
    async add(member, ports) {
      if (ports.length === 0) return async () => {};
      const ends: (() => void)[] = [];
      const target = (port: MemberPort) => ({ address: formatIpv4(member.address), port: port.guest });
      const all = ports.map(({ protocol, address, port, guest }) => ({ protocol, address, port, target: { address: formatIpv4(member.address), port: guest } }));
      const remove = async () => {
        for (const end of ends.splice(0)) end();
        if (published.delete(all)) await write();
      };
      try {
        for (const port of ports) {
          ends.push(await startRelay({ ...port, target: target(port) }));
          if (port.address === '0.0.0.0') await startRelay({ ...port, address: '::', target: target(port) }).then((end) => ends.push(end), () => {}); // a host without IPv6
        }
        published.add(all);
        await write();
        return remove;
      } catch (error) {
        await remove().catch(() => {});
        throw error;
      }
    },
  };
}

interface ControlRequest {
  readonly join?: { readonly names?: unknown; readonly ip?: unknown; readonly publish?: readonly MemberPort[] };
  readonly list?: unknown;
}

const describe = (member: Member, gateway: string) => ({ ip: formatIpv4(member.address), mac: member.mac, names: member.names, gateway });

interface Attendance {
  readonly folder: string;
  readonly host: Publisher | undefined;
  settle(): void;
}

function attendControl(socket: Socket, core: Switch, { folder, host, settle }: Attendance): void {
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
    let unpublish = async () => {};
    const leave = () => {
      rmSync(path, { force: true });
      // Its address is another one's only when no port leads there any more.
      void unpublish().catch(() => {}).then(() => {
        core.leave(member);
        settle();
      });
    };
    const admit = async () => {
      if (host !== undefined) unpublish = await host.add(member, request.join?.publish ?? []);
      await openPort(path, core, member, socket, leave);
    };
    admit().then(
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
