/**
 * File names as text. Owns: a lossless form of bytes that need not be UTF-8. Rule: UTF-8 reads as usual; each byte that is none becomes U+DC80…U+DCFF (as Python's
 * PEP 383 has it), so that every name of a Linux file is one string and back again.
 */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text).equals(buffer)) return text;
  let out = '';
  for (let at = 0; at < buffer.length; ) {
    const length = measure(buffer, at);
    out += length === 0 ? String.fromCharCode(0xdc00 + (buffer[at] as number)) : buffer.toString('utf8', at, at + length);
    at += length || 1;
  }
  return out;
}

/** Bytes of the UTF-8 sequence at `at`; 0: none is there. */
function measure(buffer: Buffer, at: number): number {
  const first = buffer[at] as number;
  const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > buffer.length) return 0;
  const part = buffer.subarray(at, at + length);
  return Buffer.from(part.toString('utf8')).equals(part) ? length : 0;
}

export function encodeName(text: string): Buffer {
  if (!/[\udc80-\udcff]/.test(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  for (const piece of text.split(/((?<![\ud800-\udbff])[\udc80-\udcff])/)) {
    const code = piece.charCodeAt(0);
    parts.push(piece.length === 1 && code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(piece));
  }
  return Buffer.concat(parts);
}
