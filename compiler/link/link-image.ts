/** Links a hull image: a table of contents of the passes. */
import { encodeNote, encodeRelr, PT_LOAD, readElf, SHF_ALLOC, SHT_NOTE, SHT_PROGBITS } from '../elf/index.ts';
import { collectRelative } from './apply-relocations.ts';
import { LinkContext } from './context.ts';
import { imageFeatures, makeManifest } from './describe-result.ts';
import { LinkError } from './error.ts';
import { settleBranches } from './extend-branches.ts';
import { makeOutputs, makeSection } from './layout.ts';
import { imageTarget } from './layout-target.ts';
import { fitProgramHeaders } from './linker-symbols.ts';
import { Marker } from './mark-live.ts';
import { machines } from './machines.ts';
import { mergeStrings } from './merge-strings.ts';
import { defineSymbols, fillUnwindHeader, makeResult, makeUnwindHeader } from './passes.ts';
import { planRelocations } from './plan-relocations.ts';
import { readComponents, readInputs } from './read-inputs.ts';
import type { LinkImageRequest, LinkResult } from './request.ts';
import { rewriteUnwind } from './unwind.ts';
import { writeElf } from './write-elf.ts';

const NOTE_TYPE_IMAGE = 1;
const ABI_VERSION = 1;
/** Page tables, stacks, the page array and first allocations, beside what the image itself takes. */
const START_MEMORY = 256 * 1024;

export function linkImage(request: LinkImageRequest): LinkResult {
  const isa = machines[request.machine ?? 'x86_64'];
  const context = new LinkContext(isa, {
    kind: request.program || request.syscalls ? 'binary' : 'linked',
    gc: request.gc ?? true,
    strip: request.strip ?? false,
    entry: request.entry ?? isa.image.entry,
    base: request.base ?? isa.image.base,
    keep: request.keep ?? [],
    unwind: request.unwind ?? false,
    movable: true,
  });
  takeProgram(context, request);
  defineSymbols(context, request.defines, 'libos');
  readComponents(context, request.components); // libOS names are known, all lazy
  readInputs(context, request.inputs); //          program objects are read and resolved among themselves
  markReachable(context, request); //              components are active or not; what is live, and why, is final
  fitProgramHeaders(context);
  rewriteUnwind(context); //                       .eh_frame covers just the live functions
  makeUnwindHeader(context);
  mergeStrings(context); //                        each string is there once
  context.features = imageFeatures(context);
  const note = makeSection(context, 'libos', '.note.hull', SHT_NOTE, SHF_ALLOC, 4, 12 + 8 + 16);
  planRelocations(context); //                     instructions are chosen, slots exist, names are defined
  context.check();
  context.relr = makeSection(context, 'libos', '.relr.dyn', SHT_PROGBITS, SHF_ALLOC, 8, 0);
  makeOutputs(context, imageTarget); //            every section has its place in the order
  settleAddresses(context); //                     addresses are final; RELR lists every absolute word
  context.leastMemory = leastMemory(context);
  fillUnwindHeader(context);
  note.data = imageNote(context);
  const manifest = { ...makeManifest(context), ...(request.analysis && { analysis: request.analysis }) };
  const image = writeElf(context, imageTarget, JSON.stringify(manifest)); // relocations are applied, the file is whole
  return makeResult(context, image, manifest);
}

function takeProgram(context: LinkContext, request: LinkImageRequest): void {
  const { program } = request;
  if (program?.path.includes('\0')) throw new LinkError('bad-request', 'Cannot embed program: its path contains a NUL');
  context.embedded = program?.bytes;
  context.programPath = program?.path;
  const { syscallNames } = context.isa;
  for (const name of request.syscalls === 'all' ? syscallNames : (request.syscalls ?? []))
    if (name !== undefined) context.syscalls.add(name);
  if (request.syscalls === 'all') {
    const provided = new Set(request.components.flatMap((component) => Object.keys(component.manifest.syscalls ?? {})));
    context.syscalls = new Set([...context.syscalls].filter((name) => provided.has(name)));
  }
}

function markReachable(context: LinkContext, request: LinkImageRequest): void {
  const activate = (request.activate ?? []).map((name) => {
    const component = context.components.get(name);
    if (!component)
      throw new LinkError(
        'missing-component',
        `Cannot add component "${name}": unknown, expected one of ${[...context.components.keys()].join(', ')}`,
      );
    return component;
  });
  new Marker(context).run(activate);
}

/** RELR's size depends on the addresses and they on it: a fixed point, reached since the size only grows. */
function settleAddresses(context: LinkContext): void {
  const { relr } = context;
  if (!relr) return;
  for (;;) {
    settleBranches(context, imageTarget);
    const table = encodeRelr(collectRelative(context));
    context.check();
    if (table.length <= relr.size) {
      // Padding: an even entry repeats nothing, a bitmap without bits moves on; both are harmless, the second relocates nothing.
      relr.data = new Uint8Array(relr.size);
      relr.data.set(table);
      for (let at = table.length; at < relr.size; at += 8) relr.data[at] = 1;
      return;
    }
    relr.size = table.length;
  }
}

function leastMemory(context: LinkContext): number {
  const end = context.segments.reduce((end, segment) => Math.max(end, segment.address + segment.memorySize), 0);
  const { memoryStart, leastMemory: least } = context.isa.image;
  return Math.max(least, Math.ceil((end - memoryStart + START_MEMORY + programMemory(context.embedded)) / 65536) * 65536);
}

/** What the embedded program's writable segments take. */
function programMemory(bytes: Uint8Array | undefined): number {
  if (!bytes) return 0;
  try {
    return readElf(bytes, { sections: false })
      .programHeaders.filter((header) => header.type === PT_LOAD && header.flags & 2)
      .reduce((sum, header) => sum + header.memorySize, 0);
  } catch (error) {
    throw new LinkError('bad-object', `Cannot embed program: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function imageNote(context: LinkContext): Uint8Array {
  const descriptor = new Uint8Array(16);
  const view = new DataView(descriptor.buffer);
  view.setUint32(0, ABI_VERSION, true);
  view.setUint32(4, context.features, true);
  view.setBigUint64(8, BigInt(context.leastMemory), true);
  return encodeNote({ name: 'hull', type: NOTE_TYPE_IMAGE, descriptor });
}
