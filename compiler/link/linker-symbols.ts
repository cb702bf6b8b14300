/**
 * Symbols that the linker defines when something refers to them and no input has them: boundaries of segments and sections, the tables of
 * ARCHITECTURE.md "The image", and the traditional names (_end, __init_array_start, __start_NAME …).
 */
import { PHDR_SIZE, SHF_ALLOC, SHF_TLS, SHT_PROGBITS, STT_OBJECT } from '../elf/index.ts';
import { InputSection, type LinkContext, type LinkSymbol, SymbolKind } from './context.ts';
import { makeSyscallTable } from './system-calls.ts';

type Edge = 'start' | 'end';
/** At most: PHDR, TLS, text, rodata, data. */
const PROGRAM_HEADER_ROOM = 5;
const LOADS = 3;

const alignUp = (value: number, align: number) => Math.ceil(value / align) * align;

function outputEdge(name: string, edge: Edge) {
  return (context: LinkContext): number => {
    const output = context.outputs.find((candidate) => candidate.name === name);
    if (!output) return context.options.base;
    return edge === 'start' ? output.address : output.address + output.size;
  };
}

function segmentEdge(name: string, edge: Edge) {
  return (context: LinkContext): number => {
    let last = context.options.base;
    for (const segment of context.segments) {
      const end = segment.address + segment.memorySize;
      if (segment.name === name) return edge === 'start' ? segment.address : end;
      if (segment.name !== 'program') last = Math.max(last, alignUp(end, context.isa.pageSize));
    }
    return last;
  };
}

function bssEdge(edge: Edge) {
  return (context: LinkContext): number => {
    const bss = context.outputs.find((output) => output.name === '.bss');
    if (bss) return edge === 'start' ? bss.address : bss.address + bss.size;
    return segmentEdge('data', 'end')(context);
  };
}

function imageEnd(context: LinkContext): number {
  return context.segments.reduce((end, segment) => Math.max(end, segment.address + segment.memorySize), context.options.base);
}

function programText(edge: Edge | 'libos-end') {
  return (context: LinkContext): number => {
    const text = context.segments.find((segment) => segment.name === 'text');
    const end = text ? text.address + text.memorySize : context.options.base;
    if (edge === 'end') return end;
    const libos = context.outputs.find((output) => output.name === '.text');
    if (edge === 'libos-end') return libos ? libos.address + libos.size : context.options.base;
    return text?.outputs.find((output) => output.name !== '.text')?.address ?? end;
  };
}

/** Where a segment is when the file's segments follow each other in memory as they do in the file, the first at its own address. */
function packedStart(name: string) {
  return (context: LinkContext): number => {
    const offsets = context.segments.filter((segment) => segment.fileSize > 0).map((segment) => segment.fileOffset);
    return context.options.base + (context.segments.find((segment) => segment.name === name)?.fileOffset ?? 0) - Math.min(...offsets);
  };
}

const IMAGE: Record<string, (context: LinkContext) => number> = {
  hull_image_start: (context) => context.options.base,
  hull_image_end: imageEnd,
  hull_text_start: segmentEdge('text', 'start'),
  hull_text_end: segmentEdge('text', 'end'),
  hull_libos_text_start: segmentEdge('text', 'start'),
  hull_libos_text_end: programText('libos-end'),
  hull_program_text_start: programText('start'),
  hull_program_text_end: programText('end'),
  hull_rodata_start: segmentEdge('rodata', 'start'),
  hull_rodata_end: segmentEdge('rodata', 'end'),
  hull_data_start: segmentEdge('data', 'start'),
  hull_data_end: segmentEdge('data', 'end'),
  hull_rodata_packed: packedStart('rodata'),
  hull_data_packed: packedStart('data'),
  hull_bss_start: bssEdge('start'),
  hull_bss_end: bssEdge('end'),
  hull_relr_start: outputEdge('.relr.dyn', 'start'),
  hull_relr_end: outputEdge('.relr.dyn', 'end'),
  hull_program_start: segmentEdge('program', 'start'),
  hull_program_end: segmentEdge('program', 'end'),
};

const COMMON: Record<string, (context: LinkContext) => number> = {
  _end: imageEnd,
  end: imageEnd,
  _edata: bssEdge('start'),
  edata: bssEdge('start'),
  __bss_start: bssEdge('start'),
  _etext: segmentEdge('text', 'end'),
  etext: segmentEdge('text', 'end'),
  __executable_start: (context) => context.options.base,
  __dso_handle: (context) => context.options.base,
  _GLOBAL_OFFSET_TABLE_: outputEdge('.got', 'start'),
};
for (const array of ['init_array', 'fini_array', 'preinit_array']) {
  COMMON[`__${array}_start`] = outputEdge(`.${array}`, 'start');
  COMMON[`__${array}_end`] = outputEdge(`.${array}`, 'end');
}
const EXECUTABLE: Record<string, (context: LinkContext) => number> = {
  __ehdr_start: (context) => context.options.base,
  __rela_iplt_start: outputEdge('.rela.iplt', 'start'),
  __rela_iplt_end: outputEdge('.rela.iplt', 'end'),
};

