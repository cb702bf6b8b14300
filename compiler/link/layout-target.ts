/**
 * Where each input section goes: the seam between the two things that we link. A target names the output section and the
 * segment of an input section, and says how segments lie in memory and file; layout.ts does the rest.
 */
import { PF_R, PF_W, PF_X, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_NOBITS, SHT_NOTE } from '../elf/index.ts';
import type { InputSection, LinkContext } from './context.ts';

export interface Placement {
  output: string;
  segment: 'text' | 'rodata' | 'data';
  /** Order of the output section in its segment. */
  rank: number;
}

export interface LayoutTarget {
  segments: { name: 'text' | 'rodata' | 'data'; flags: number }[];
  /** The first segment begins with the ELF header and the program headers. */
  headersInMemory: boolean;
  /** Segments' places in the file: packed, or equal to their addresses modulo the page size. */
  packed: boolean;
  /** Sort by alignment inside .rodata, .data and .bss: less padding. */
  sortByAlignment: boolean;
  place(section: InputSection, context: LinkContext): Placement;
}

const PREFIXES = [
  '.text',
  '.rodata',
  '.data.rel.ro',
  '.data',
  '.bss',
  '.tdata',
  '.tbss',
  '.init_array',
  '.fini_array',
  '.preinit_array',
  '.ctors',
  '.dtors',
  '.gcc_except_table',
];

/** The traditional output name: .text.f → .text. */
function outputName(name: string): string {
  for (const prefix of PREFIXES) if (name === prefix || name.startsWith(`${prefix}.`)) return prefix;
  if (/^\.rodata\b/.test(name)) return '.rodata';
  return name;
}

const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const isArray = (name: string) => /^\.((pre)?init_array|fini_array|ctors|dtors)$/.test(name);

/** The hull image: see ARCHITECTURE.md "The image". What relocations change at boot is read-only afterwards. */
export const imageTarget: LayoutTarget = {
  segments: [
    { name: 'text', flags: PF_R | PF_X },
    { name: 'rodata', flags: PF_R },
    { name: 'data', flags: PF_R | PF_W },
  ],
  headersInMemory: false,
  packed: true,
  sortByAlignment: true,
  place(section) {
    const name = outputName(section.name);
    const program = section.file.scope === 'program';
    if (section.flags & SHF_EXECINSTR) {
      if (name === '.init' || name === '.fini') return { output: name, segment: 'text', rank: name === '.init' ? 20 : 40 };
      return program ? { output: '.text.program', segment: 'text', rank: 30 } : { output: '.text', segment: 'text', rank: 10 };
    }
    if (section.flags & SHF_TLS) {
      return section.type === SHT_NOBITS
        ? { output: '.tbss', segment: 'rodata', rank: 61 }
        : { output: '.tdata', segment: 'rodata', rank: 60 };
    }
    if (name.startsWith('.hull.')) return { output: name.split('.').slice(0, 3).join('.'), segment: 'rodata', rank: 40 };
    if (section.type === SHT_NOTE) return { output: '.note', segment: 'rodata', rank: 0 };
    if (isArray(name)) return { output: name, segment: 'rodata', rank: 41 };
    if (name === '.data.rel.ro') return { output: name, segment: 'rodata', rank: 45 };
    if (name === '.got') return { output: name, segment: 'rodata', rank: 46 };
    if (name === '.relr.dyn') return { output: name, segment: 'rodata', rank: 90 };
    if (section.flags & SHF_WRITE) {
      if (C_IDENTIFIER.test(name))
        return section.type === SHT_NOBITS ? { output: name, segment: 'data', rank: 90 } : { output: name, segment: 'data', rank: 20 };
      return section.type === SHT_NOBITS ? { output: '.bss', segment: 'data', rank: 91 } : { output: '.data', segment: 'data', rank: 10 };
    }
    if (C_IDENTIFIER.test(name) || name === '.eh_frame' || name === '.eh_frame_hdr' || name === '.gcc_except_table')
      return { output: name, segment: 'rodata', rank: 50 };
    return { output: '.rodata', segment: 'rodata', rank: 10 };
  },
};

/** An ordinary static Linux executable. */
export const executableTarget: LayoutTarget = {
  segments: [
    { name: 'rodata', flags: PF_R },
    { name: 'text', flags: PF_R | PF_X },
    { name: 'data', flags: PF_R | PF_W },
  ],
  headersInMemory: true,
  packed: false,
  sortByAlignment: false,
  place(section) {
    const name = outputName(section.name);
    if (section.flags & SHF_EXECINSTR)
      return { output: name, segment: 'text', rank: name === '.init' ? 5 : name === '.fini' ? 30 : name === '.iplt' ? 40 : 10 };
    if (section.flags & SHF_TLS)
      return section.type === SHT_NOBITS ? { output: '.tbss', segment: 'data', rank: 1 } : { output: '.tdata', segment: 'data', rank: 0 };
    if (section.flags & SHF_WRITE) {
      if (section.type === SHT_NOBITS) return { output: name, segment: 'data', rank: name === '.bss' ? 91 : 90 };
      if (isArray(name)) return { output: name, segment: 'data', rank: 5 };
      if (name === '.data.rel.ro') return { output: name, segment: 'data', rank: 6 };
      if (name === '.got') return { output: name, segment: 'data', rank: 7 };
      return { output: name, segment: 'data', rank: 10 };
    }
    if (section.type === SHT_NOTE) return { output: name, segment: 'rodata', rank: 1 };
    return { output: name, segment: 'rodata', rank: name === '.eh_frame' ? 40 : 10 };
  },
};
