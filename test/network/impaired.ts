/**
 * A machine on a tap behind a bad link, for tests: two network namespaces of this process, the tap in one, the client in the other, host/impair.c between them. Owns: the namespaces
 * (gone with `close`), the compiled programs. Rules: takes root; the machine is 10.0.2.15, the client and gateway 10.0.2.2; one machine and one link at a time.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Condition {
  readonly name: string;
  /** ms, there and back each. */
  readonly delay?: number;
  readonly jitter?: number;
  /** Percent of the frames each way. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
}

export const GUEST = '10.0.2.15';
const TAP = 'guest0';
const HOST = 'host0';

export interface Link {
  /** The static program of guest/bulk.c: the machine's server, and the client. */
  readonly bulk: string;
  readonly tap: string;
  /** A command of this host in the machine's namespace. */
  inside(command: string, args: readonly string[]): [string, string[]];
  /** From now on frames pass, treated so; the result ends that and says what was done to them. */
  impair(condition: Condition): Promise<() => Promise<string>>;
  /** Seconds that so many bytes took, each of them right; else an error. */
  transfer(direction: 'get' | 'put', bytes: number, patience: number): Promise<number>;
  /** Sends so many frames of that kind (host/flood.c) to the machine; what it said. */
  flood(kind: 'syn' | 'junk', count: number, perSecond: number): Promise<string>;
  close(): void;
}

/** Why there can be none, or undefined. */
export function refuseLink(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may make network namespaces and taps';
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this host has no ip command, or its kernel no network namespaces';
  }
}

export function makeLink(): Link {
  const folder = mkdtempSync(join(tmpdir(), 'hull-impaired-'));
  const [guest, host] = ['guest', 'host'].map((side) => `hull-${process.pid}-${side}`) as [string, string];
  const ip = (...args: string[]) => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const close = () => {
    for (const name of [guest, host]) execFile('ip', ['netns', 'del', name]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    execFileSync('cc', ['-O2', 'test/network/host/impair.c', '-o', join(folder, 'impair')], { stdio: 'inherit' });
    execFileSync('musl-gcc', ['-static', '-O2', 'test/network/guest/bulk.c', '-o', join(folder, 'bulk')], { stdio: 'inherit' });
    for (const name of [guest, host]) ip('netns', 'add', name);
    ip('netns', 'exec', guest, 'ip', 'tuntap', 'add', 'dev', TAP, 'mode', 'tap', 'vnet_hdr');
    execFileSync('cc', ['-O2', 'test/network/host/flood.c', '-o', join(folder, 'flood')], { stdio: 'inherit' });
    // The machine's gateway, as hull finds it; who answers is the other namespace.
    ip('-n', guest, 'addr', 'add', '10.0.2.2/24', 'dev', TAP);
    ip('-n', guest, 'link', 'set', TAP, 'arp', 'off', 'up');
  } catch (error) {
    close();
    throw error;
  }
  const bulk = join(folder, 'bulk');
  return {
    bulk,
    tap: TAP,
    inside: (command, args) => ['ip', ['netns', 'exec', guest, command, ...args]],
    async impair({ delay = 0, jitter = 0, loss = 0, duplicate = 0, reorder = 0 }) {
      const relay: ChildProcess = spawn(join(folder, 'impair'), [guest, TAP, host, HOST, ...[delay, jitter, loss, duplicate, reorder, 42].map(String)], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      relay.stdout?.on('data', (chunk) => (said += String(chunk)));
      while (!said.includes('ready\n')) {
        if (relay.exitCode !== null) throw new Error('Cannot make a bad link: its program ended');
        await new Promise((done) => setTimeout(done, 20));
      }
      // Always the same: the machine keeps what it knows of its neighbour.
      ip('-n', host, 'link', 'set', HOST, 'address', '02:00:00:00:00:02');
      ip('-n', host, 'addr', 'add', '10.0.2.2/24', 'dev', HOST);
      ip('-n', host, 'link', 'set', HOST, 'up');
      return async () => {
        const exit = once(relay, 'close');
        relay.kill('SIGTERM');
        await exit;
        return said.replace('ready\n', '').trim();
      };
    },
    transfer(direction, bytes, patience) {
      return new Promise((done, fail) => {
        execFile('ip', ['netns', 'exec', host, bulk, direction, GUEST, String(bytes)], { timeout: patience }, (error, stdout, stderr) => {
          const seconds = /^ok (\S+)$/m.exec(stdout)?.[1];
          if (seconds !== undefined) done(Number(seconds));
          else fail(new Error(stderr.trim() || (error?.killed === true ? `not done after ${patience} ms` : String(error))));
        });
      });
    },
    async flood(kind, count, perSecond) {
      const { stdout } = await promisify(execFile)('ip', ['netns', 'exec', host, join(folder, 'flood'), kind, HOST, String(count), String(perSecond), '42']);
      return stdout.trim();
    },
    close,
  };
}

/** Tries until the machine's server answers. */
export async function awaitServer(link: Link, hasEnded: () => boolean): Promise<void> {
  const deadline = Date.now() + 180_000;
  for (;;) {
    try {
      return void (await link.transfer('get', 1, 5000));
    } catch (error) {
      if (hasEnded() || Date.now() > deadline) throw error;
      await new Promise((done) => setTimeout(done, 300));
    }
  }
}
