/**
 * What the analysis found, as it goes into an image's manifest. Owns: the wording of places and reasons, and the support level of each call, which is that of the
 * components' manifests (docs/syscalls.md is made from the same).
 */
import type { Analysis, Closure } from './analyze/index.ts';
import type { LoadedComponent } from './components.ts';
import type { AnalysisRecord } from './inspect/index.ts';
import { type CallMachine, explainComponent, type Selection, syscallName, syscallNumberOn } from './select/index.ts';

const nameOf = (address: number, name: string | undefined) => name ?? `0x${address.toString(16)}`;

/** Number -> where it is made, for reasons. */
export function callPlaces(analysis: Analysis): Map<number, string> {
  const places = new Map<number, string>();
  for (const [number, [site]] of analysis.known) {
    if (site) places.set(number, nameOf(site.origin, site.originFunction ?? site.function));
  }
  return places;
}

const mostPlaces = 3;

export function recordAnalysis(analysis: Analysis, selection: Selection, components: readonly LoadedComponent[], machine: CallMachine): AnalysisRecord {
  const calls = [...analysis.known]
    .sort(([a], [b]) => a - b)
    .map(([number, sites]) => ({
      number,
      sites: sites.length,
      places: [...new Set(sites.map((site) => nameOf(site.origin, site.originFunction ?? site.function)))].slice(0, mostPlaces),
    }));
  return {
    ...recordCalls(calls, selection, components, machine),
    unknown: analysis.unknown.map((site) => ({ place: nameOf(site.address, site.function), reasons: site.reasons })),
    doubts: [],
    objects: [],
    mayGenerateCode: analysis.mayGenerateCode.map(({ reason, ...site }) => `${reason}, at ${nameOf(site.address, site.function)}`),
    mayExecute: analysis.mayExecute,
    legacyGates: analysis.legacy.map((site) => nameOf(site.address, site.function)),
  };
}

/** The same for a program of a root file system, with its libraries. */
export function recordClosure(closure: Closure, selection: Selection, components: readonly LoadedComponent[], machine: CallMachine = 'x86_64'): AnalysisRecord {
  const calls = [...closure.calls].sort(([a], [b]) => a - b).map(([number, place]) => ({ number, sites: 1, places: [place] }));
  return {
    ...recordCalls(calls, selection, components, machine),
    unknown: [],
    doubts: closure.doubts,
    objects: closure.objects,
    mayGenerateCode: [],
    mayExecute: ['execve', 'execveat'].some((name) => closure.calls.has(syscallNumberOn(machine, name) as number)),
    legacyGates: [],
  };
}

type FoundCall = { number: number; sites: number; places: string[] };

function recordCalls(found: readonly FoundCall[], selection: Selection, components: readonly LoadedComponent[], machine: CallMachine) {
  const levels = new Map<string, string>();
  const owners = new Map<string, string>();
  for (const { manifest } of components) {
    if (manifest.programs === 'linked' || manifest.instead !== undefined) continue;
    for (const [call, level] of Object.entries(manifest.syscalls)) {
      levels.set(call, level);
      owners.set(call, manifest.name);
    }
  }
  const calls = found.map((call) => {
    const name = syscallName(call.number, machine) ?? `call ${call.number}`;
    return { ...call, name, support: levels.get(name) ?? 'not' };
  });
  const why: Record<string, string> = {};
  for (const name of selection.candidates) {
    const reason = selection.why.get(name);
    // Of a program that may make any call, some are known: these say more.
    const known = reason?.kind === 'unknown' ? calls.find((call) => owners.get(call.name) === name) : undefined;
    why[name] = known ? `call ${known.name} made at ${known.places[0]}` : explainComponent(selection, name);
  }
  return {
    calls,
    lacking: calls.filter(({ support, name }) => support === 'not' && !name.startsWith('call ')).map(({ name }) => name),
    absent: selection.missing.map(({ name }) => name),
    why,
  };
}
