/**
 * What a person sees of a build. Owns: the lines of --progress plain, and of the form that a terminal gets: one line a step, the output of the one that runs
 * below it. Rules: all on stderr; quiet shows nothing but errors; the output of a step that fails is shown in every form but quiet.
 */
export type ProgressKind = 'plain' | 'tty' | 'quiet';

export interface Step {
  output(stream: 'stdout' | 'stderr', bytes: Uint8Array): void;
  done(how: 'done' | 'cached' | 'failed'): void;
}

export interface Progress {
  start(title: string): Step;
  warn(text: string): void;
}

export interface Screen {
  write(text: string): void;
  readonly columns: number;
  /** ms */
  now(): number;
}

const SHOWN_LINES = 6;

export function openProgress(kind: ProgressKind, screen: Screen): Progress {
  let number = 0;
  const warn = (text: string) => {
    if (kind !== 'quiet') screen.write(`WARNING: ${text}\n`);
  };
  const start = (title: string): Step => {
    const name = `#${++number}`;
    const begun = screen.now();
    const seconds = () => ((screen.now() - begun) / 1000).toFixed(1);
    if (kind === 'quiet') return { output() {}, done() {} };
    return kind === 'plain' ? startPlain(screen, name, title, seconds) : startOnTerminal(screen, title, seconds);
  };
  return { start, warn };
}

/** Calls back with whole lines; the rest at the end. */
function splitLines(show: (line: string) => void): { take(bytes: Uint8Array): void; end(): void } {
  let rest = '';
  const decoder = new TextDecoder();
  return {
    take(bytes) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) show(line.replace(/\r$/, ''));
    },
    end() {
      if (rest !== '') show(rest);
      rest = '';
    },
  };
}

/** Both streams of a step, each cut into lines of its own. */
function splitStreams(show: (line: string) => void): Pick<Step, 'output'> & { end(): void } {
  const streams = { stdout: splitLines(show), stderr: splitLines(show) };
  return {
    output: (stream, bytes) => streams[stream].take(bytes),
    end() {
      streams.stdout.end();
      streams.stderr.end();
    },
  };
}

function startPlain(screen: Screen, name: string, title: string, seconds: () => string): Step {
  screen.write(`${name} ${title}\n`);
  const show = (line: string) => screen.write(`${name} ${seconds()} ${line}\n`);
  const streams = splitStreams(show);
  return {
    output: streams.output,
    done(how) {
      streams.end();
      screen.write(how === 'cached' ? `${name} CACHED\n\n` : how === 'failed' ? `${name} ERROR\n\n` : `${name} DONE ${seconds()}s\n\n`);
    },
  };
}

function startOnTerminal(screen: Screen, title: string, seconds: () => string): Step {
  const cut = (text: string) => (text.length >= screen.columns ? `${text.slice(0, Math.max(1, screen.columns - 2))}…` : text);
  const all: string[] = [];
  let drawn = 0;
  const draw = (lines: readonly string[]) => {
    screen.write(`${drawn > 0 ? `\x1b[${drawn}A\r\x1b[J` : ''}${lines.map((line) => `${line}\n`).join('')}`);
    drawn = lines.length;
  };
  draw([cut(` => ${title}`)]);
  const show = (line: string) => {
    all.push(line);
    draw([cut(` => ${title}`), ...all.slice(-SHOWN_LINES).map((each) => cut(` => => ${each.replace(/\p{Cc}/gu, ' ')}`))]);
  };
  const streams = splitStreams(show);
  return {
    output: streams.output,
    done(how) {
      streams.end();
      const end = how === 'cached' ? 'CACHED ' : how === 'failed' ? 'ERROR ' : '';
      draw([cut(` => ${end}${title} ${how === 'cached' ? '' : `${seconds()}s`}`), ...(how === 'failed' ? all : [])]);
    },
  };
}
