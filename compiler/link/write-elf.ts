/**
 * Pass: the file. Headers, section contents, and, unless stripped, section headers, symbols and the manifest.
 *
 * Images are packed: segments follow each other in the file at 16-byte steps, while each has pages of its own in memory.
 */
import {
  EHDR_SIZE,
  ET_EXEC,
  PHDR_SIZE,
  type ProgramHeader,
  PT_GNU_EH_FRAME,
  PT_GNU_STACK,
  PT_LOAD,
  PT_NOTE,
  PT_PHDR,
  PT_TLS,
  SHDR_SIZE,
  SHF_TLS,
  type SectionHeader,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_PROGBITS,
  SHT_STRTAB,
  SHT_SYMTAB,
  STB_GLOBAL,
  STB_LOCAL,
  STT_FUNC,
  STT_SECTION,
  StringTable,
  SYM_SIZE,
  writeElfHeader,
  writeProgramHeader,
  writeSectionHeader,
  writeSymbol,
} from '../elf/index.ts';
import { applyRelocations } from './apply-relocations.ts';
import { type LinkContext, type OutputSection, SymbolKind, symbolAddress } from './context.ts';
import { programHeaderCount } from './layout.ts';
import type { LayoutTarget } from './layout-target.ts';

/** Alignment may pad, but a file of another order of size than its inputs is a mistake. */
const MAX_PADDING = 2 ** 28;

export function programHeaders(context: LinkContext, target: LayoutTarget): ProgramHeader[] {
  const headers: ProgramHeader[] = [];
  const headersSize = PHDR_SIZE * programHeaderCount(context, target);
  const add = (type: number, flags: number, offset: number, address: number, fileSize: number, memorySize: number, align: number) =>
    headers.push({ type, flags, offset, virtualAddress: address, physicalAddress: address, fileSize, memorySize, align });
  if (target.headersInMemory) add(PT_PHDR, 4, EHDR_SIZE, context.options.base + EHDR_SIZE, headersSize, headersSize, 8);
  for (const segment of context.segments) {
    if (segment.memorySize === 0 && segment.outputs.length === 0 && segment.name !== 'program') continue;
    add(
      PT_LOAD,
      segment.flags,
      segment.fileOffset,
      segment.address,
      segment.fileSize,
      segment.memorySize,
      target.packed ? 16 : context.isa.pageSize,
    );
  }
  const notes = context.outputs.filter((output) => output.type === SHT_NOTE);
  if (notes.length > 0) {
    const first = notes[0] as OutputSection;
    const last = notes[notes.length - 1] as OutputSection;
    const size = last.address + last.size - first.address;
    add(PT_NOTE, 4, first.fileOffset, first.address, size, size, 4);
  }
  const thread = context.outputs.filter((output) => output.flags & SHF_TLS);
  if (thread.length > 0) {
    const first = thread[0] as OutputSection;
    const fileSize = thread.reduce((size, output) => (output.type === SHT_NOBITS ? size : output.address + output.size - first.address), 0);
    add(PT_TLS, 4, first.fileOffset, first.address, fileSize, context.threadEnd - context.threadStart, threadAlign(thread));
  }
  const unwind = context.outputs.find((output) => output.name === '.eh_frame_hdr');
  if (unwind) add(PT_GNU_EH_FRAME, 4, unwind.fileOffset, unwind.address, unwind.size, unwind.size, 4);
  if (target.headersInMemory) add(PT_GNU_STACK, 6, 0, 0, 0, 0, 16);
  return headers;
}

function threadAlign(outputs: readonly OutputSection[]): number {
  return outputs.reduce((align, output) => Math.max(align, output.align), 1);
}

/** Contents that depend on the layout: the program headers as a linked program sees them. */
export function fillTables(context: LinkContext, target: LayoutTarget): void {
  const scope = context.scopes.libos;
  const table = scope.get('hull_program_headers')?.section;
  const count = scope.get('hull_program_header_count')?.section;
  if (!table && !count) return;
  const address = table?.address ?? 0;
  const own = programHeaders(context, target);
  const size = table?.size ?? 0;
  const self: ProgramHeader = {
    type: PT_PHDR,
    flags: 4,
    offset: 0,
    virtualAddress: address,
    physicalAddress: address,
    fileSize: size,
    memorySize: size,
    align: 8,
  };
  const all = [self, ...own.filter(({ type }) => type === PT_TLS), ...own.filter(({ type }) => type === PT_LOAD)].slice(0, size / PHDR_SIZE);
  if (table) {
    const view = new DataView(table.data.buffer);
    all.forEach((header, i) => {
      writeProgramHeader(view, i * PHDR_SIZE, header);
    });
  }
  if (count) new DataView(count.data.buffer).setUint32(0, all.length, true);
}

