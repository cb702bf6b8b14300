/**
 * Which address families can a program make sockets of? Owns: reading the first argument of each socket and socketpair.
 *
 * What holds: an answer is complete. It is undefined as soon as one family is not a constant.
 */
import type { AnalysisIsa } from '../arch/analysis-isa.ts';
import type { TracedSite } from './opened-paths.ts';
import type { Tracer } from './trace.ts';

const socketCalls = ['socket', 'socketpair'];

export function findSocketFamilies({ syscallNumber, registers }: AnalysisIsa, sites: readonly TracedSite[], tracer: Tracer): number[] | undefined {
  const numbersOfCalls = socketCalls.flatMap((name) => syscallNumber(name) ?? []);
  const families = new Set<number>();
  for (const { site, numbers } of sites) {
    if (!numbersOfCalls.some((call) => numbers.has(call))) continue;
    const { values, doubts } = tracer.trace(site.region, site.index, registers.callArguments[0] as number);
    if (doubts.length > 0) return undefined;
    for (const family of values.keys()) families.add(family);
  }
  return [...families].sort((a, b) => a - b);
}
