/**
 * From what Python's regrtest prints to an outcome per test. The XML report is complete but comes at the end and knows nothing of subtests;
 * the text is there up to the moment when a run was stopped.
 */

export type Outcome = 'ok' | 'skipped' | 'failed' | 'expected failure' | 'unfinished';
export interface ModuleResult {
  /** By test name; a test that ran several times has a number behind it. */
  tests: Record<string, Outcome>;
  /** Whether the run came to its end by itself. */
  complete: boolean;
  /** The whole module said that it cannot run here. */
  skipped?: string;
}

const NAME = /^(\w+) \(([\w.<>]+)\)/;

class Collector {
  readonly tests: Record<string, Outcome> = {};
  add(name: string, outcome: Outcome): void {
    let key = name;
    for (let times = 2; key in this.tests; times++) key = `${name} #${times}`;
    this.tests[key] = outcome;
  }
  fail(name: string): void {
    if (!(name in this.tests)) this.add(name, 'failed');
    else this.tests[name] = 'failed';
  }
}

const decode = (text: string): string =>
  text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[name] ?? '');

function readXml(xml: string, into: Collector): void {
  for (const [, attributes = '', body = ''] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const name = /\bname="([^"]*)"/.exec(attributes)?.[1];
    if (name === undefined) continue; // a subtest failed: the text says which
    const outcome: Outcome = /<(failure|error)\b/.test(body) ? 'failed' : /<skipped\b/.test(body) ? 'skipped' : /<output\b/.test(body) ? 'expected failure' : 'ok';
    into.add(decode(name), outcome);
  }
}

/** "name (id) ... ok", with the docstring's first line or output of the test's between. */
function readText(text: string, into: Collector): void {
  let current: string | undefined;
  for (const line of text.split('\n')) {
    const name = NAME.exec(line);
    if (name && /^\w+ \([\w.<>]+\)( \.\.\.|$)/.test(line)) {
      if (current !== undefined) into.add(current, 'unfinished');
      current = name[2];
    }
    const end = /(?:^|\.\.\. )(ok|FAIL|ERROR|expected failure|skipped .*)$/.exec(line)?.[1];
    if (current === undefined || end === undefined) continue;
    into.add(current, end === 'ok' ? 'ok' : end === 'expected failure' ? end : end.startsWith('skipped') ? 'skipped' : 'failed');
    current = undefined;
  }
  if (current !== undefined) into.add(current, 'unfinished');
}

export function readOutcomes(stdout: string, stderr: string): ModuleResult {
  const into = new Collector();
  const xml = /<testsuites\b[\s\S]*<\/testsuites>/.exec(stderr)?.[0];
  if (xml === undefined) readText(stdout, into);
  else readXml(xml, into);
  for (const [, , id] of stdout.matchAll(/^(FAIL|ERROR): \w+ \(([\w.<>]+)\)/gm)) if (id !== undefined) into.fail(id);
  const skipped = /^\S+ skipped -- (.*)$/m.exec(stdout)?.[1];
  const complete = /^Tests? result: /m.test(stdout) || /^== Tests result: /m.test(stdout);
  return { tests: into.tests, complete, ...(skipped === undefined ? {} : { skipped }) };
}

/** Why tests differ on purpose: module, or "*" for each -> a regular expression of whole test names -> the reason. */
export type Reasons = Record<string, Record<string, string>>;

export function findReason(reasons: Reasons, module: string, test: string): string | undefined {
  for (const [pattern, reason] of [...Object.entries(reasons[module] ?? {}), ...Object.entries(reasons['*'] ?? {})])
    if (new RegExp(`^(?:${pattern})$`).test(test)) return reason;
  return undefined;
}

/** Tests whose outcome differs, with both outcomes. */
export function compareOutcomes(native: ModuleResult, guest: ModuleResult): { test: string; native: string; guest: string }[] {
  const differences: { test: string; native: string; guest: string }[] = [];
  for (const test of new Set([...Object.keys(native.tests), ...Object.keys(guest.tests)])) {
    const [a, b] = [native.tests[test] ?? 'not run', guest.tests[test] ?? 'not run'];
    if (a !== b) differences.push({ test, native: a, guest: b });
  }
  if (native.skipped !== guest.skipped) differences.push({ test: '(module)', native: native.skipped ?? 'run', guest: guest.skipped ?? 'run' });
  if (native.complete !== guest.complete)
    differences.push({ test: '(end)', native: native.complete ? 'reached' : 'not reached', guest: guest.complete ? 'reached' : 'not reached' });
  return differences;
}
