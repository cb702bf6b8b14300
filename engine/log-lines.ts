/**
 * Lines of the libOS on their way to a person. Owns: replacing addresses and numbers by names: `[<hex>]` is a link-time address of the image, `{hex}` an
 * address in the embedded program's own file, `<sys:N>` a system call's number (libos/abi/boot_abi.h, HULL_RECORD_LOG). Rules: the symbolizer is loaded when the
 * first such token appears, never before; without a name the address stays as it is; lines keep their order. After `from ` an address is where a call returns to,
 * so the function is the call's: a call that does not return can be its function's last instruction. Fault reports guess such addresses from the stack's words: one
 * where a function begins is a pointer to it, and its line is left out.
 */
export type AddressSpace = 'image' | 'program';

export interface Symbolizer {
  /** The symbol that covers `address`, or undefined. */
  find(space: AddressSpace, address: bigint): { name: string; offset: bigint } | undefined;
  /** The name of a system call's number. */
  findCall(number: number): string | undefined;
}

export interface LogLines {
  push(line: string): void;
  /** Resolves when every line so far has been written. */
  flush(): Promise<void>;
}

const TOKEN = /\[<([0-9a-f]{1,16})>\]|\{([0-9a-f]{1,16})\}|<sys:(\d{1,4})>/gi;

const CALLER = /^\s*from (?:\[<([0-9a-f]{1,16})>\]|\{([0-9a-f]{1,16})\})$/i;

function isFunctionPointer(line: string, symbolizer: Symbolizer): boolean {
  const [, image, program] = CALLER.exec(line) ?? [];
  const address = image ?? program;
  return address !== undefined && symbolizer.find(image !== undefined ? 'image' : 'program', BigInt(`0x${address}`))?.offset === 0n;
}

function nameTokens(line: string, symbolizer: Symbolizer): string {
  return line.replace(TOKEN, (token, image: string | undefined, program: string | undefined, call: string | undefined, at: number) => {
    if (call !== undefined) return `${symbolizer.findCall(Number(call)) ?? 'system call'} (${call})`;
    const address = BigInt(`0x${image ?? program}`);
    const back = line.endsWith('from ', at) ? 1n : 0n;
    const symbol = symbolizer.find(image !== undefined ? 'image' : 'program', address - back);
    if (symbol === undefined) return token;
    return `${symbol.name}+0x${(symbol.offset + back).toString(16)}`;
  });
}

export function createLogLines(write: (line: string) => void, loadSymbolizer: () => Promise<Symbolizer>): LogLines {
  let symbolizer: Promise<Symbolizer | undefined> | undefined;
  let chain: Promise<void> | undefined;

  return {
    push(line) {
      const hasToken = new RegExp(TOKEN).test(line);
      if (!hasToken && chain === undefined) return write(line);
      if (hasToken) symbolizer ??= loadSymbolizer().catch(() => undefined);
      const own = symbolizer;
      chain = (chain ?? Promise.resolve()).then(async () => {
        const found = hasToken ? await own : undefined;
        if (found === undefined) write(line);
        else if (!isFunctionPointer(line.trimEnd(), found)) write(nameTokens(line, found));
      });
    },
    async flush() {
      await chain;
    },
  };
}
