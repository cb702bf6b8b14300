/**
 * Reads an image and tells what is in it.
 *
 * Owns: the meaning of the hull note (libos/abi/boot_abi.h) and of the .hull.manifest section on the reading side. A stripped
 * image still has its note and segments: kind, features, memory and permissions can be told, components cannot.
 * Rule: the manifest comes from a file that anybody may have written; what does not have its shape is an error, never trusted.
 */
import {
  ElfError,
  type ElfFile,
  findSection,
  PF_R,
  PF_W,
  PF_X,
  PT_GNU_RELRO,
  PT_GNU_STACK,
  PT_LOAD,
  PT_NOTE,
  PT_PHDR,
  PT_TLS,
  readElf,
  readNotes,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_NULL,
  sectionBytes,
  segmentBytes,
} from '../elf/index.ts';
import { CompilerError } from '../error.ts';
import type { AnalysisRecord, ImageReport } from './report.ts';

const noteName = 'hull';
const noteImage = 1;
const featureNames = ['uart', 'virtio-console', 'input', 'signals', 'binary', 'trace', 'network', 'mounts', '9p', 'balloon', 'control', 'ext4', 'calls', 'xen-console'];
const featureBinary = 1 << 4;
const segmentKinds = new Map([
  [PT_LOAD, 'load'],
  [PT_NOTE, 'note'],
  [PT_PHDR, 'headers'],
  [PT_TLS, 'tls'],
  [PT_GNU_STACK, 'stack'],
  [PT_GNU_RELRO, 'relro'],
]);

export function inspectImage(bytes: Uint8Array, path: string): ImageReport {
  const fail = (what: string, cause?: unknown) =>
    new CompilerError('not-an-image', `Cannot inspect "${path}": ${what}, expected an image made by hull`, cause ? { cause } : {});
  let file: ElfFile;
  let note: Uint8Array | undefined;
  let manifest: Record<string, unknown> | undefined;
  try {
    file = readElf(bytes);
    note = findImageNote(file);
    if (note && note.length >= 16) manifest = readManifest(file, fail);
  } catch (cause) {
    if (cause instanceof ElfError) throw fail(cause.message, cause);
    throw cause;
  }
  if (!note || note.length < 16) throw fail('it has no hull note');

  const view = new DataView(note.buffer, note.byteOffset, note.byteLength);
  const features = view.getUint32(4, true);
  const report: ImageReport = {
    size: bytes.length,
    stripped: manifest === undefined,
    kind: features & featureBinary ? 'binary' : 'linked',
    abiVersion: view.getUint32(0, true),
    features: featureNames.filter((_, bit) => features & (1 << bit)),
    leastMemory: Number(view.getBigUint64(8, true)),
    entry: file.entry,
    segments: file.programHeaders.map(({ type, flags, virtualAddress, fileSize, memorySize }) => ({
      kind: segmentKinds.get(type) ?? `0x${type.toString(16)}`,
      address: virtualAddress,
      fileSize,
      memorySize,
      permissions: permissions((flags & PF_R) !== 0, (flags & PF_W) !== 0, (flags & PF_X) !== 0),
    })),
    sections: file.sections
      .filter(({ type }) => type !== SHT_NULL)
      .map(({ name, address, size, flags }) => ({
        name,
        address,
        size,
        permissions: permissions((flags & SHF_ALLOC) !== 0, (flags & SHF_WRITE) !== 0, (flags & SHF_EXECINSTR) !== 0),
      })),
  };
  return manifest ? addManifest(report, manifest, fail) : report;
}

const permissions = (read: boolean, write: boolean, execute: boolean) =>
  `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`;

/** Notes are read from segments, because these survive stripping. */
function findImageNote(file: ElfFile): Uint8Array | undefined {
  for (const segment of file.programHeaders) {
    if (segment.type !== PT_NOTE) continue;
    const note = readNotes(segmentBytes(file, segment)).find(({ name, type }) => name === noteName && type === noteImage);
    if (note) return note.descriptor;
  }
  return undefined;
}

