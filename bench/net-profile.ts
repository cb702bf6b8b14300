/**
 * Which functions take a server's instructions in hull: QEMU's own count (bench/profile-plugin.c), divided by the requests that were answered meanwhile. Owns: the plugin's build, its
 * orders, the names of addresses. Rules: the machine's addresses are not random (--gdb, without waiting for a debugger), so that the image's symbols name them;
 * whatever lies below the kernel half is the program. Instructions under a translator are no time: what leaves translated code (device registers, waits) costs more.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SymbolMap, symbolizeElf, symbolizeText } from '../compiler/symbolize/index.ts';
import { addressOn, end, startHull, waitForAnswer } from './net-guests.ts';
import type { Server } from './net-servers.ts';

/** Where the image's physical addresses are without a slide. */
const IMAGE_WINDOW = 0xffffffff80000000n;
const PROGRAM_END = 1n << 47n;
const DUMP_DEADLINE = 10_000;
const SHOWN = 14;

export interface Profile {
  readonly instructions: number;
  readonly blocks: number;
  /** Different ones: QEMU translates each once. */
  readonly translated: number;
  /** Of the program itself. */
  readonly own: number;
  /** Most first. */
  readonly functions: readonly { readonly name: string; readonly instructions: number }[];
}

function findNames(qemu: number): SymbolMap {
  const words = readFileSync(`/proc/${qemu}/cmdline`, 'utf8').split('\0');
  const image = words[words.indexOf('-kernel') + 1] as string;
  const beside = image.replace(/(\.img)?$/, '.sym');
  return existsSync(beside) ? symbolizeText(readFileSync(beside, 'utf8')) : symbolizeElf(readFileSync(image));
}

function readCounts(path: string, names: SymbolMap, requests: number): Profile {
  const functions = new Map<string, number>();
  let [all, blocks, own, translated] = [0, 0, 0, 0];
  for (const line of readFileSync(path, 'utf8').split('\n').filter((each) => each !== '')) {
    const [at, count, runs] = line.split(' ') as [string, string, string];
    const address = BigInt(`0x${at}`);
    all += Number(count);
    blocks += Number(runs);
    translated++;
    if (address < PROGRAM_END) {
      own += Number(count);
      continue;
    }
    const name = address < IMAGE_WINDOW ? 'elsewhere' : (names.find(Number(address - IMAGE_WINDOW))?.name ?? 'unnamed');
    functions.set(name, (functions.get(name) ?? 0) + Number(count));
  }
  const sorted = [...functions].map(([name, count]) => ({ name, instructions: count / requests })).sort((a, b) => b.instructions - a.instructions);
  return { instructions: all / requests, blocks: blocks / requests, translated, own: own / requests, functions: sorted };
}

/** Of the server's first load, over the user network, for one request; without `seconds` of the way from the machine's start to the first answer. */
export async function profile(server: Server, context: { readonly root: string; readonly dir: string }, seconds?: number): Promise<Profile> {
  const at = (name: string) => join(context.dir, name);
  const [control, out] = [at('profile-control'), at('profile-out')];
  if (!existsSync(at('profile.so'))) {
    execFileSync('gcc', ['-O2', '-shared', '-fPIC', 'bench/profile-plugin.c', '-o', at('profile.so')], { stdio: 'inherit' });
    execFileSync('mkfifo', [control]);
    const plugin = `${at('profile.so')},control=${control},out=${out}`;
    writeFileSync(at('profile-qemu'), `#!/bin/sh\nn=$#\nwhile [ $n -gt 0 ]; do a=$1; shift; n=$((n-1)); [ "$a" = -S ] || set -- "$@" "$a"; done\nexec qemu-system-x86_64 "$@" -plugin '${plugin}'\n`);
    chmodSync(at('profile-qemu'), 0o755);
  }
  rmSync(out, { force: true });
  const guest = startHull(server, 'user', context, ['--qemu', at('profile-qemu'), '--gdb', 'none']);
  try {
    const qemu = await waitForAnswer(server, guest, 'user');
    let requests = 1;
    if (seconds !== undefined) {
      const load = server.loads[0] as Server['loads'][number];
      writeFileSync(control, 'r');
      const begun = performance.now();
      const { rate } = await load.run({ ...context, ...addressOn('user', server), seconds });
      requests = (rate * (performance.now() - begun)) / 1000;
    }
    writeFileSync(control, 'd');
    for (const limit = performance.now() + DUMP_DEADLINE; !existsSync(out); await sleep(20)) {
      if (performance.now() > limit) throw new Error(`Cannot profile "${server.name}": QEMU's plugin wrote nothing within ${DUMP_DEADLINE} ms`);
    }
    return readCounts(out, findNames(qemu), requests);
  } finally {
    await end(guest);
  }
}

/** `each`: what the counts are for. */
export function describeProfile(name: string, each: string, { instructions, blocks, translated, own, functions }: Profile): string {
  const shown = functions.slice(0, SHOWN).map((one) => `${one.name} ${one.instructions.toFixed(0)}`);
  return `${name}: ${instructions.toFixed(0)} instructions for ${each} in ${blocks.toFixed(0)} blocks of code, ${translated} different ones; the program's own ${own.toFixed(0)}; libOS: ${shown.join(', ')}\n`;
}
