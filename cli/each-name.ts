/** What is done to each of several names. Owns: that one failure does not keep the others, as in docker. */
import { describeError } from '../engine/index.ts';
import { writeOut } from './write-out.ts';

const REFUSALS = ['EngineError', 'StoreError'];

/** Does it for each name and writes the line it gives, if any; what failed is said at once, and the rest is done. The exit status. */
export async function forEachName(names: readonly string[], act: (name: string) => Promise<string | undefined>): Promise<number> {
  let isGood = true;
  for (const name of names) {
    try {
      const line = await act(name);
      if (line !== undefined) await writeOut(`${line}\n`);
    } catch (error) {
      if (!(error instanceof Error) || !REFUSALS.includes(error.name)) throw error;
      process.stderr.write(`hull: ${describeError(error)}\n`);
      isGood = false;
    }
  }
  return isGood ? 0 : 1;
}
