// The pages of docs/ that are made from the code: `npm run docs` writes them, `node tools/generate-docs.mjs --check` says which differ.
// Both say which pages name files that are not there.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { makeBootAbiPage } from './boot-abi-page.ts';
import { makeCommandPage } from './command-page.ts';
import { makeComponentPage } from './component-page.ts';
import { findUntestedSyntax, makeDockerfilePage } from './dockerfile-page.ts';
import { makeEngineApiPage } from './engine-api-page.ts';
import { findErrorProblems, makeErrorPage } from './error-page.ts';
import { findBrokenLinks } from './links.ts';
import { readComponents } from './manifests.ts';
import { makeSyscallPage } from './syscall-page.ts';

const components = readComponents('x86_64');
const pages = [makeSyscallPage(components), makeComponentPage(components), makeCommandPage(), makeErrorPage(), makeBootAbiPage(), makeDockerfilePage(), makeEngineApiPage()];
const problems = [...findErrorProblems(), ...findUntestedSyntax()];

for (const { path, text } of pages) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  if (process.argv.includes('--check')) problems.push(`Cannot accept "${path}": it differs from the code, expected what \`npm run docs\` writes`);
  else {
    writeFileSync(path, text);
    console.log(`docs: ${path}`);
  }
}
problems.push(...findBrokenLinks());
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
