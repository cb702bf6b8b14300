/**
 * Function ranges and names out of a Go program's own table.
 *
 * Owns: reading .gopclntab, which every Go program carries, stripped or not, because its runtime needs it. Layout: Go's
 * src/internal/abi/symtab.go and src/runtime/symtab.go (pcHeader, functab), Go 1.18 and later.
 * Rule: a table that is not as expected gives no functions; then the program is code of no known shape, which costs time, not truth.
 */

export type NamedFunction = { name: string; address: number; size: number };

const magics = new Set([0xfffffff0, 0xfffffff1]);
const headerSize = 72;
const entrySize = 8;
const longestName = 512;

/**
 * `text` is where the code section begins: newer tables (Go 1.26) do not say it. The program's entry must be one of the functions, which
 * shows that the table and the addresses fit.
 */
export function readGoFunctions(table: Uint8Array, text: number, entry: number): NamedFunction[] {
  if (table.length < headerSize) return [];
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  if (!magics.has(view.getUint32(0, true)) || table[7] !== 8) return [];
  const field = (index: number) => Number(view.getBigUint64(8 + 8 * index, true));
  const [count, , recorded, names, , , , functions] = [0, 1, 2, 3, 4, 5, 6, 7].map(field) as number[];
  const textStart = recorded || text;
  if (!count || !names || !functions || functions + (count + 1) * entrySize > table.length) return [];
  const result: NamedFunction[] = [];
  const bytes = Buffer.from(table.buffer, table.byteOffset, table.length);
  for (let index = 0; index < count; index++) {
    const at = functions + index * entrySize;
    const start = view.getUint32(at, true);
    const end = view.getUint32(at + entrySize, true);
    if (end <= start) continue;
    const description = functions + view.getUint32(at + 4, true);
    let name = '';
    if (description + 8 <= table.length) {
      const nameAt = names + view.getInt32(description + 4, true);
      const nameEnd = nameAt >= 0 && nameAt < table.length ? bytes.indexOf(0, nameAt) : -1;
      if (nameEnd > nameAt && nameEnd - nameAt < longestName) name = bytes.toString('latin1', nameAt, nameEnd);
    }
    result.push({ name, address: textStart + start, size: end - start });
  }
  return result.some(({ address }) => address === entry) ? result : [];
}
