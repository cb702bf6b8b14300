/** How the benchmarks write their figures. */
import t from 'tap';
import { formatDifference } from '../../bench/machine.ts';

t.test('a difference has one sign', (t) => {
  t.strictSame([1.14, -1.14, 0, -0.04, 0.04, -12].map(formatDifference), ['+1.1', '-1.1', '+0.0', '+0.0', '+0.0', '-12.0']);
  t.end();
});
