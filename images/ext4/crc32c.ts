/** CRC-32C (Castagnoli, reflected) as ext4 uses it: starts with what came before, no inversion at the end. */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc >>> 0;
});

export function crc32c(bytes: Uint8Array, start = 0xffffffff): number {
  let crc = start;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number);
  return crc >>> 0;
}
