/**
 * Debian's stress-ng: each stressor for a second, all in one machine, says that it ran successfully, and memory is afterwards what it was before.
 * The minute each is run-stress.ts, by hand.
 */
import t from 'tap';
import { makeStressRoot, type Outcome, runStressors, STRESSORS } from './stress.ts';

/** kB that a stressor may leave: heap pages that long-lived objects took meanwhile, page tables of the area for kernel stacks. */
const SLACK = 64;
const lostBy = ({ before, after }: Pick<Outcome, 'before' | 'after'>) => before.free + before.cached - after.free - after.cached;

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
    let left = lostBy({ before, after });
    // What grew once, at a moment that time decides, does not grow again; what leaks does.
    for (let i = 0; i < 2 && left > SLACK; i++) {
      t.comment(`${name}: ${left} kB are not given back; once more`);
      const again = (await runStressors(made.root, [name, name], 1, 900)).outcomes[1];
      if (again !== undefined) left = lostBy(again);
    }
    t.ok(left <= SLACK, `${name}: ${left} kB are not given back, at most ${SLACK} expected`);
  }
});
