/** Detach keys as docker takes them: letters, or ctrl- with a letter or @ [ \ ] ^ _, separated by commas. Owns: finding them in what is typed. */
import { EngineError } from './errors.ts';

const DEFAULT = 'ctrl-p,ctrl-q';

/** The bytes of the sequence; undefined: there is none. */
export function parseDetachKeys(text: string | undefined): readonly number[] | undefined {
  if (text === '') return undefined;
  return (text ?? DEFAULT).split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (control === undefined) throw new EngineError('option-invalid', `invalid detach keys (${text}): Unknown character: '${key}', expected letters, or ctrl- with one, separated by commas`);
    return control.toUpperCase().charCodeAt(0) & 0x1f;
  });
}

/** What was typed without the sequence; the beginning of one is held back until the next key tells. */
export function createDetachFilter(keys: readonly number[]): (chunk: Buffer) => { bytes: Buffer; isLeaving: boolean } {
  let matched = 0;
  return (chunk) => {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === keys[matched]) {
        matched++;
        if (matched === keys.length) return { bytes: Buffer.from(out), isLeaving: true };
        continue;
      }
      out.push(...keys.slice(0, matched));
      matched = byte === keys[0] ? 1 : 0;
      if (matched === 0) out.push(byte);
    }
    return { bytes: Buffer.from(out), isLeaving: false };
  };
}
