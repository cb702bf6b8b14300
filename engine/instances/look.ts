/** What a running machine says of itself through its own files: users, processes, network counters. Owns: reading a file and a directory in it (guest-calls.ts), and the forms of passwd(5), proc(5). */
import { CALL } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import type { ImageUser } from '../oci/index.ts';
import { codeOfCall, type Guest, LAST, takesCalls, withGuest } from './guest-calls.ts';
import { isRunning } from './observe.ts';
import type { Instance } from './types.ts';

const O = { DIRECTORY: 0o200000, NONBLOCK: 0o4000 } as const;
const ROOM = 4064;
/** Reads of one file or directory: 16 MiB, where each gives as much as it can. What a machine says may have no end. */
const READS_MOST = 4096;
/** USER_HZ, of times in /proc. */
const HZ = 100;

/** undefined: there is none, or it cannot be read. */
async function readInGuest(guest: Guest, path: string): Promise<Buffer | undefined> {
  try {
    await guest.call(CALL.OPENAT, [guest.at, path, O.NONBLOCK, 0]);
  } catch (error) {
    if (codeOfCall(error) === undefined) throw error;
    return undefined;
  }
  const parts: Buffer[] = [];
  try {
    for (let i = 0; i < READS_MOST; i++) {
      const { result, bytes } = await guest.call(CALL.READ, [LAST, { room: ROOM }, ROOM]);
      const part = bytes.subarray(0, result);
      if (part.length === 0) break;
      parts.push(part);
    }
  } catch (error) {
    if (codeOfCall(error) === undefined) throw error; // a process that has ended
  } finally {
    await guest.call(CALL.CLOSE, [LAST]);
  }
  return Buffer.concat(parts);
}

/** The names in a directory; none where there is no such. */
async function listInGuest(guest: Guest, path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    await guest.call(CALL.OPENAT, [guest.at, path, O.DIRECTORY, 0]);
  } catch (error) {
    if (codeOfCall(error) === undefined) throw error;
    return names;
  }
  try {
    for (let i = 0; i < READS_MOST; i++) {
      const { result, bytes } = await guest.call(CALL.GETDENTS64, [LAST, { room: ROOM }, ROOM]);
      const size = Math.min(result, bytes.length);
      if (size < 19) return names;
      for (let at = 0; at + 19 < size; ) {
        const end = bytes.indexOf(0, at + 19);
        names.push(bytes.toString('utf8', at + 19, end < 0 ? size : end));
        const step = bytes.readUInt16LE(at + 16);
        if (step === 0) return names;
        at += step;
      }
    }
    return names;
  } catch (error) {
    if (codeOfCall(error) === undefined) throw error; // the directory of a process that has ended
    return names;
  } finally {
    await guest.call(CALL.CLOSE, [LAST]);
  }
}

/** "name", "uid", "name:group", "uid:gid", by the machine's own files as they are now. */
export async function findInstanceUser(instance: Instance, text: string): Promise<ImageUser> {
  const { findImageUser } = await import('../oci/index.ts');
  if (!takesCalls(instance)) return findImageUser(text, { read: () => undefined });
  return await withGuest(instance, async (guest) => {
    const files = new Map<string, string | undefined>();
    for (const path of ['/etc/passwd', '/etc/group']) files.set(path, (await readInGuest(guest, path))?.toString());
    return findImageUser(text, { read: (path) => files.get(path) });
  });
}

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Whether options of ps(1) mean threads (-eLf, -T), or processes (-ef, aux). */
export function asksForThreads(options: readonly string[]): boolean {
  return options.some((text) => /^-?\w*[LTH]/.test(text));
}

const two = (number: number) => String(Math.floor(number)).padStart(2, '0');

/** All processes as `ps -ef` shows them, or all threads as `ps -eLf`. */
export async function listProcesses(instance: Instance, withThreads: boolean): Promise<ProcessTable> {
  if (!isRunning(instance.state)) throw new EngineError('instance-conflict', `container ${instance.id} is not running`);
  if (instance.state.status === 'paused') throw new EngineError('instance-conflict', `container ${instance.id} is paused, unpause the container first`);
  const absent = () => new EngineError('option-invalid', `Cannot list the processes of container ${instance.config.name}: its image was linked without /proc, expected one run with --exec and a root file system`);
  if (!takesCalls(instance)) throw absent();
  return await withGuest(instance, async (guest) => {
    const users = new Map(((await readInGuest(guest, '/etc/passwd')) ?? '').toString().split('\n').map((line) => line.split(':')).map(([name, , uid]) => [uid ?? '', name ?? '']));
    const pids = (await listInGuest(guest, '/proc')).filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b);
    if (pids.length === 0) throw absent();
    const rows: string[][] = [];
    const booted = Date.parse(instance.state.startedAt);
    for (const pid of pids) {
      const status = (await readInGuest(guest, `/proc/${pid}/status`))?.toString() ?? '';
      const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? '0';
      const command = (await readInGuest(guest, `/proc/${pid}/cmdline`))?.toString().replace(/\0+$/, '').replaceAll('\0', ' ') ?? '';
      const listed = withThreads ? await listInGuest(guest, `/proc/${pid}/task`) : [];
      const tasks = listed.filter((name) => /^\d+$/.test(name));
      for (const tid of tasks.length > 0 ? tasks : [String(pid)]) {
        const stat = (await readInGuest(guest, withThreads && tasks.length > 0 ? `/proc/${pid}/task/${tid}/stat` : `/proc/${pid}/stat`))?.toString();
        if (stat === undefined || stat === '') continue; // it has ended meanwhile
        const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on
        const seconds = (Number(fields[11]) + Number(fields[12])) / HZ;
        const begun = booted + (Number(fields[19]) / HZ) * 1000;
        const age = Math.max(1, (Date.now() - begun) / 1000);
        const device = Number(fields[4]);
        const tty = device === 0 ? '?' : device >> 8 === 136 ? `pts/${device & 0xff}` : device >> 8 === 5 ? 'console' : '?';
        const use = String(Math.min(99, Math.floor((seconds / age) * 100)));
        const time = new Date(begun);
        const last = [`${two(time.getHours())}:${two(time.getMinutes())}`, tty, `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`, command === '' ? `[${name}]` : command];
        const user = users.get(uid) ?? uid;
        rows.push(withThreads ? [user, String(pid), fields[1] ?? '', tid, use, String(Math.max(1, tasks.length)), ...last] : [user, String(pid), fields[1] ?? '', use, ...last]);
      }
    }
    return { titles: withThreads ? ['UID', 'PID', 'PPID', 'LWP', 'C', 'NLWP', 'STIME', 'TTY', 'TIME', 'CMD'] : ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], rows };
  });
}

export interface NetworkCounters {
  readonly received: number;
  readonly sent: number;
}

/** Bytes on all cards but lo, as /proc/net/dev has them; undefined: the machine cannot tell. */
export async function readNetworkCounters(instance: Instance): Promise<NetworkCounters | undefined> {
  if (!takesCalls(instance) || instance.state.status !== 'running') return undefined;
  const text = await withGuest(instance, (guest) => readInGuest(guest, '/proc/net/dev'));
  if (text === undefined) return undefined;
  let [received, sent] = [0, 0];
  for (const line of text.toString().split('\n')) {
    const [, name, numbers] = /^\s*([^\s:]+):(.*)$/.exec(line) ?? [];
    if (name === undefined || numbers === undefined || name === 'lo') continue;
    const fields = numbers.trim().split(/\s+/).map(Number);
    received += fields[0] ?? 0;
    sent += fields[8] ?? 0;
  }
  return { received, sent };
}
