/** The Dockerfile parser without a build: places in continued lines, heredocs, expansion against /bin/sh, and that no text makes it fail otherwise than by its own error. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { expandWord, expandWords, parseDockerfile, splitPairs } from '../../images/dockerfile/index.ts';

const all = (text: string) => parseDockerfile('D', text).stages.flatMap(({ instructions }) => instructions);
const messageOf = (text: string) => {
  try {
    parseDockerfile('D', text);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

t.test('logical lines', (t) => {
  const [run, copy, env] = all('FROM a\n\nRUN a \\\n# no\n\n  b\\\\\nCOPY --from=x ["a b", "c"]\nenv A=b\\ c "D"=\'e f\'\\\n  G=h\n');
  t.equal(run?.rest.text, 'a   b\\\\', 'a double backslash ends no line');
  t.strictSame(copy?.json, ['a b', 'c']);
  t.strictSame(copy?.flags.map(({ name, value }) => [name, value]), [['from', 'x']]);
  t.strictSame(splitPairs(env as never).map(({ name, value }) => [name.text, value?.text]), [['A', 'b\\ c'], ['"D"', "'e f'"], ['G', 'h']]);
  const [first] = all('FROM a\r\nCOPY <<-A <<"B" /x\r\n\tone\r\n\tA\r\n\tA\r\n\ttwo $x\r\nB\r\n');
  t.strictSame(first?.heredocs.map(({ body }) => body), ['one\n', '\tA\n\ttwo $x\n']);
  t.strictSame(first?.heredocs.map(({ name, expand }) => [name, expand]), [['A', true], ['B', false]]);
  t.equal(all('FROM a\nRUN echo "<<A" $((1<<B)) <<<C\nRUN x')[0]?.heredocs.length, 0, 'no heredocs in quotes, arithmetic and here-strings');
  t.end();
});

t.test('places of errors', (t) => {
  t.match(messageOf('FROM a\nRUN x \\\n  y\nENV A=1 \\\n  B'), /^D:5:3: ENV "B" has no "=", expected NAME=VALUE\n {3}5 \| {3}B\n {5}\| {3}\^$/);
  t.match(messageOf('FROM a\n\tCOPPY a b'), /^D:2:2: unknown instruction "COPPY", expected COPY\n {3}2 \| \tCOPPY a b\n {5}\| \t\^~~~~$/);
  t.match(messageOf('FROM a AS 1x'), /^D:1:11: stage name "1x"/);
  t.match(messageOf('FROM a\nONBUILD ONBUILD RUN x'), /^D:2:9: ONBUILD ONBUILD/);
  t.match(messageOf('# escape=`\n# escape=`\nFROM a'), /^D:2:3: directive "escape" again/);
  t.end();
});

t.test('expansion is the shell\'s', (t) => {
  const values: Record<string, string> = { P: 'a/b/c.tar.gz', E: '', S: 'x y' };
  const expansion = { escape: '\\', lookUp: (name: string) => values[name] };
  const words = ['${P##*/}', '${P#*/}', '${P%.*}', '${P%%.*}', '${P%%/*}', '${P#?}', '${E:-d}', '${E-d}', '${N-d}', '${N:-${P%%/*}}', '${E:+x}', '${E+x}', '${P:+x}', '"$P"', "'$P'", '\\$P', '"a\\"b"', 'a"b"c\'d\'', '$P$E.$N'];
  for (const word of words) {
    const wanted = execFileSync('/bin/sh', ['-c', `printf %s ${word}`], { env: values, encoding: 'utf8' });
    t.equal(expandWord(word, expansion), wanted, word);
  }
  t.equal(expandWord('${P/[a]/x}${P//a/-}${P/b*/}', expansion), 'a/b/c.tar.gz-/b/c.t-r.gza/', 'replacement: a bracket stands for itself');
  t.strictSame(expandWords('$S"$S"$E', expansion), ['x', 'yx y']);
  for (const word of ['${', '${}', '${P', '${P!x}', "'", '"', '${P:?}x${N:?no}', '${P/a}']) {
    try {
      expandWord(word, expansion);
      t.ok(['${P:?}x'].includes(word), `${word} is refused`);
    } catch (error) {
      t.match((error as Error).message, /, expected /, word);
    }
  }
  t.end();
});

t.test('any text gives stages or one error', (t) => {
  const parts = ['FROM a', 'RUN', 'COPY', '<<E', 'E', '\\', '\n', '"', "'", '${', '[', ']', '--from=', '# escape=`', 'ENV', '=', ' ', '\t', 'ONBUILD', 'HEALTHCHECK', 'é', '\ud800'];
  let seed = 12345;
  const next = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff);
  for (let i = 0; i < 5000; i++) {
    const text = Array.from({ length: 1 + (next() % 20) }, () => parts[(next() >> 8) % parts.length]).join((next() >> 8) % 2 === 0 ? ' ' : '');
    try {
      parseDockerfile('D', text);
    } catch (error) {
      if ((error as Error).name !== 'DockerfileError') t.fail(`${JSON.stringify(text)}: ${(error as Error).stack}`);
    }
  }
  t.pass('5000 texts');
  t.end();
});