export interface NamedAddress {
  name: string;
  address: number;
  size: number;
  type: number;
  binding: number;
  output: OutputSection | undefined;
  absolute: bigint | undefined;
}

/** All symbols of live sections, by address. */
export function listSymbols(context: LinkContext): NamedAddress[] {
  const list: NamedAddress[] = [];
  const add = (symbol: import('./context.ts').LinkSymbol, binding: number) => {
    if (symbol.name === '' || symbol.isSection || symbol.alias) return;
    if (symbol.kind === SymbolKind.defined) {
      const section = symbol.section;
      if (!section?.live) return;
      const output = section.pieces?.chunk ? section.pieces.chunk.output : section.output;
      if (!output || (binding === STB_LOCAL && symbol.name.startsWith('.L'))) return;
      list.push({
        name: symbol.name,
        address: symbolAddress(symbol),
        size: symbol.size,
        type: symbol.type,
        binding,
        output,
        absolute: undefined,
      });
    } else if (symbol.kind === SymbolKind.address) {
      list.push({ name: symbol.name, address: symbol.value, size: 0, type: symbol.type, binding, output: undefined, absolute: undefined });
    } else if (symbol.kind === SymbolKind.absolute && binding !== STB_LOCAL) {
      list.push({
        name: symbol.name,
        address: 0,
        size: symbol.size,
        type: symbol.type,
        binding,
        output: undefined,
        absolute: symbol.absolute,
      });
    }
  };
  for (const file of context.objects) for (const symbol of file.symbols) if (symbol.binding === STB_LOCAL) add(symbol, STB_LOCAL);
  for (const symbol of context.made.libos.symbols) if (symbol.binding === STB_LOCAL) add(symbol, STB_LOCAL);
  // The two scopes may share names: in the output the program's keep theirs, the libOS's of the same name become local.
  for (const symbol of context.scopes.program.values()) add(symbol, STB_GLOBAL);
  for (const symbol of context.scopes.libos.values()) {
    const other = context.scopes.program.get(symbol.name);
    add(symbol, other && other.kind >= SymbolKind.common && !other.alias ? STB_LOCAL : STB_GLOBAL);
  }
  return list.sort((a, b) => a.binding - b.binding || a.address - b.address);
}

/** After it: the finished file. `manifest` is the text for .hull.manifest. */
export function writeElf(context: LinkContext, target: LayoutTarget, manifest: string | undefined): Uint8Array {
  const headers = programHeaders(context, target);
  const contentEnd = context.segments.reduce(
    (end, segment) => Math.max(end, segment.fileOffset + segment.fileSize),
    EHDR_SIZE + headers.length * PHDR_SIZE,
  );
  const tail = context.options.strip ? undefined : makeTail(context, contentEnd, manifest);
  const total = tail ? tail.end : contentEnd;
  const limit = Math.min(context.inputBytes * 4 + (context.embedded?.length ?? 0) + MAX_PADDING, 2 ** 31 - 1);
  if (total > limit) {
    context.report('too-large', `Cannot write output: ${total} bytes, expected at most ${limit}`);
    context.check();
  }
  const image = new Uint8Array(total);
  const view = new DataView(image.buffer);
  const entry = context.scopes[context.options.kind === 'executable' ? 'program' : 'libos'].get(context.options.entry);
  writeElfHeader(view, {
    type: ET_EXEC,
    machine: context.isa.machine,
    entry: entry ? symbolAddress(entry.alias ?? entry) : 0,
    programHeaderOffset: EHDR_SIZE,
    programHeaderCount: headers.length,
    sectionHeaderOffset: tail ? tail.headers : 0,
    sectionHeaderCount: tail ? tail.count : 0,
    sectionNameIndex: tail ? tail.count - 1 : 0,
  });
  headers.forEach((header, i) => {
    writeProgramHeader(view, EHDR_SIZE + i * PHDR_SIZE, header);
  });
  fillTables(context, target);
  applyRelocations(context, image);
  context.check();
  const embedded = context.segments.find((segment) => segment.name === 'program');
  if (embedded && context.embedded) image.set(context.embedded, embedded.fileOffset);
  tail?.write(image, view);
  return image;
}

