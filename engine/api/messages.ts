/**
 * Requests' parameters and bodies, answers, and streams of JSON. Owns: how each is written and read. Rules: what a client sends is checked here, once; a JSON body has a limit; an error after the
 * headers can only be told in the stream's own way.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describeError, httpStatusOf } from '../errors.ts';
import { ApiError } from './error.ts';
import type { Exchange } from './route.ts';

const MOST_JSON = 8 * 1024 * 1024;

export function sendJson({ response }: Pick<Exchange, 'response'>, value: unknown, status = 200): void {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

export function sendStatus({ response }: Pick<Exchange, 'response'>, status: number): void {
  response.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': 0 });
  response.end();
}

/** Clients tell a program that is not there (exit code 127) and one that cannot be run (126) by these words. */
const PROGRAM_WORDS: Record<string, string> = { 'program-missing': 'executable file not found in $PATH', 'program-invalid': 'permission denied' };

export function describeForClient(error: unknown): string {
  const { code } = error as { code?: string };
  const words = PROGRAM_WORDS[code ?? ''];
  const text = describeError(error);
  if (words === undefined) return text;
  return `failed to create task for container: ${text}${text.includes(words) ? '' : `: ${words}`}: unknown`;
}

export function sendError(response: ServerResponse, error: unknown): void {
  const text = `${JSON.stringify({ message: describeForClient(error) })}\n`;
  response.writeHead(httpStatusOf(error), { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** As Go's strconv.ParseBool with an empty text for false; Docker takes every other text for true. */
export function readSwitch(query: URLSearchParams, name: string, otherwise = false): boolean {
  const text = query.get(name);
  if (text === null) return otherwise;
  return !['', '0', 'no', 'false', 'none'].includes(text.trim().toLowerCase());
}

export function readNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d+$/.test(text)) throw new ApiError('parameter-invalid', `strconv.Atoi: parsing "${text}": invalid syntax: Cannot use "${text}" for ${name}, expected a whole number`);
  return Number(text);
}

/** `filters={"name":["a"]}`, or the older {"name":{"a":true}}. */
export function readFilters(query: URLSearchParams): ReadonlyMap<string, readonly string[]> {
  const text = query.get('filters');
  if (text === null || text === '') return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ApiError('parameter-invalid', `invalid filter: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ApiError('parameter-invalid', 'invalid filter: expected an object of names');
  const filters = new Map<string, readonly string[]>();
  for (const [name, given] of Object.entries(value)) {
    const values = Array.isArray(given) ? given : typeof given === 'object' && given !== null ? Object.entries(given).flatMap(([each, isOn]) => (isOn === true ? [each] : [])) : [given];
    filters.set(
      name,
      values.map((each) => String(each)),
    );
  }
  return filters;
}

export async function readBytes(exchange: Exchange, most = MOST_JSON): Promise<Buffer> {
  const { request, upgrade } = exchange;
  if (upgrade !== undefined) return upgrade.body;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > most) throw new ApiError('body-too-large', `http: request body too large: Cannot take it: expected at most ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** An absent body is {}. */
export async function readJson<T extends object>(exchange: Exchange): Promise<Partial<T>> {
  const text = (await readBytes(exchange)).toString('utf8').trim();
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ApiError('parameter-invalid', `invalid JSON: ${(cause as Error).message}`, { cause });
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new ApiError('parameter-invalid', 'invalid JSON: expected an object');
  return value as Partial<T>;
}

/** Waits until the client has taken it, or has gone. */
export async function writeSlowly(to: NodeJS.WritableStream & { readonly destroyed?: boolean }, bytes: Uint8Array | string, gone: AbortSignal): Promise<void> {
  if (gone.aborted || to.destroyed === true) return;
  if (!to.write(bytes)) await once(to, 'drain', { signal: gone }).catch(() => {});
}

export interface JsonStream {
  send(value: unknown): Promise<void>;
  /** As Docker's jsonmessage package has it. */
  fail(error: unknown): Promise<void>;
  end(): void;
}

/** A line of JSON a message; headers go at once. */
export function openJsonStream({ response, gone }: Pick<Exchange, 'response' | 'gone'>): JsonStream {
  const begin = () => {
    if (response.headersSent) return;
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
  };
  const send = async (value: unknown) => {
    begin();
    await writeSlowly(response, `${JSON.stringify(value)}\r\n`, gone);
  };
  return {
    send,
    async fail(error) {
      if (!response.headersSent) return sendError(response, error);
      const message = describeError(error);
      await send({ errorDetail: { message }, error: message });
      response.end();
    },
    end() {
      begin();
      response.end();
    },
  };
}
