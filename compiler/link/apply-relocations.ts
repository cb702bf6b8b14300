/**
 * Pass: copy the sections into the file and apply their relocations, as planned.
 *
 * `collectRelative` lists, before, the addresses that boot code has to relocate when the image has moved (RELR).
 * After `applyRelocations`: the contents of all sections are final; whatever did not fit has been reported.
 */
import { Expression, type RewriteInput } from '../arch/link-isa.ts';
import { SHT_NOBITS } from '../elf/index.ts';
import {
  addressIn,
  type InputSection,
  isConstant,
  type LinkContext,
  type LinkSymbol,
  type Relocations,
  SymbolKind,
  symbolAddress,
} from './context.ts';
import { describe, SKIPPED, target } from './plan-relocations.ts';

/** Addresses of all words that hold an address of the image, ascending. */
export function collectRelative(context: LinkContext): number[] {
  const addresses: number[] = [];
  const { isa } = context;
  for (const output of context.outputs) {
    for (const section of output.sections) {
      const { relocations, plans } = section;
      if (!relocations || !plans) continue;
      const { symbols } = section.file;
      for (let i = 0; i < relocations.count; i++) {
        if (plans[i] !== Expression.absolute) continue;
        if (isa.kind(relocations.type(i))?.width !== 8) continue;
        const symbol = target(symbols[relocations.symbol(i)] as LinkSymbol);
        if (isConstant(symbol)) continue;
        const address = section.address + relocations.offset(i);
        if (address % 2 !== 0) {
          context.report(
            'unsupported',
            `Cannot apply relocation ${describe(context, section, i, symbol)}: at an odd address, expected an even one in an image that moves`,
          );
          continue;
        }
        addresses.push(address);
      }
    }
  }
  return addresses.sort((a, b) => a - b);
}

export function applyRelocations(context: LinkContext, image: Uint8Array): void {
  for (const output of context.outputs) {
    if (output.type === SHT_NOBITS) continue;
    const delta = output.fileOffset - output.address;
    if (output.flags & 4) image.fill(context.isa.fill, output.fileOffset, output.fileOffset + output.size);
    for (const section of output.sections) {
      if (section.type === SHT_NOBITS) {
        image.fill(0, section.address + delta, section.address + delta + section.size);
        continue;
      }
      image.set(section.data, section.address + delta);
      if (section.relocations && section.plans)
        applySection(context, section, section.relocations, section.plans, image, section.address + delta);
    }
  }
}

function applySection(
  context: LinkContext,
  section: InputSection,
  relocations: Relocations,
  plans: Uint8Array,
  image: Uint8Array,
  position: number,
): void {
  const { isa } = context;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const { symbols } = section.file;
  const got = context.got ? (context.got.output?.address ?? 0) : 0;
  const input: RewriteInput = { view, at: 0, place: 0, addend: 0, value: 0, threadOffset: 0, type: 0 };
  for (let i = 0; i < relocations.count; i++) {
    const plan = plans[i] as number;
    if (plan === SKIPPED || plan === Expression.none) continue;
    const kind = isa.kind(relocations.type(i));
    if (!kind) continue;
    const veneer = section.veneers?.get(i);
    const symbol = veneer ?? target(symbols[relocations.symbol(i)] as LinkSymbol);
    const offset = relocations.offset(i);
    const at = position + offset;
    const place = section.address + offset;
    const small = veneer ? 0 : relocations.addend(i);
    if ((small === undefined || symbol.kind === SymbolKind.absolute) && plan < Expression.rewritten) {
      applyWide(context, section, relocations, i, plan, symbol, view, at, place, got);
      continue;
    }
    const addend = small ?? 0;
    // A section symbol's addend selects a piece of a merged section.
    const pieces = symbol.isSection && symbol.section?.pieces?.chunk !== undefined;
    const sum = pieces ? addressIn(symbol.section as InputSection, symbol.value + addend) : symbolAddress(symbol) + addend;
    if (plan >= Expression.rewritten) {
      input.at = at;
      input.place = place;
      input.addend = addend;
      input.value = pieces ? sum - addend : symbolAddress(symbol);
      input.threadOffset = input.value - context.threadPointer;
      input.type = relocations.type(i);
      const overflow = isa.rewrite(plan, input);
      if (overflow !== undefined) reportOverflow(context, section, i, symbol, overflow, 32);
      continue;
    }
    let value: number;
    switch (plan) {
      case Expression.absolute:
        value = sum;
        break;
      case Expression.relative:
        value = sum - place;
        break;
      case Expression.slotOffset:
        value = slotAddress(context, symbol.slot) + addend - got;
        break;
      case Expression.slotRelative:
        value = slotAddress(context, symbol.slot) + addend - place;
        break;
      case Expression.gotOffset:
        value = sum - got;
        break;
      case Expression.gotRelative:
        value = got + addend - place;
        break;
      case Expression.threadOffset:
        value = sum - context.threadPointer;
        break;
      case Expression.blockOffset:
        value = sum - context.threadStart;
        break;
      case Expression.threadSlotRelative:
        value = slotAddress(context, symbol.threadSlot) + addend - place;
        break;
      case Expression.size:
        value = symbol.size + addend;
        break;
      case Expression.pageRelative:
        value = pageOf(sum) - pageOf(place);
        break;
      case Expression.pageOffset:
        value = sum;
        break;
      case Expression.slotPageRelative:
        value = pageOf(slotAddress(context, symbol.slot) + addend) - pageOf(place);
        break;
      case Expression.slotPageOffset:
        value = slotAddress(context, symbol.slot) + addend;
        break;
      default:
        continue;
    }
    if (kind.field !== undefined) {
      if (!isa.storeField?.(view, at, kind.field, BigInt(value))) reportOverflow(context, section, i, symbol, value, undefined);
    } else if (!store(view, at, kind.width, kind.check, value)) reportOverflow(context, section, i, symbol, value, kind.width * 8);
  }
}

