/** Bytes out of a stream, as many as are asked for. Owns: the remainder of the chunk read last. Rule: never holds more than one chunk and what was asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  /** Bytes taken so far. */
  taken = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
    }
    return true;
  }

  /** At most `most` bytes, at least one; undefined at the end. */
  async readSome(most: number): Promise<Buffer | undefined> {
    if (this.#chunk.length === 0 && !(await this.#fill())) return undefined;
    const part = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(part.length);
    this.taken += part.length;
    return part;
  }

  /** Exactly `size` bytes; fewer only where the stream ends. */
  async read(size: number): Promise<Buffer> {
    if (this.#chunk.length >= size) {
      const part = this.#chunk.subarray(0, size);
      this.#chunk = this.#chunk.subarray(size);
      this.taken += size;
      return part;
    }
    const parts: Buffer[] = [];
    let have = 0;
    while (have < size) {
      const part = await this.readSome(size - have);
      if (part === undefined) break;
      parts.push(part);
      have += part.length;
    }
    return Buffer.concat(parts);
  }

  /** The bytes skipped: fewer only where the stream ends. */
  async skip(size: number): Promise<number> {
    let left = size;
    while (left > 0) {
      const part = await this.readSome(left);
      if (part === undefined) break;
      left -= part.length;
    }
    return size - left;
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
