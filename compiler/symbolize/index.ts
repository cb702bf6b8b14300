/**
 * Names for addresses: of an image (its .symtab or its symbol file), and of the executable embedded in it (that file's own .symtab or .dynsym,
 * read from the image's bytes). Nothing is read before the first question; a file without symbols has no names, and that is no error.
 */
import { ElfError, findSection, readElf, readSymbols, SHN_UNDEF, STT_FILE, STT_SECTION, STT_TLS, sectionBytes } from '../elf/index.ts';

export interface NamedPlace {
  name: string;
  offset: number;
}

export interface SymbolMap {
  /** The symbol that covers the address, or the nearest before it without a size. */
  find(address: number): NamedPlace | undefined;
}

/** What a symbol without a size (assembly) covers at most. */
const UNSIZED_REACH = 0x4000;

interface Entry {
  address: number;
  size: number;
  name: string;
}

function makeMap(load: () => Entry[]): SymbolMap {
  let entries: Entry[] | undefined;
  return {
    find(address) {
      entries ??= load().sort((a, b) => a.address - b.address || a.size - b.size);
      let low = 0;
      let high = entries.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((entries[middle] as Entry).address <= address) low = middle + 1;
        else high = middle;
      }
      const nearest = entries[low - 1];
      // A symbol that covers the address may begin before smaller ones that do not.
      for (let i = low - 1; i >= 0 && i > low - 32; i--) {
        const entry = entries[i] as Entry;
        if (address < entry.address + entry.size) return { name: entry.name, offset: address - entry.address };
      }
      return nearest && nearest.size === 0 && address - nearest.address < UNSIZED_REACH ? { name: nearest.name, offset: address - nearest.address } : undefined;
    },
  };
}

function readEntries(bytes: Uint8Array): Entry[] {
  try {
    const elf = readElf(bytes);
    const table = readSymbols(elf) ?? readSymbols(elf, 'dynamic');
    const entries: Entry[] = [];
    for (let i = 1; table && i < table.count; i++) {
      const type = table.type(i);
      if (
        table.rawSection(i) === SHN_UNDEF ||
        table.rawSection(i) === 0xfff1 ||
        type === STT_TLS ||
        type === STT_FILE ||
        type === STT_SECTION
      )
        continue;
      const name = table.name(i);
      if (name !== '') entries.push({ address: Number(table.bigValue(i)), size: table.size(i), name });
    }
    return entries;
  } catch (error) {
    if (error instanceof ElfError) return [];
    throw error;
  }
}

/** Names by link-time address, from an image or any other ELF file. */
export function symbolizeElf(bytes: Uint8Array): SymbolMap {
  return makeMap(() => readEntries(bytes));
}

/** Names from the text that compiler/link gives as `symbols`. */
export function symbolizeText(text: string): SymbolMap {
  return makeMap(() =>
    text.split('\n').flatMap((line) => {
      const [address, size, , name] = line.split(' ');
      return address && size && name ? [{ address: Number.parseInt(address, 16), size: Number.parseInt(size, 16), name }] : [];
    }),
  );
}

/** Names in the address space (p_vaddr) of the executable that an unstripped image holds; undefined when it holds none. */
export function symbolizeEmbedded(image: Uint8Array): SymbolMap | undefined {
  const elf = readElf(image);
  const section = findSection(elf, '.hull.program');
  return section && makeMap(() => readEntries(sectionBytes(elf, section)));
}
