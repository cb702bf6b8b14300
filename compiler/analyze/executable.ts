/**
 * The edge: from the bytes of a file to an executable that the rest may trust.
 *
 * Owns: every check on a program before it is analysed or embedded. What holds after: it is a static executable for x86-64 or AArch64, its segments lie inside
 * the file, in order, apart, and below 2^47; its entry lies in one that is executable. Section headers and symbols are a help, not a
 * need: where they are broken (the kernel never reads them) they are left out.
 */
import {
  EHDR_SIZE,
  EM_AARCH64,
  EM_386,
  EM_RISCV,
  EM_X86_64,
  ET_DYN,
  ET_EXEC,
  type ElfFile,
  ElfError,
  findSection,
  isElf,
  PF_W,
  PF_X,
  PHDR_SIZE,
  PT_INTERP,
  PT_LOAD,
  readElf,
  readSymbols,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHT_NOBITS,
  STT_FUNC,
  STT_GNU_IFUNC,
} from '../elf/index.ts';
import { CompilerError, type CompilerErrorCode } from '../error.ts';
import type { Executable } from '../arch/analysis-isa.ts';
import { readGoFunctions } from './go-functions.ts';

const addressLimit = 2 ** 47;
const pageSize = 4096;
const machines = new Map([
  [EM_386, 'for 32-bit x86'],
  [EM_RISCV, 'for RISC-V'],
  [40, 'for 32-bit Arm'],
]);

/** Validates the bytes of a static executable. `path` is for messages only. */
export function describeExecutable(bytes: Uint8Array, path: string): Executable {
  return describe(bytes, path, 'static').executable;
}

/** The same for what a dynamic loader loads: executables that name an interpreter, and shared libraries. `file` has all headers that can be read. */
export function describeLoadable(bytes: Uint8Array, path: string): { executable: Executable; file: ElfFile } {
  return describe(bytes, path, 'loadable');
}

function describe(bytes: Uint8Array, path: string, kind: 'static' | 'loadable'): { executable: Executable; file: ElfFile } {
  const fail = (code: CompilerErrorCode, what: string, expected: string, cause?: unknown): CompilerError =>
    new CompilerError(code, `Cannot build "${path}": ${what}, expected ${expected}`, cause === undefined ? {} : { cause });
  const wanted = 'a static Linux executable for x86-64 or AArch64';

  if (!isElf(bytes)) throw fail('not-elf', describeOther(bytes), wanted);
  if (bytes.length < 64) throw fail('truncated', `it ends within the ELF header, after ${bytes.length} bytes`, wanted);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(18, bytes[5] !== 2);
  if (bytes[4] === 1 && machine !== EM_X86_64) {
    throw fail('wrong-class', `it is a 32-bit executable ${machines.get(machine) ?? ''}`.trimEnd(), wanted);
  }
  if (bytes[4] === 1) throw fail('wrong-class', 'it is an x32 executable', wanted);
  if (machine !== EM_X86_64 && machine !== EM_AARCH64) {
    throw fail('wrong-machine', `it is ${machines.get(machine) ?? `for ELF machine ${machine}`}`, wanted);
  }

  let file: ElfFile;
  let hasSections = true;
  try {
    file = readElf(bytes, { sections: false });
  } catch (cause) {
    throw asCompilerError(cause, path);
  }
  if (file.type !== ET_EXEC && file.type !== ET_DYN) {
    const kinds = ['no kind of file', 'an object file', '', '', 'a core dump'];
    throw fail('not-executable', `it is ${kinds[file.type] || `ELF type ${file.type}`}`, wanted);
  }
  if (kind === 'static' && file.programHeaders.some(({ type }) => type === PT_INTERP)) {
    throw fail('dynamic', 'it is dynamically linked (it names an interpreter)', `${wanted} (link it with -static)`);
  }
  try {
    file = readElf(bytes);
  } catch {
    hasSections = false;
  }

  const segments = checkSegments(file, bytes, fail);
  const entrySegment = segments.find(
    ({ address, fileSize }) => file.entry >= address && file.entry < address + fileSize,
  );
  const isLibrary = file.entry === 0 && file.type === ET_DYN;
  if (isLibrary && kind === 'static') throw fail('not-executable', 'it is a shared library', wanted);
  if (!isLibrary && !entrySegment?.executable) {
    throw fail('malformed', `its entry 0x${file.entry.toString(16)} lies in no executable segment`, wanted);
  }
  const executable: Executable = {
    machine: machine === EM_AARCH64 ? 'aarch64' : 'x86_64',
    bytes,
    entry: file.entry,
    positionIndependent: file.type === ET_DYN,
    headersEnd: EHDR_SIZE + (file.programHeaderOffset === EHDR_SIZE ? file.programHeaders.length * PHDR_SIZE : 0),
    segments,
    sections: hasSections ? readUsableSections(file, bytes) : [],
    functions: hasSections ? readFunctions(file, bytes) : [],
  };
  return { executable, file };
}

