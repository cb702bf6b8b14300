/** Which results of a search are wanted (`docker search --filter`; Docker Engine API, ImageSearch). Rule: most stars first, as Docker shows them. */
import type { SearchResult } from '../../images/registry/index.ts';
import { EngineError } from '../errors.ts';

const readBoolean = (name: string, text: string): boolean => {
  if (['true', '1'].includes(text)) return true;
  if (['false', '0'].includes(text)) return false;
  throw new EngineError('option-invalid', `invalid filter '${name}=${text}': expected true or false`);
};

function makeTest(name: string, text: string): (result: SearchResult) => boolean {
  if (name === 'is-official') {
    const wanted = readBoolean(name, text);
    return ({ isOfficial }) => isOfficial === wanted;
  }
  if (name === 'is-automated') {
    const wanted = readBoolean(name, text);
    return ({ isAutomated }) => isAutomated === wanted;
  }
  if (name !== 'stars') throw new EngineError('option-invalid', `invalid filter '${name}': expected is-official, is-automated or stars`);
  if (!/^\d+$/.test(text)) throw new EngineError('option-invalid', `invalid filter 'stars=${text}': expected a number`);
  return ({ stars }) => stars >= Number(text);
}

export function selectResults(results: readonly SearchResult[], filters: readonly (readonly [name: string, value: string])[]): SearchResult[] {
  const tests = filters.map(([name, value]) => makeTest(name, value));
  return results.filter((each) => tests.every((test) => test(each))).sort((a, b) => b.stars - a.stars);
}
