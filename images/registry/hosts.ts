/**
 * From a registry's name to its addresses. Owns: registries.json, with the keys of Docker's daemon.json ("insecure-registries", "registry-mirrors"). Rules: HTTPS, but for this host's own
 * loopback and for what is listed as insecure, where HTTP is tried after it; mirrors are Docker Hub's, as in Docker, and only read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RegistryError } from './error.ts';

export interface RegistrySettings {
  readonly insecure: readonly string[];
  readonly mirrors: readonly string[];
  /** Folders with HOST/*.crt. */
  readonly certificates: readonly string[];
}

export function readSettings(folder: string): RegistrySettings {
  const path = join(folder, 'registries.json');
  const certificates = [join(folder, 'certs.d'), '/etc/docker/certs.d', '/etc/containers/certs.d'];
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return { insecure: [], mirrors: [], certificates };
  }
  const expected = 'expected {"insecure-registries": ["HOST:PORT"], "registry-mirrors": ["https://HOST"]}';
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new RegistryError('credentials-failed', `Cannot read "${path}": not JSON, ${expected}`, { cause });
  }
  const pick = (key: string): string[] => {
    const list = value[key] ?? [];
    if (!Array.isArray(list) || !list.every((each) => typeof each === 'string')) throw new RegistryError('credentials-failed', `Cannot read "${path}": ${key} is no list of texts, ${expected}`);
    return list;
  };
  return { insecure: pick('insecure-registries'), mirrors: pick('registry-mirrors'), certificates };
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** Whether a host is taken without a certificate that holds, or without TLS at all. */
export function isInsecureHost({ insecure }: RegistrySettings, host: string): boolean {
  return LOOPBACK.test(host) || insecure.includes(host) || insecure.includes(host.replace(/:\d+$/, ''));
}

export interface RegistryBase {
  readonly url: URL;
  /** Under which name config.json has its credentials. */
  readonly account: string;
  readonly isMirror: boolean;
}

/** Where a registry is reached, the addresses to try first in front. */
export function listBases(settings: RegistrySettings, domain: string, forReading: boolean): RegistryBase[] {
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
  const own = isInsecureHost(settings, host) ? [`https://${host}/`, `http://${host}/`] : [`https://${host}/`];
  const mirrors = domain === 'docker.io' && forReading ? settings.mirrors : [];
  const parse = (text: string): URL => {
    try {
      const url = new URL(text.endsWith('/') ? text : `${text}/`);
      if (url.protocol === 'https:' || url.protocol === 'http:') return url;
    } catch {
      // said below
    }
    throw new RegistryError('credentials-failed', `Cannot use "${text}" as a registry: not an address, expected such as https://mirror.example.org`);
  };
  return [
    ...mirrors.map((text) => parse(text)).map((url) => ({ url, account: url.host, isMirror: true })),
    ...own.map((text) => ({ url: parse(text), account: domain, isMirror: false })),
  ];
}
