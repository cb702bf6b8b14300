/**
 * Pass: order sections and give everything an address.
 *
 * After `makeOutputs`: each live section is in one output section, each of those in one segment, all in their final order.
 * After `assignAddresses`: addresses and file offsets are final, and the symbols that stand for boundaries have their values.
 */
import { EHDR_SIZE, PHDR_SIZE, SHF_MERGE, SHF_TLS, SHT_NOBITS } from '../elf/index.ts';
import { InputSection, type LinkContext, type OutputSection, type Segment } from './context.ts';
import { LinkError } from './error.ts';
import type { LayoutTarget } from './layout-target.ts';

const alignUp = (value: number, align: number) => Math.ceil(value / align) * align;

function createSegment(context: LinkContext, name: string, flags: number, rank: number): Segment {
  return { name, flags, rank, outputs: [], address: 0, memorySize: 0, fileSize: 0, fileOffset: 0, align: context.isa.pageSize };
}

export function makeOutputs(context: LinkContext, target: LayoutTarget): void {
  const outputs = new Map<string, OutputSection>();
  const segments = new Map<string, Segment>();
  target.segments.forEach(({ name, flags }, rank) => {
    segments.set(name, createSegment(context, name, flags, rank));
  });
  const add = (section: InputSection) => {
    const placement = target.place(section, context);
    const key = `${placement.segment} ${placement.output}`;
    let output = outputs.get(key);
    if (!output) {
      const segment = segments.get(placement.segment) as Segment;
      output = {
        name: placement.output,
        type: section.type,
        flags: section.flags & 0x407,
        align: 1,
        sections: [],
        address: 0,
        size: 0,
        fileOffset: 0,
        segment,
        rank: placement.rank,
        index: outputs.size,
      };
      outputs.set(key, output);
      segment.outputs.push(output);
    }
    output.sections.push(section);
    output.align = Math.max(output.align, section.align);
    output.flags |= section.flags & 0x407;
    if (section.type !== SHT_NOBITS && output.type === SHT_NOBITS) output.type = section.type;
    section.output = output;
  };
  for (const file of [...context.objects, context.made.libos, context.made.program]) {
    for (const section of file.sections) {
      if (section?.live && !(section.flags & SHF_MERGE && section.pieces?.chunk)) add(section);
    }
  }
  for (const chunk of context.chunks) add(chunk);
  context.segments = [...segments.values()];
  for (const segment of context.segments) {
    // Sections without bytes in the file come last, TLS's own excepted.
    segment.outputs.sort((a, b) => lateness(a) - lateness(b) || a.rank - b.rank || a.index - b.index);
    for (const output of segment.outputs) sortSections(context, target, output);
  }
  context.outputs = context.segments.flatMap((segment) => segment.outputs);
}

function lateness(output: OutputSection): number {
  return output.type === SHT_NOBITS && !(output.flags & SHF_TLS) ? 1 : 0;
}

/** Priority of .init_array.N and of .ctors.N, whose numbers run the other way. */
function priority(section: InputSection): number {
  const match = /^\.(init_array|fini_array|ctors|dtors)\.(\d+)$/.exec(section.name);
  if (!match) return 65536;
  return match[1] === 'ctors' || match[1] === 'dtors' ? 65535 - Number(match[2]) : Number(match[2]);
}

function sortSections(context: LinkContext, target: LayoutTarget, output: OutputSection): void {
  const { sections } = output;
  if (/^\.(init_array|fini_array)$/.test(output.name)) {
    sections.sort((a, b) => priority(a) - priority(b));
  } else if (/^\.(ctors|dtors)$/.test(output.name)) {
    const edge = (section: InputSection) =>
      /crtbegin[^/]*\.o/.test(section.file.name) ? -1 : /crtend[^/]*\.o/.test(section.file.name) ? 1 : 0;
    sections.sort((a, b) => edge(a) - edge(b) || priority(a) - priority(b));
  } else if (output.name.startsWith('.hull.')) {
    sections.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  } else if (target.sortByAlignment && /^\.(rodata|data|bss|data\.rel\.ro)$/.test(output.name)) {
    sections.sort((a, b) => b.align - a.align);
  } else if (output.name === '.text' && target.sortByAlignment) {
    const entry = context.scopes.libos.get(context.options.entry)?.section;
    sections.sort((a, b) => Number(b === entry) - Number(a === entry));
  }
}

