/**
 * Names for addresses in a machine's last words. Owns: where symbols are looked for. Rules: loaded only when an address wants a name; a
 * file that cannot be read has no names, and that is no error. The image's come from the symbol file beside it, or else from its own symbol
 * table; the program's from its own file, or else from the copy that the image holds.
 */
import { existsSync, readFileSync } from 'node:fs';
import { type CallMachine, syscallName } from '../../compiler/select/index.ts';
import { type SymbolMap, symbolizeElf, symbolizeEmbedded, symbolizeText } from '../../compiler/symbolize/index.ts';
import type { AddressSpace, Symbolizer } from '../log-lines.ts';

const EM_AARCH64 = 183;

/** By e_machine (gABI, "ELF Header"). */
function readMachine(image: string): CallMachine {
  try {
    return readFileSync(image).readUInt16LE(18) === EM_AARCH64 ? 'aarch64' : 'x86_64';
  } catch {
    return 'x86_64';
  }
}

function readImageNames(image: string): SymbolMap {
  const beside = image.replace(/(\.img)?$/, '.sym');
  return existsSync(beside) ? symbolizeText(readFileSync(beside, 'utf8')) : symbolizeElf(readFileSync(image));
}

export function loadSymbolizer(image: string, program: string | undefined): Symbolizer {
  const maps = new Map<AddressSpace, SymbolMap | undefined>();
  const readers: Record<AddressSpace, () => SymbolMap | undefined> = {
    image: () => readImageNames(image),
    program: () => (program === undefined ? symbolizeEmbedded(readFileSync(image)) : symbolizeElf(readFileSync(program))),
  };
  const load = (space: AddressSpace) => {
    if (!maps.has(space)) {
      maps.set(space, undefined);
      try {
        maps.set(space, readers[space]());
      } catch {
        // no names then
      }
    }
    return maps.get(space);
  };
  return {
    find(space, address) {
      const place = load(space)?.find(Number(address));
      return place && { name: place.name, offset: BigInt(place.offset) };
    },
    findCall: (number) => syscallName(number, readMachine(image)),
  };
}
