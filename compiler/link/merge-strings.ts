/**
 * Pass: merge equal strings and constants (SHF_MERGE, gABI chapter 4 "Section Attribute Flags").
 *
 * A mergeable section is cut into pieces when marking first reaches it, and only pieces that something refers to are kept.
 * After the pass: the live pieces of sections alike in output, flags, entry size and alignment lie in one chunk, each once; a string that is another's end lies in that.
 */
import { SHF_MERGE, SHF_STRINGS, SHT_PROGBITS } from '../elf/index.ts';
import { InputSection, type LinkContext, type Pieces } from './context.ts';

/** Beyond this many strings, ends are not looked for: sorting would take longer than it gains. */
const TAIL_LIMIT = 50_000;

export function splitPieces(section: InputSection): Pieces {
  const { data, entrySize } = section;
  const starts: number[] = [];
  if (section.flags & SHF_STRINGS) {
    let at = 0;
    while (at < data.length) {
      starts.push(at);
      at = stringEnd(data, at, entrySize);
    }
  } else {
    for (let at = 0; at < data.length; at += entrySize) starts.push(at);
  }
  const count = starts.length;
  starts.push(data.length);
  return { starts, live: new Uint8Array(Math.max(count, 1)), places: new Float64Array(Math.max(count, 1)), chunk: undefined };
}

/** After the string's terminator; the end of the data when it has none. */
function stringEnd(data: Uint8Array, from: number, width: number): number {
  if (width === 1) {
    const end = data.indexOf(0, from);
    return end < 0 ? data.length : end + 1;
  }
  for (let at = from; at + width <= data.length; at += width) {
    let zero = true;
    for (let i = 0; i < width; i++) if (data[at + i] !== 0) zero = false;
    if (zero) return at + width;
  }
  return data.length;
}

export function mergeStrings(context: LinkContext): void {
  const groups = new Map<string, InputSection[]>();
  for (const file of context.objects) {
    for (const section of file.sections) {
      if (!section?.live || !(section.flags & SHF_MERGE) || !section.pieces || section.data.length === 0) continue;
      const output = /^\.(?:s)?(?:ro)?data(?:\.|$)/.test(section.name) ? '.rodata' : section.name;
      const key = `${file.scope} ${output} ${section.flags & ~0x200} ${section.entrySize} ${section.align}`;
      const list = groups.get(key);
      if (list) list.push(section);
      else groups.set(key, [section]);
    }
  }
  for (const sections of groups.values()) mergeGroup(context, sections);
}

function mergeGroup(context: LinkContext, sections: InputSection[]): void {
  const first = sections[0] as InputSection;
  const strings = (first.flags & SHF_STRINGS) !== 0;
  const { align } = first;
  const unique = new Map<string, number>();
  let longest = 0;
  const uses: { pieces: Pieces; piece: number; text: string }[] = [];
  for (const section of sections) {
    const pieces = section.pieces as Pieces;
    const bytes = Buffer.from(section.data.buffer, section.data.byteOffset, section.data.length);
    for (let i = 0; i + 1 < pieces.starts.length; i++) {
      if (!pieces.live[i]) continue;
      const text = bytes.toString('latin1', pieces.starts[i], pieces.starts[i + 1]);
      unique.set(text, -1);
      longest = Math.max(longest, text.length);
      uses.push({ pieces, piece: i, text });
    }
  }
  const parts: string[] = [];
  let size = 0;
  const place = (text: string) => {
    const at = Math.ceil(size / align) * align;
    if (at > size) parts.push('\0'.repeat(at - size));
    unique.set(text, at);
    parts.push(text);
    size = at + text.length;
  };
  if (strings && align === 1 && first.entrySize === 1 && unique.size <= TAIL_LIMIT && longest <= 4096) {
    // Longest first among those with the same end: each is then the end of the one placed before it, or of none.
    const reversed = [...unique.keys()].map((text) => ({ text, key: [...text].reverse().join('') }));
    reversed.sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
    let host = '';
    for (const { text } of reversed) {
      if (host.endsWith(text) && host !== '') unique.set(text, (unique.get(host) as number) + host.length - text.length);
      else {
        place(text);
        host = text;
      }
    }
  } else for (const text of unique.keys()) place(text);
  const chunk = new InputSection(
    first.file,
    first.name,
    SHT_PROGBITS,
    first.flags,
    align,
    size,
    first.entrySize,
    Buffer.from(parts.join(''), 'latin1'),
  );
  chunk.live = true;
  chunk.why = first.why;
  chunk.reason = first.reason;
  chunk.pieces = undefined;
  for (const { pieces, piece, text } of uses) pieces.places[piece] = unique.get(text) as number;
  for (const section of sections) (section.pieces as Pieces).chunk = chunk;
  context.chunks.push(chunk);
}
