/**
 * Names for addresses in a machine's last words. Owns: where symbols are looked for. Rules: loaded only when an address wants a name; a
 * file that cannot be read has no names, and that is no error. The image's come from its own symbol table, or from the
 * symbol file beside it ("address size type name" a line, compiler/link); the program's from its ELF file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readElf, readSymbols } from '../../compiler/elf/index.ts';
import { syscallName } from '../../compiler/select/index.ts';
import type { AddressSpace, Symbolizer } from '../log-lines.ts';

interface Symbol {
  readonly address: bigint;
  readonly size: bigint;
  readonly name: string;
}

const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_NOTYPE = 0;
/** What a symbol without a size (assembly) covers at most. */
const UNSIZED_REACH = 0x4000n;

function readElfNames(path: string): Symbol[] {
  const file = readElf(readFileSync(path));
  const table = readSymbols(file) ?? readSymbols(file, 'dynamic');
  const found: Symbol[] = [];
  for (let i = 1; i < (table?.count ?? 0); i++) {
    if (table === undefined || table.rawSection(i) === 0) continue;
    const type = table.type(i);
    if (type !== STT_FUNC && type !== STT_OBJECT && type !== STT_NOTYPE) continue;
    const name = table.name(i);
    if (name !== '') found.push({ address: table.bigValue(i), size: BigInt(table.size(i)), name });
  }
  return found;
}

function readSymbolFile(path: string): Symbol[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split(/\s+/))
    .filter((fields) => fields.length >= 4 && /^(0x)?[0-9a-f]+$/i.test(fields[0] as string))
    .map(([address = '0', size = '0', , ...name]) => ({ address: parseHex(address), size: parseHex(size), name: name.join(' ') }));
}

function parseHex(text: string): bigint {
  return BigInt(text.startsWith('0x') ? text : `0x${text}`);
}

function readNames(path: string): Symbol[] {
  const beside = path.replace(/(\.img)?$/, '.sym');
  try {
    const found = existsSync(beside) ? readSymbolFile(beside) : readElfNames(path);
    return found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : Number(a.size - b.size)));
  } catch {
    return [];
  }
}

/** The symbol that covers `address`; one without a size covers what follows up to the next. */
function findSymbol(names: readonly Symbol[], address: bigint): { name: string; offset: bigint } | undefined {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] as Symbol).address <= address) low = middle + 1;
    else high = middle;
  }
  for (let i = low - 1; i >= 0 && i >= low - 16; i--) {
    const symbol = names[i] as Symbol;
    if (address < symbol.address + (symbol.size === 0n ? UNSIZED_REACH : symbol.size)) return { name: symbol.name, offset: address - symbol.address };
  }
  return undefined;
}

export function loadSymbolizer(image: string, program: string | undefined): Symbolizer {
  const names = new Map<AddressSpace, Symbol[]>();
  const paths: Record<AddressSpace, string> = { image, program: program ?? image };
  return {
    find(space, address) {
      const known = names.get(space) ?? readNames(paths[space]);
      names.set(space, known);
      return findSymbol(known, address);
    },
    findCall: syscallName,
  };
}
