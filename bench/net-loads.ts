/**
 * What asks the servers of the network's table: wrk, redis-benchmark and iperf3 of the root of test/network, on this host. Owns their commands and the reading of what they print.
 * A load's amount is a request, or a megabit.
 */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { runNatively } from '../test/network/root.ts';

export interface Target {
  readonly root: string;
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
}

/** A second's amount; latencies in ms, where the tool tells them. */
export interface LoadResult {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Load {
  readonly name: string;
  readonly unit: 'request' | 'Mbit';
  run(target: Target): Promise<LoadResult>;
}

function callTool({ root, seconds }: Target, path: string, args: readonly string[]): Promise<string> {
  const [command, before] = runNatively(root, path);
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, ...args], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 + seconds * 10_000 });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.once('error', reject);
    child.once('close', () => resolve(text));
  });
}

const MS_OF_UNIT: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3 };

export const wrk = (name: string, connections: number): Load => ({
  name,
  unit: 'request',
  async run(target) {
    const text = await callTool(target, 'usr/bin/wrk', ['-t1', `-c${connections}`, `-d${target.seconds}s`, '--latency', `http://${target.address}:${target.port}/`]);
    const errors = /Socket errors: (.*)|Non-2xx.*/.exec(text)?.[0];
    if (errors !== undefined) process.stderr.write(`wrk, ${connections} connections: ${errors}\n`);
    const latency = (percent: number) => {
      const [, value, unit] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s)`, 'm').exec(text) ?? [];
      return Number(value ?? Number.NaN) * (MS_OF_UNIT[unit ?? ''] ?? Number.NaN);
    };
    return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN), p50: latency(50), p99: latency(99) };
  },
});

/** As many requests as this kind of machine answers in about `seconds`. */
export const redis = (test: 'set' | 'get', pipeline: number): Load => ({
  name: `${test.toUpperCase()}, pipeline ${pipeline}`,
  unit: 'request',
  async run(target) {
    const count = 2500 * target.seconds * (pipeline === 1 ? 1 : pipeline / 2);
    const args = ['-h', target.address, '-p', String(target.port), '-c', '4', '-n', String(count), '-P', String(pipeline), '-t', test, '--csv'];
    const text = await callTool(target, 'usr/bin/redis-benchmark', args);
    // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
    const fields = new RegExp(`^"${test}",(.*)$`, 'im').exec(text)?.[1]?.split(',').map((field) => Number(field.replaceAll('"', ''))) ?? [];
    return { rate: fields[0] ?? Number.NaN, p50: fields[3] ?? Number.NaN, p99: fields[5] ?? Number.NaN };
  },
});

const IPERF_TRIES = 5;

/** The server begins anew after each measurement, and refuses who comes before: a try that says so is made again. */
export const iperf3 = (name: string, options: readonly string[]): Load => ({
  name,
  unit: 'Mbit',
  async run(target) {
    let rate = Number.NaN;
    for (let left = IPERF_TRIES; left > 0 && Number.isNaN(rate); left--) {
      const text = await callTool(target, 'usr/bin/iperf3', ['-c', target.address, '-p', String(target.port), '-t', String(target.seconds), '-J', ...options]);
      const result = (text === '' ? { error: 'it said nothing in time' } : JSON.parse(text)) as { error?: string; end?: { sum_received?: { bits_per_second: number } } };
      if (result.error === undefined) rate = (result.end?.sum_received?.bits_per_second ?? Number.NaN) / 1e6;
      else process.stderr.write(`iperf3 ${options.join(' ')}: ${result.error}\n`);
      if (Number.isNaN(rate)) await sleep(1000);
    }
    return { rate, p50: Number.NaN, p99: Number.NaN };
  },
});
