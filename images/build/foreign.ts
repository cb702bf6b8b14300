/**
 * RUN for another architecture than this host's. Owns: whether the kernel can execute its programs: by binfmt_misc (Linux, Documentation/admin-guide/binfmt-misc.rst), with an interpreter that is
 * opened when it is registered (flag F), since the sandbox has only the image's files.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPlatform, HOST_PLATFORM, type Platform } from '../store/index.ts';

const HANDLERS = '/proc/sys/fs/binfmt_misc';
/** e_machine at offset 18 of an ELF header, as handlers write it in their magic. */
const MACHINES: Readonly<Record<string, string>> = { amd64: '3e00', arm64: 'b700', arm: '2800', 386: '0300', riscv64: 'f300', ppc64le: '1500', s390x: '0016' };
const AT_MACHINE = 18;
/** What a CPU executes besides its own. */
const ALSO: Readonly<Record<string, readonly string[]>> = { amd64: ['386'] };

/** Why programs for it cannot be executed here; undefined: they can. */
export function explainForeign(platform: Platform, handlers: string = HANDLERS): string | undefined {
  const { architecture } = platform;
  const own = HOST_PLATFORM.architecture;
  if (architecture === own || ALSO[own]?.includes(architecture) === true || hasHandler(MACHINES[architecture], handlers)) return undefined;
  return `programs for ${formatPlatform(platform)} cannot be executed on this host, which is ${formatPlatform(HOST_PLATFORM)}, expected qemu-user registered in ${HANDLERS} with flag F (Debian: apt install qemu-user-static binfmt-support), or a stage FROM --platform=$BUILDPLATFORM`;
}

function hasHandler(machine: string | undefined, folder: string): boolean {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name !== 'register' && name !== 'status');
  } catch {
    return false;
  }
  return names.some((name) => {
    let text: string;
    try {
      text = readFileSync(join(folder, name), 'latin1');
    } catch {
      return false;
    }
    const field = (key: string) => new RegExp(`^${key}:? (.*)$`, 'm').exec(text)?.[1] ?? '';
    const offset = Number(field('offset') || '0');
    const magic = field('magic');
    return text.startsWith('enabled') && field('flags').includes('F') && magic.slice((AT_MACHINE - offset) * 2, (AT_MACHINE - offset) * 2 + 4) === machine;
  });
}