function readManifest(file: ElfFile, fail: (what: string, cause?: unknown) => CompilerError) {
  const section = findSection(file, '.hull.manifest');
  if (!section) return undefined;
  const text = Buffer.from(sectionBytes(file, section)).toString('utf8').replace(/\0+$/, '');
  try {
    return asObject(JSON.parse(text), 'the manifest');
  } catch (cause) {
    throw fail(`its manifest cannot be read (${cause instanceof Error ? cause.message : cause})`, cause);
  }
}

function addManifest(
  report: ImageReport,
  manifest: Record<string, unknown>,
  fail: (what: string, cause?: unknown) => CompilerError,
): ImageReport {
  try {
    const analysis = manifest['analysis'] === undefined ? undefined : readAnalysis(asObject(manifest['analysis'], 'analysis'));
    const program = asObject(manifest['program'], 'program');
    const path = program['path'];
    return {
      ...report,
      components: asList(manifest['components'], 'components').map((value) => {
        const item = asObject(value, 'a component');
        const name = asText(item['name'], 'a name');
        const chain = asTexts(item['why'] ?? [], 'why');
        return { name, why: analysis?.why[name] || chain.join(' -> '), ...readSizes(item) };
      }),
      program: {
        ...readSizes(program),
        embedded: asNumber(program['embedded'] ?? 0, 'embedded'),
        ...(typeof path === 'string' && { path }),
      },
      syscalls: Object.fromEntries(
        Object.entries(asObject(manifest['syscalls'] ?? {}, 'syscalls')).map(([call, name]) => [call, asText(name, call)]),
      ),
      absent: asTexts(manifest['absent'] ?? [], 'absent'),
      ...(analysis && { analysis }),
    };
  } catch (cause) {
    if (cause instanceof TypeError) throw fail(`its manifest is wrong (${cause.message})`, cause);
    throw cause;
  }
}

function readSizes(item: Record<string, unknown>) {
  const size = (field: string) => asNumber(item[field] ?? 0, field);
  return { text: size('text'), rodata: size('rodata'), data: size('data'), bss: size('bss') };
}

function readAnalysis(value: Record<string, unknown>): AnalysisRecord {
  return {
    calls: asList(value['calls'] ?? [], 'calls').map((entry) => {
      const call = asObject(entry, 'a call');
      return {
        number: asNumber(call['number'], 'number'),
        name: asText(call['name'], 'name'),
        sites: asNumber(call['sites'], 'sites'),
        places: asTexts(call['places'], 'places'),
        support: asText(call['support'] ?? 'full', 'support'),
      };
    }),
    unknown: asList(value['unknown'] ?? [], 'unknown').map((entry) => {
      const site = asObject(entry, 'an unknown site');
      return { place: asText(site['place'], 'place'), reasons: asTexts(site['reasons'], 'reasons') };
    }),
    doubts: asTexts(value['doubts'] ?? [], 'doubts'),
    objects: asList(value['objects'] ?? [], 'objects').map((entry) => {
      const object = asObject(entry, 'an object');
      return { path: asText(object['path'], 'path'), why: asText(object['why'], 'why') };
    }),
    lacking: asTexts(value['lacking'] ?? [], 'lacking'),
    absent: asTexts(value['absent'] ?? [], 'absent'),
    mayGenerateCode: asTexts(value['mayGenerateCode'] ?? [], 'mayGenerateCode'),
    mayExecute: value['mayExecute'] === true,
    legacyGates: asTexts(value['legacyGates'] ?? [], 'legacyGates'),
    why: Object.fromEntries(
      Object.entries(asObject(value['why'] ?? {}, 'why')).map(([name, text]) => [name, asText(text, name)]),
    ),
  };
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${what} is no object`);
  return value as Record<string, unknown>;
}

function asList(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${what} is no list`);
  return value;
}

function asText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new TypeError(`${what} is no text`);
  return value;
}

function asTexts(value: unknown, what: string): string[] {
  return asList(value, what).map((item) => asText(item, what));
}

function asNumber(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`${what} is no number`);
  return value;
}
