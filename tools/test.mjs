// The tests and checks. Usage: node tools/test.mjs [step…] [-- test file…]; see tools/test/main.ts for the steps.
import { runTool } from './bootstrap.mjs';

await runTool('tools/test/main.ts');