export function assignAddresses(context: LinkContext, target: LayoutTarget): void {
  const { pageSize } = context.isa;
  const used = context.segments.filter((segment) => segment.outputs.length > 0);
  const headers = EHDR_SIZE + PHDR_SIZE * programHeaderCount(context, target);
  let fileOffset = target.headersInMemory ? 0 : headers;
  let address = context.options.base;
  let first = true;
  if (target.headersInMemory && used[0]?.name !== 'rodata')
    used.unshift(context.segments.find((segment) => segment.name === 'rodata') as Segment);
  for (const segment of used) {
    if (target.packed) {
      fileOffset = alignUp(fileOffset, 16);
      address = alignUp(address, pageSize);
    } else if (!first) address = alignUp(address, pageSize) + (fileOffset % pageSize);
    const widest = segment.outputs.reduce((widest, output) => Math.max(widest, output.align), 1);
    if (widest > pageSize) {
      // The segment's own start must not depend on where the aligned section ends up.
      const start = alignUp(address, widest);
      if (target.packed) address = start;
      else if (!first) address = start + (fileOffset % pageSize);
    }
    segment.address = address;
    segment.fileOffset = fileOffset;
    let at = address;
    if (first && target.headersInMemory) at += headers;
    first = false;
    let fileEnd = at;
    const threadAlign = segment.outputs.reduce((align, output) => (output.flags & SHF_TLS ? Math.max(align, output.align) : align), 1);
    let threadAt: number | undefined;
    for (const output of segment.outputs) {
      const thread = (output.flags & SHF_TLS) !== 0;
      let start = thread && threadAt !== undefined ? alignUp(threadAt, output.align) : alignUp(at, thread ? threadAlign : output.align);
      output.address = start;
      for (const section of output.sections) {
        start = alignUp(start, section.align);
        section.address = start;
        start += section.size;
      }
      output.size = start - output.address;
      if (!Number.isSafeInteger(start)) throw new LinkError('too-large', `Cannot lay out section "${output.name}": it ends beyond 2^53`);
      if (thread) {
        if (threadAt === undefined) context.threadStart = output.address;
        threadAt = start;
        context.threadEnd = start;
        context.threadPointer = context.isa.threadPointer(context.threadStart, context.threadEnd, threadAlign);
      }
      if (thread && output.type === SHT_NOBITS) {
        output.fileOffset = fileOffset + fileEnd - segment.address;
        continue;
      }
      at = start;
      output.fileOffset = fileOffset + output.address - segment.address;
      if (output.type !== SHT_NOBITS) fileEnd = at;
    }
    segment.memorySize = at - segment.address;
    segment.fileSize = fileEnd - segment.address;
    fileOffset += segment.fileSize;
    address = at;
  }
  placeEmbedded(context, fileOffset, address);
  for (const segment of context.segments) {
    if (!used.includes(segment) && segment.name !== 'program') {
      segment.address = alignUp(address, pageSize);
      segment.memorySize = 0;
      segment.fileSize = 0;
      segment.fileOffset = fileOffset;
    }
  }
  if (context.options.movable) {
    const end = context.segments.reduce((end, segment) => Math.max(end, segment.address + segment.memorySize), 0);
    const most = context.isa.image.memoryStart + 2 ** 30;
    if (end >= most) throw new LinkError('too-large', `Cannot lay out image: it ends at 0x${end.toString(16)}, expected below ${context.isa.image.memoryStart ? `0x${most.toString(16)}` : '1 GiB'}`);
  }
  for (const { symbol, address: at } of context.boundaries) symbol.value = at(context);
}

/** The embedded executable: a segment of its own, after everything else. */
function placeEmbedded(context: LinkContext, fileOffset: number, address: number): void {
  const { embedded } = context;
  if (!embedded) return;
  let segment = context.segments.find((candidate) => candidate.name === 'program');
  if (!segment) {
    segment = createSegment(context, 'program', 4, 9);
    context.segments.push(segment);
  }
  segment.address = alignUp(address, context.isa.pageSize);
  segment.fileOffset = alignUp(fileOffset, 16);
  segment.memorySize = embedded.length;
  segment.fileSize = embedded.length;
}

/** The program headers that write-elf.ts makes: kept in one place with programHeaders there. */
export function programHeaderCount(context: LinkContext, target: LayoutTarget): number {
  const loads =
    context.segments.filter(
      (segment) => segment.outputs.length > 0 || (segment.name === 'rodata' && target.headersInMemory) || segment.name === 'program',
    ).length + (context.embedded && !context.segments.some((segment) => segment.name === 'program') ? 1 : 0);
  const notes = context.outputs.some((output) => output.type === 7) ? 1 : 0;
  const thread = context.outputs.some((output) => output.flags & SHF_TLS) ? 1 : 0;
  const unwind = context.outputs.some((output) => output.name === '.eh_frame_hdr') ? 1 : 0;
  return loads + notes + thread + unwind + (target.headersInMemory ? 2 : 0);
}

/** A section that the linker makes, live from the start. */
export function makeSection(
  context: LinkContext,
  scope: 'libos' | 'program',
  name: string,
  type: number,
  flags: number,
  align: number,
  size: number,
): InputSection {
  const file = context.made[scope];
  const section = new InputSection(file, name, type, flags, align, size, 0, new Uint8Array(size));
  section.live = true;
  section.reason = 'made by the linker';
  file.sections.push(section);
  return section;
}
