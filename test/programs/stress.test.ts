/**
 * Debian's stress-ng: each stressor for a second, all in one machine, says that it ran successfully, and memory is afterwards what it was before.
 * The minute each is run-stress.ts, by hand.
 */
import t from 'tap';
import { makeStressRoot, runStressors, STRESSORS } from './stress.ts';

/** kB that a stressor may leave: heap pages that long-lived objects took meanwhile, page tables of the area for kernel stacks. */
const SLACK = 64;

const made = makeStressRoot();
const skip = 'reason' in made ? made.reason : false;
if (skip !== false) console.error(`stress.test: stress-ng is not run: ${skip}`);
t.setTimeout(1_000_000);

t.test('each stressor runs clean and gives its memory back', { skip }, async (t) => {
  if ('reason' in made) return;
  const { outcomes, output } = await runStressors(made.root, STRESSORS, 1, 900);
  t.same(
    outcomes.map((outcome) => outcome.name),
    STRESSORS,
    `all came to their end: ${output.slice(-1000)}`,
  );
  for (const { name, status, failures, before, after } of outcomes) {
    t.same([status, failures], [0, []], `${name}: successful`);
    const left = before.free + before.cached - after.free - after.cached;
    t.ok(left <= SLACK, `${name}: ${left} kB are not given back, at most ${SLACK} expected`);
  }
});
