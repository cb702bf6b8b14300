/**
 * The servers of the network's table: which program, what it reads, what it is asked. Owns their configurations. The same files go into both guests.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { iperf3, type Load, redis, wrk } from './net-loads.ts';

export interface Server {
  readonly name: string;
  /** Path in the root file system, or of a static file on this host. */
  readonly program: string;
  readonly isStatic?: boolean;
  /** What hull runs in place of `program`: an image that `hull cc` made of the same source. Linux has been measured with the server before it. */
  readonly linked?: string;
  readonly args: readonly string[];
  /** Files that it reads besides its libraries; a path with a slash at its end is a folder. */
  readonly files: readonly string[];
  readonly port: number;
  readonly ask: string;
  readonly loads: readonly Load[];
  /** Times Linux's requests a second that are aimed at (the first load), and µs of the vCPU's time for one. */
  readonly goal?: number;
  readonly guestGoal?: number;
}

const HTTP = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
const NGINX = 'daemon off; user root; worker_processes 1; error_log stderr crit; pid /tmp/nginx.pid; events { worker_connections 512; } '
  + 'http { access_log off; keepalive_requests 1000000; server { listen 80; root /var/www/html; } }';
const REDIS = 'save ""\nbind 0.0.0.0\nprotected-mode no\ndir /tmp\n';

export function writeConfigurations(root: string): void {
  writeFileSync(join(root, 'etc/nginx/bench.conf'), NGINX);
  writeFileSync(join(root, 'etc/redis/bench.conf'), REDIS);
}

/** `epoll`: bench/guest/epoll-server.c as a static executable; `linked`: as an image of `hull cc`. */
export function listServers({ epoll, linked }: { readonly epoll: string; readonly linked: string }): Server[] {
  const small = { program: epoll, isStatic: true, args: ['80'], files: [], port: 80, ask: HTTP, loads: [wrk('16 connections', 16)], goal: 5, guestGoal: 35 };
  return [
    { ...small, name: 'epoll server (static musl)' },
    { ...small, name: 'linked epoll server', linked },
    {
      name: 'nginx', program: '/usr/sbin/nginx', args: ['-c', '/etc/nginx/bench.conf'],
      files: ['etc/nginx/bench.conf', 'etc/passwd', 'etc/group', 'var/www/html/index.html', 'var/log/nginx/', 'var/lib/nginx/', 'tmp/', 'run/'],
      port: 80, ask: HTTP, loads: [wrk('612 bytes, 30 connections', 30)], goal: 4,
    },
    {
      name: 'redis', program: '/usr/bin/redis-server', args: ['/etc/redis/bench.conf'], files: ['etc/redis/bench.conf', 'tmp/'], port: 6379, ask: 'PING\r\n',
      loads: [redis('set', 1), redis('get', 1), redis('set', 16), redis('get', 16)], goal: 4,
    },
    {
      name: 'iperf3', program: '/usr/bin/iperf3', args: ['-s'], files: ['tmp/'], port: 5201, ask: 'x'.repeat(37),
      loads: [iperf3('to the guest', []), iperf3('from the guest', ['-R'])],
    },
  ];
}