const SYSCALL_TABLE = new Set(['hull_syscall_table', 'hull_syscall_index', 'hull_syscall_count']);

/** Defines the symbol if it is one of ours. `mark` brings in sections that it stands for. */
export function defineLinkerSymbol(
  context: LinkContext,
  symbol: LinkSymbol,
  mark: (section: InputSection, reason: string) => void,
): boolean {
  const { name } = symbol;
  const image = context.options.kind !== 'executable';
  const boundary = (address: (context: LinkContext) => number): true => {
    symbol.kind = SymbolKind.address;
    symbol.lazy = undefined;
    symbol.file = context.made[symbol.scope];
    symbol.reached = true;
    context.boundaries.push({ symbol, address });
    return true;
  };
  if (Object.hasOwn(COMMON, name)) {
    if (name === '_GLOBAL_OFFSET_TABLE_') context.needsGot = true;
    return boundary(COMMON[name] as (context: LinkContext) => number);
  }
  if (image) {
    if (Object.hasOwn(IMAGE, name)) return boundary(IMAGE[name] as (context: LinkContext) => number);
    const table = /^__hull_(\w+)_(start|end)$/.exec(name);
    if (table) return boundary(outputEdge(`.hull.${table[1]}`, table[2] as Edge));
    if (SYSCALL_TABLE.has(name) && context.options.kind === 'binary') {
      for (const section of makeSyscallTable(context)) mark(section, 'system call table');
      return true;
    }
    if (name === 'hull_program_headers') return makeConstant(context, symbol, PROGRAM_HEADER_ROOM * PHDR_SIZE, mark);
    if (name === 'hull_program_header_count') return makeConstant(context, symbol, 8, mark);
    if (name === 'hull_program_path' && context.programPath !== undefined) {
      return makeConstant(context, symbol, 0, mark, Buffer.from(`${context.programPath}\0`));
    }
  } else if (Object.hasOwn(EXECUTABLE, name)) return boundary(EXECUTABLE[name] as (context: LinkContext) => number);
  const range = /^__(start|stop)_([A-Za-z_][A-Za-z0-9_]*)$/.exec(name);
  if (!range) return false;
  let found = false;
  for (const file of context.objects) {
    for (const section of file.sections) {
      if (!section || section.name !== range[2]) continue;
      found = true;
      mark(section, name);
    }
  }
  return found && boundary(outputEdge(range[2] as string, range[1] === 'start' ? 'start' : 'end'));
}

function makeConstant(
  context: LinkContext,
  symbol: LinkSymbol,
  size: number,
  mark: (section: InputSection, reason: string) => void,
  data: Uint8Array = new Uint8Array(size),
): true {
  const file = context.made.libos;
  const section = new InputSection(
    file,
    `.rodata.${symbol.name}`,
    SHT_PROGBITS,
    SHF_ALLOC,
    size % 8 === 0 && size > 0 ? 8 : 1,
    data.length,
    0,
    data,
  );
  file.sections.push(section);
  symbol.kind = SymbolKind.defined;
  symbol.lazy = undefined;
  symbol.file = file;
  symbol.section = section;
  symbol.size = data.length;
  symbol.type = STT_OBJECT;
  mark(section, symbol.name);
  return true;
}

/** After marking: the program's table of headers shrinks to what it can ask for. Its segments matter to dl_iterate_phdr (unwinding) only. */
export function fitProgramHeaders(context: LinkContext): void {
  const symbol = context.scopes.libos.get('hull_program_headers');
  const section = symbol?.section;
  if (!symbol || !section) return;
  const isLive = (test: (section: InputSection) => boolean) => context.objects.some((file) => file.sections.some((one) => one?.live && test(one)));
  const hasThreadData = isLive((one) => (one.flags & SHF_TLS) !== 0);
  const wantsLoads = isLive((one) => one.name.endsWith('dl_iterate_phdr'));
  const count = PROGRAM_HEADER_ROOM - (hasThreadData ? 0 : 1) - (wantsLoads ? 0 : LOADS);
  section.size = symbol.size = count * PHDR_SIZE;
  section.data = section.data.slice(0, section.size);
}
