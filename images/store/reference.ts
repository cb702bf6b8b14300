/**
 * Names of images. Owns: the grammar of references (github.com/distribution/reference: [domain/]path[:tag][@digest]) and Docker's
 * normalisation: "web" is "docker.io/library/web:latest". Rule: a parsed reference is canonical; `familiar` is the form that people read.
 */
import { StoreError } from './error.ts';
import { DIGEST } from './oci.ts';

export interface Reference {
  /** Host, with its port if any: "docker.io". */
  readonly domain: string;
  /** "library/web". */
  readonly path: string;
  readonly tag?: string;
  /** "sha256:…". */
  readonly digest?: string;
  /** domain/path, with the tag and the digest that it has: what names it in a store. */
  readonly canonical: string;
  /** The repository as people write it: "web", "example.org/a/b". */
  readonly familiar: string;
}

const DOMAIN = /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const MOST_NAME = 255;

const HUB = 'docker.io';

function refuse(text: string, why: string): StoreError {
  return new StoreError('reference-invalid', `invalid reference format: Cannot use "${text}" as the name of an image: ${why}, expected [HOST[:PORT]/]NAME[:TAG][@DIGEST]`);
}

/** Without a tag and a digest there is neither: the caller decides whether that means "latest" (withDefaultTag). */
export function parseReference(text: string): Reference {
  if (text === '') throw refuse(text, 'empty');
  if (/^[0-9a-f]{64}$/.test(text)) throw refuse(text, '64 hexadecimal digits, which are an ID');
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) throw refuse(text, `"${digest}" is no sha256 digest`);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const name = hasTag ? named.slice(0, colon) : named;
  if (tag !== undefined && !TAG.test(tag)) throw refuse(text, `the tag "${tag}" has other than letters, digits, "_", "." and "-", or more than 128 of them`);
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  // Docker's rule: a host has a dot, a port, a capital letter, or is localhost.
  const isHost = first.startsWith('[') || /[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first;
  let domain = isHost ? first : HUB;
  let path = isHost ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io' || domain === 'registry-1.docker.io') domain = HUB;
  if (domain === HUB && !path.includes('/')) path = `library/${path}`;
  if (!DOMAIN.test(domain)) throw refuse(text, `"${domain}" is no host`);
  if (/[A-Z]/.test(path)) throw refuse(text, 'repository name must be lowercase');
  const bad = path.split('/').find((part) => !COMPONENT.test(part));
  if (bad !== undefined) throw refuse(text, `"${bad}" is no part of a name`);
  if (domain.length + 1 + path.length > MOST_NAME) throw refuse(text, `longer than ${MOST_NAME} characters`);
  return makeReference(domain, path, tag, digest);
}

function makeReference(domain: string, path: string, tag: string | undefined, digest: string | undefined): Reference {
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
    canonical: `${domain}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`,
    familiar: domain !== HUB ? `${domain}/${path}` : path.startsWith('library/') ? path.slice('library/'.length) : path,
  };
}

/** The same with the tag "latest" where there is neither a tag nor a digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag !== undefined || reference.digest !== undefined ? reference : withTag(reference, 'latest');
}

export function withTag({ domain, path }: Reference, tag: string): Reference {
  return makeReference(domain, path, tag, undefined);
}

export function withDigest({ domain, path }: Reference, digest: string): Reference {
  return makeReference(domain, path, undefined, digest);
}

/** "web:latest", "example.org/a@sha256:…". */
export function formatReference(reference: Reference): string {
  const { familiar, tag, digest } = reference;
  return `${familiar}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** As an image layout's annotation has it; undefined: written by somebody with other names in mind. */
export function readRefName(text: string): Reference | undefined {
  try {
    return withDefaultTag(parseReference(text));
  } catch {
    return undefined;
  }
}