interface Tail {
  headers: number;
  count: number;
  end: number;
  write: (image: Uint8Array, view: DataView) => void;
}

function makeTail(context: LinkContext, start: number, manifest: string | undefined): Tail {
  const strings = new StringTable();
  const names = new StringTable();
  const symbols = listSymbols(context);
  const outputs = context.outputs;
  const indexes = new Map(outputs.map((output, i) => [output, i + 1]));
  const embedded = context.segments.find((segment) => segment.name === 'program');
  const symbolBytes = new Uint8Array((symbols.length + 1) * SYM_SIZE);
  const symbolView = new DataView(symbolBytes.buffer);
  let locals = 1;
  symbols.forEach((symbol, i) => {
    if (symbol.binding === STB_LOCAL) locals = i + 2;
    const section = symbol.output ? (indexes.get(symbol.output) as number) : 0xfff1;
    const thread = symbol.type === 6 ? symbol.address - context.threadStart : symbol.address;
    writeSymbol(symbolView, (i + 1) * SYM_SIZE, {
      nameOffset: strings.add(symbol.name),
      binding: symbol.binding,
      type: symbol.type === 10 ? STT_FUNC : symbol.type === STT_SECTION ? 0 : symbol.type,
      visibility: 0,
      section,
      value: symbol.absolute ?? thread,
      size: symbol.size,
    });
  });
  type Extra = Omit<SectionHeader, 'index'> & { bytes?: Uint8Array };
  const extras: Extra[] = [];
  const plain = { flags: 0, address: 0, offset: 0, link: 0, info: 0, align: 1, entrySize: 0 };
  if (embedded)
    extras.push({
      ...plain,
      name: '.hull.program',
      type: SHT_PROGBITS,
      flags: 2,
      address: embedded.address,
      offset: embedded.fileOffset,
      size: embedded.fileSize,
    });
  const addExtra = (name: string, type: number, bytes: Uint8Array, fields: Partial<Extra> = {}) =>
    extras.push({ ...plain, name, type, size: bytes.length, bytes, ...fields });
  if (manifest !== undefined) addExtra('.hull.manifest', SHT_PROGBITS, Buffer.from(manifest));
  const base = outputs.length + 1 + extras.length;
  addExtra('.symtab', SHT_SYMTAB, symbolBytes, { link: base + 1, info: locals, align: 8, entrySize: SYM_SIZE });
  addExtra('.strtab', SHT_STRTAB, strings.bytes());
  for (const output of outputs) names.add(output.name);
  for (const extra of extras) names.add(extra.name);
  names.add('.shstrtab');
  addExtra('.shstrtab', SHT_STRTAB, names.bytes());
  let at = start;
  for (const extra of extras) {
    if (!extra.bytes) continue;
    at = Math.ceil(at / extra.align) * extra.align;
    extra.offset = at;
    at += extra.size;
  }
  const headers = Math.ceil(at / 8) * 8;
  const count = outputs.length + 1 + extras.length;
  return {
    headers,
    count,
    end: headers + count * SHDR_SIZE,
    write(image, view) {
      outputs.forEach((output, i) => {
        writeSectionHeader(view, headers + (i + 1) * SHDR_SIZE, names.add(output.name), {
          ...output,
          offset: output.fileOffset,
          link: 0,
          info: 0,
          entrySize: 0,
        });
      });
      extras.forEach((extra, i) => {
        writeSectionHeader(view, headers + (outputs.length + 1 + i) * SHDR_SIZE, names.add(extra.name), extra);
        if (extra.bytes) image.set(extra.bytes, extra.offset);
      });
      if (count >= 0xff00) view.setUint32(headers + 32, count, true);
      if (count - 1 >= 0xff00) view.setUint32(headers + 40, count - 1, true);
    },
  };
}