/** The page of an address, as instructions know pages. */
function pageOf(address: number): number {
  return Math.floor(address / 4096) * 4096;
}

function slotAddress(context: LinkContext, slot: number): number {
  return (context.got?.address ?? 0) + slot;
}

function store(view: DataView, at: number, width: number, check: string, value: number): boolean {
  const bits = width * 8;
  switch (width) {
    case 1:
      view.setUint8(at, value);
      break;
    case 2:
      view.setUint16(at, value, true);
      break;
    case 4:
      view.setUint32(at, value, true);
      break;
    case 8:
      view.setUint32(at, value >>> 0, true);
      view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
      return true;
  }
  if (check === 'none') return true;
  const low = check === 'unsigned' ? 0 : -(2 ** (bits - 1));
  const high = check === 'signed' ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  return value >= low && value <= high;
}

/** The same with all 64 bits, for addends and absolute symbols that numbers cannot hold. */
function applyWide(
  context: LinkContext,
  section: InputSection,
  relocations: Relocations,
  i: number,
  plan: number,
  symbol: LinkSymbol,
  view: DataView,
  at: number,
  place: number,
  got: number,
): void {
  const kind = context.isa.kind(relocations.type(i));
  if (!kind) return;
  const addend = relocations.bigAddend(i);
  const base = symbol.kind === SymbolKind.absolute ? symbol.absolute : BigInt(symbolAddress(symbol));
  let value: bigint;
  switch (plan) {
    case Expression.absolute:
      value = base + addend;
      break;
    case Expression.relative:
      value = base + addend - BigInt(place);
      break;
    case Expression.gotOffset:
      value = base + addend - BigInt(got);
      break;
    case Expression.gotRelative:
      value = BigInt(got) + addend - BigInt(place);
      break;
    case Expression.slotOffset:
      value = BigInt(slotAddress(context, symbol.slot)) + addend - BigInt(got);
      break;
    case Expression.slotRelative:
      value = BigInt(slotAddress(context, symbol.slot)) + addend - BigInt(place);
      break;
    case Expression.size:
      value = BigInt(symbol.size) + addend;
      break;
    case Expression.threadSlotRelative:
      value = BigInt(slotAddress(context, symbol.threadSlot)) + addend - BigInt(place);
      break;
    case Expression.pageRelative:
      value = ((base + addend) & ~4095n) - BigInt(pageOf(place));
      break;
    case Expression.pageOffset:
      value = base + addend;
      break;
    case Expression.slotPageRelative:
      value = ((BigInt(slotAddress(context, symbol.slot)) + addend) & ~4095n) - BigInt(pageOf(place));
      break;
    case Expression.slotPageOffset:
      value = BigInt(slotAddress(context, symbol.slot)) + addend;
      break;
    default:
      value = base + addend - BigInt(context.threadPointer);
  }
  if (kind.field !== undefined) {
    const chosen = kind.expression === Expression.absolute ? BigInt.asUintN(64, value) : value;
    const { storeField } = context.isa;
    if (!storeField?.(view, at, kind.field, chosen) && !storeField?.(view, at, kind.field, BigInt.asIntN(64, value)))
      reportOverflow(context, section, i, symbol, Number(BigInt.asIntN(64, value)), undefined);
    return;
  }
  if (kind.width === 8) {
    view.setBigUint64(at, BigInt.asUintN(64, value), true);
    return;
  }
  // An absolute symbol may be meant signed or unsigned.
  const signed = BigInt.asIntN(64, value);
  const chosen = kind.check === 'signed' ? signed : BigInt.asUintN(64, value);
  const exact = chosen > -(1n << 53n) && chosen < 1n << 53n;
  const fitting = exact && store(view, at, kind.width, kind.check, Number(chosen));
  const other = !fitting && kind.check === 'either' && signed > -(1n << 31n) && store(view, at, kind.width, kind.check, Number(signed));
  if (!fitting && !other) reportOverflow(context, section, i, symbol, Number(signed), kind.width * 8);
}

function reportOverflow(context: LinkContext, section: InputSection, i: number, symbol: LinkSymbol, value: number, bits: number | undefined): void {
  const text = value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
  context.report(
    'relocation-overflow',
    `Cannot apply relocation ${describe(context, section, i, symbol)}: value ${text}, expected one that fits ${bits === undefined ? 'the instruction' : `${bits} bits`}`,
  );
}