function checkSegments(
  file: ElfFile,
  bytes: Uint8Array,
  fail: (code: CompilerErrorCode, what: string, expected: string) => CompilerError,
): Executable['segments'] {
  const loads = file.programHeaders.filter(({ type, memorySize }) => type === PT_LOAD && memorySize > 0);
  if (loads.length === 0) throw fail('malformed', 'it has nothing to load', 'at least one PT_LOAD segment');
  let end = 0;
  for (const [index, segment] of loads.entries()) {
    const { virtualAddress, fileSize, memorySize, offset } = segment;
    if (offset + fileSize > bytes.length) {
      const need = offset + fileSize;
      throw fail('truncated', `the file has ${bytes.length} bytes but segment ${index} ends at ${need}`, 'the whole file');
    }
    if (fileSize > memorySize) throw fail('malformed', `segment ${index} is larger in the file than in memory`, 'at most as large');
    if (virtualAddress + memorySize > addressLimit) {
      throw fail('malformed', `segment ${index} ends beyond 0x${addressLimit.toString(16)}`, 'an address below');
    }
    if (virtualAddress < end) throw fail('malformed', `segment ${index} overlaps the one before it`, 'segments in order and apart');
    if (virtualAddress % pageSize !== offset % pageSize) {
      throw fail('malformed', `segment ${index} has an address and a file offset that differ modulo ${pageSize}`, 'the same remainder');
    }
    end = virtualAddress + memorySize;
  }
  return loads.map(({ virtualAddress, offset, fileSize, memorySize, flags }) => ({
    address: virtualAddress,
    offset,
    fileSize,
    memorySize,
    executable: (flags & PF_X) !== 0,
    writable: (flags & PF_W) !== 0,
  }));
}

function readUsableSections(file: ElfFile, bytes: Uint8Array): Executable['sections'] {
  return file.sections
    .filter(({ flags, type, offset, size }) => flags & SHF_ALLOC && type !== SHT_NOBITS && offset + size <= bytes.length)
    .map(({ name, address, offset, size, flags }) => ({
      name,
      address,
      offset,
      size,
      executable: (flags & SHF_EXECINSTR) !== 0,
    }));
}

/** Function symbols, or what a Go program knows of itself; a broken table gives those before the break. */
function readFunctions(file: ElfFile, bytes: Uint8Array): Executable['functions'] {
  const goTable = findSection(file, '.gopclntab');
  const isInside = goTable !== undefined && goTable.offset + goTable.size <= bytes.length && goTable.type !== SHT_NOBITS;
  const functions: Executable['functions'] = isInside
    ? readGoFunctions(
        bytes.subarray(goTable.offset, goTable.offset + goTable.size),
        findSection(file, '.text')?.address ?? 0,
        file.entry,
      )
    : [];
  if (functions.length > 0) return functions;
  for (const kind of ['static', 'dynamic'] as const) {
    try {
      const symbols = readSymbols(file, kind);
      if (!symbols) continue;
      for (let index = 1; index < symbols.count; index++) {
        const type = symbols.type(index);
        if (type !== STT_FUNC && type !== STT_GNU_IFUNC) continue;
        if (symbols.rawSection(index) === 0) continue;
        functions.push({ name: symbols.name(index), address: symbols.value(index), size: symbols.size(index) });
      }
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
    }
    if (functions.length > 0) break;
  }
  return functions;
}

function asCompilerError(cause: unknown, path: string): CompilerError {
  if (!(cause instanceof ElfError)) throw cause;
  const code = cause.code === 'truncated' ? 'truncated' : cause.code === 'not-64-bit' ? 'wrong-class' : 'malformed';
  return new CompilerError(code, `Cannot build "${path}": ${cause.message}`, { cause });
}

/** What a file that is not ELF may be, for the person who typed its name. */
function describeOther(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'it is empty';
  if (bytes[0] === 0x23 && bytes[1] === 0x21) return 'it is a script (it begins with #!)';
  const isText = bytes.subarray(0, 512).every((byte) => byte >= 0x20 || (byte >= 7 && byte <= 13) || byte === 0x1b);
  return isText ? 'it is a text file' : 'it is not an ELF file';
}
