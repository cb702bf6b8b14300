// Writes the pages of docs/ that are made from the code; with --check it says which ones are out of date. See tools/docs/main.ts.
import { runTool } from './bootstrap.mjs';

await runTool('tools/docs/main.ts');
