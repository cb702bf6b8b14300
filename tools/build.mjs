// The build. Usage: node tools/build.mjs [step…]; see tools/build/main.ts for the steps.
import { runTool } from './bootstrap.mjs';

await runTool('tools/build/main.ts');
