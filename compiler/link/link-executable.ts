/** Links an ordinary static Linux executable: host tools and the linker's own tests. */
import { LinkContext } from './context.ts';
import { makeManifest } from './describe-result.ts';
import { settleBranches } from './extend-branches.ts';
import { makeOutputs } from './layout.ts';
import { executableTarget } from './layout-target.ts';
import { Marker } from './mark-live.ts';
import { machines } from './machines.ts';
import { mergeStrings } from './merge-strings.ts';
import { defineSymbols, fillUnwindHeader, makeResult, makeUnwindHeader } from './passes.ts';
import { planRelocations } from './plan-relocations.ts';
import { readInputs } from './read-inputs.ts';
import type { LinkExecutableRequest, LinkResult } from './request.ts';
import { rewriteUnwind } from './unwind.ts';
import { writeElf } from './write-elf.ts';

const EXECUTABLE_BASE = 0x400000;

export function linkExecutable(request: LinkExecutableRequest): LinkResult {
  const context = new LinkContext(machines[request.machine ?? 'x86_64'], {
    kind: 'executable',
    gc: request.gc ?? false,
    strip: request.strip ?? false,
    entry: request.entry ?? '_start',
    base: request.base ?? EXECUTABLE_BASE,
    keep: request.keep ?? [],
    unwind: true,
    movable: false,
  });
  defineSymbols(context, request.defines, 'program');
  context.intern(context.options.entry, 'program').strong = true;
  readInputs(context, request.inputs); //          objects are read, names resolved
  new Marker(context).run(); //                    what is live is final
  rewriteUnwind(context);
  makeUnwindHeader(context);
  mergeStrings(context);
  planRelocations(context); //                     instructions are chosen, slots exist
  context.check();
  makeOutputs(context, executableTarget);
  settleBranches(context, executableTarget); //    addresses are final, branches reach
  fillUnwindHeader(context);
  const manifest = makeManifest(context);
  const image = writeElf(context, executableTarget, undefined);
  return makeResult(context, image, manifest);
}
