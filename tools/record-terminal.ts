/**
 * Records what a terminal shows of one or more commands, as an SVG picture.
 *
 * Owns: docs/first-run.svg. Run by `npm run record`: node build/tools/record-terminal.js OUT.svg [--prompt DIR] COMMAND…
 * Each command runs in a pseudo terminal (util-linux script(1)), so programs write what they would write to a person.
 * Only the picture is made here: no line of it is written by hand. Long runs of output keep their first and last lines.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const COLUMNS = 110;
const HEAD_LINES = 6;
const TAIL_LINES = 36;

const ANSI_COLOURS: Record<number, string> = {
  30: '#5c6370', 31: '#e06c75', 32: '#98c379', 33: '#e5c07b', 34: '#61afef', 35: '#c678dd', 36: '#56b6c2', 37: '#dcdfe4',
  90: '#7f848e', 91: '#ff7b86', 92: '#b5e890', 93: '#ffd787', 94: '#7cc7ff', 95: '#e29bf5', 96: '#74d7e0', 97: '#ffffff',
};

interface Span {
  text: string;
  colour: string;
  bold: boolean;
}

/** Runs a command under a pseudo terminal and returns what the terminal received. Throws when it cannot be started. */
function runInTerminal(command: string): { output: string; status: number; seconds: number } {
  const started = Date.now();
  const result = spawnSync('script', ['-qfec', `stty cols ${COLUMNS} rows 50 2>/dev/null; ${command}`, '/dev/null'], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, TERM: 'xterm-256color', NODE_EXTRA_CA_CERTS: '' },
  });
  if (result.error !== undefined) throw result.error;
  return { output: result.stdout, status: result.status ?? 1, seconds: (Date.now() - started) / 1000 };
}

/** Applies carriage returns and drops control sequences other than colours. */
function renderLines(output: string): Span[][] {
  const lines: Span[][] = [];
  let colour = '#dcdfe4';
  let bold = false;
  for (const raw of output.replaceAll('\r\n', '\n').split('\n')) {
    const text = raw.slice(raw.lastIndexOf('\r') + 1);
    const spans: Span[] = [];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal control sequences begin with ESC
    for (const piece of text.split(/(\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9])/)) {
      if (!piece.startsWith('\x1b')) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: other control characters have no picture
        const visible = piece.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '').replaceAll('\t', '    ');
        if (visible !== '') spans.push({ text: visible, colour, bold });
      } else if (piece.endsWith('m')) {
        for (const code of piece.slice(2, -1).split(';').map(Number)) {
          if (code === 0) [colour, bold] = ['#dcdfe4', false];
          else if (code === 1) bold = true;
          else if (code === 39) colour = '#dcdfe4';
          else colour = ANSI_COLOURS[code] ?? colour;
        }
      }
    }
    lines.push(spans);
  }
  while (lines.length > 0 && lines[lines.length - 1]?.length === 0) lines.pop();
  return lines;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function drawSvg(lines: Span[][]): string {
  const [width, lineHeight, top] = [COLUMNS * 8.43 + 40, 19, 52];
  const height = top + lines.length * lineHeight + 16;
  const body = lines.map((spans, row) => {
    let room = COLUMNS;
    const inner = spans
      .map((span) => {
        const text = span.text.slice(0, room);
        room -= text.length;
        return `<tspan fill="${span.colour}"${span.bold ? ' font-weight="bold"' : ''}>${escapeXml(text)}</tspan>`;
      })
      .join('');
    return `<text x="20" y="${top + row * lineHeight}" xml:space="preserve">${inner}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${height}" viewBox="0 0 ${Math.ceil(width)} ${height}">`,
    '<rect width="100%" height="100%" rx="8" fill="#282c34"/>',
    '<circle cx="22" cy="20" r="6" fill="#e06c75"/><circle cx="42" cy="20" r="6" fill="#e5c07b"/><circle cx="62" cy="20" r="6" fill="#98c379"/>',
    '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
    ...body,
    '</g></svg>',
    '',
  ].join('\n');
}

function main(args: string[]): number {
  const [out, ...commands] = args;
  if (out === undefined || commands.length === 0) {
    process.stderr.write('Usage: record-terminal OUT.svg COMMAND…\n');
    return 2;
  }
  const picture: Span[][] = [];
  let failed = 0;
  for (const command of commands) {
    const { output, status, seconds } = runInTerminal(command);
    if (status !== 0) failed = 1;
    const lines = renderLines(output);
    const left = lines.length - HEAD_LINES - TAIL_LINES;
    if (left > 1) {
      const note = [{ text: `… ${left} lines`, colour: '#7f848e', bold: false }];
      lines.splice(HEAD_LINES, left, note);
    }
    picture.push([
      { text: '$ ', colour: '#98c379', bold: true },
      { text: command, colour: '#ffffff', bold: true },
    ]);
    picture.push(...lines);
    const end = status === 0 ? `(${seconds.toFixed(1)} s)` : `(${seconds.toFixed(1)} s, exit status ${status})`;
    picture.push([{ text: end, colour: '#7f848e', bold: false }], []);
  }
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, drawSvg(picture.slice(0, -1)));
  return failed;
}

process.exitCode = main(process.argv.slice(2));
