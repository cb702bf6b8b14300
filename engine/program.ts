/**
 * From the name that a person gave to a program. Owns: what is refused and with which exit code, before any tool looks at it.
 * Rules: opens the file once and judges that open file; reads only its first bytes. Formats: gABI "ELF Header"; e_machine numbers
 * from the ELF registry.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync, type BigIntStats } from 'node:fs';
import { resolve } from 'node:path';
import { type ImageNote, isSupportedNote, readImageNote } from '../boot/index.ts';
import { describeSystemError, EngineError } from './errors.ts';

export type ProgramFile =
  | { readonly kind: 'image'; readonly path: string; readonly note: ImageNote }
  | { readonly kind: 'executable'; readonly path: string; readonly stat: BigIntStats; readonly isa: 'aarch64' | undefined };

const MACHINES: Record<number, string> = { 3: 'i386', 8: 'MIPS', 21: 'PowerPC64', 22: 's390', 40: 'Arm', 62: 'x86-64', 183: 'AArch64', 243: 'RISC-V' };
const EXPECTED = 'expected a static Linux executable for x86-64 or AArch64, or an image made by hull';
const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const MOST_SCRIPTS = 4;

function refuse(path: string, what: string, cause?: unknown): EngineError {
  return new EngineError('program-invalid', `Cannot run "${path}": ${what}, ${EXPECTED}`, { cause });
}

/** Why a file with these first bytes cannot be a program for this machine; undefined when it may be one. */
function findHeaderFault(head: Buffer, isExecutable: boolean): string | undefined {
  if (head.length === 0) return 'empty';
  if (head.length >= 2 && head.toString('latin1', 0, 2) === '#!') return 'a script';
  if (head.length < 4 || head.toString('latin1', 0, 4) !== '\x7fELF') return 'not an ELF file';
  if (head.length < 64) return 'a truncated ELF file';
  if (head[4] !== 2) return 'a 32-bit ELF file';
  if (head[5] !== 1) return 'a big-endian ELF file';
  const machine = head.readUInt16LE(18);
  if (machine !== EM_X86_64 && machine !== EM_AARCH64) return `an ELF file for ${MACHINES[machine] ?? `machine ${machine}`}`;
  const type = head.readUInt16LE(16);
  if (type === 1) return 'an object file that is not linked yet';
  if (type === 4) return 'a core dump';
  if (type !== 2 && type !== 3) return `an ELF file of type ${type}`;
  return isExecutable ? undefined : 'not executable (permission denied)';
}

/** Whether a name means a program's file, and not an image: it looks like a path, or there is a file of that name. */
export function isProgramPath(name: string): boolean {
  if (/^\.{0,2}\//.test(name) || (name.includes('/') && existsSync(name))) return true;
  return statSync(name, { throwIfNoEntry: false })?.isFile() === true;
}

/** The instruction set of a program of a root file system, or of the interpreter of a script; undefined: nobody knows yet. `head`: a file's first 256 bytes. */
export function findProgramIsa(head: (path: string) => Buffer | undefined, program: string): 'x86_64' | 'aarch64' | undefined {
  let bytes = head(program);
  for (let depth = 0; depth < MOST_SCRIPTS && bytes?.toString('latin1', 0, 2) === '#!'; depth++) {
    const interpreter = (bytes.toString('latin1', 2).split('\n', 1)[0] as string).trim().split(/[ \t]/, 1)[0] as string;
    bytes = interpreter.startsWith('/') ? head(interpreter) : undefined;
  }
  const isElf = bytes !== undefined && bytes.length >= 20 && bytes.readUInt32BE(0) === 0x7f454c46;
  return isElf ? (bytes?.readUInt16LE(18) === EM_AARCH64 ? 'aarch64' : 'x86_64') : undefined;
}

export function openProgram(name: string): ProgramFile {
  let fd: number;
  try {
    fd = openSync(name, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new EngineError('program-missing', `Cannot run "${name}": ${describeSystemError(error)}, ${EXPECTED}`, { cause: error });
    }
    throw refuse(name, describeSystemError(error), error);
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (stat.isDirectory()) throw refuse(name, 'is a directory');
    if (!stat.isFile()) throw refuse(name, 'not a regular file');
    const note = readImageNote(fd);
    if (note !== undefined) {
      if (!isSupportedNote(note)) {
        throw new EngineError('image-invalid', `Cannot run "${name}": made for boot ABI ${note.version}, expected an image linked by this version of hull`);
      }
      return { kind: 'image', path: resolve(name), note };
    }
    const head = Buffer.alloc(64);
    const fault = findHeaderFault(head.subarray(0, readSync(fd, head, 0, 64, 0)), (stat.mode & 0o111n) !== 0n);
    if (fault !== undefined) throw refuse(name, fault);
    return { kind: 'executable', path: resolve(name), stat, isa: head.readUInt16LE(18) === EM_AARCH64 ? 'aarch64' : undefined };
  } finally {
    closeSync(fd);
  }
}
