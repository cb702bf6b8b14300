// Runs one TypeScript program of this repository. Usage: node tools/run.mjs ENTRY.ts [argument…], such as bench/start.ts.
import { runTool } from './bootstrap.mjs';

const [entry] = process.argv.splice(2, 1);
if (entry === undefined) throw new Error('Usage: node tools/run.mjs ENTRY.ts [argument…]');
await runTool(entry);
