/**
 * Which certificates hold (TLS, RFC 8446; X.509 in PEM, RFC 7468). Owns: where authorities and client certificates are read from. Rules: this host's bundle, or what SSL_CERT_FILE and
 * SSL_CERT_DIR name in its place, as OpenSSL has it; and for one registry what Docker's certs.d has for it: HOST/*.crt are authorities, HOST/NAME.cert with NAME.key says who we are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { RegistryError } from './error.ts';

/** Where systems keep their bundle: Debian and Alpine, Fedora, older RHEL, openSUSE, macOS and the BSDs. */
const BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem', '/etc/ssl/cert.pem'];

export interface Trust {
  readonly authorities: readonly string[];
  /** In PEM; what is shown to a registry that asks. */
  readonly client?: { readonly cert: string; readonly key: string };
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function readNamed(path: string, variable: string): string {
  const text = tryRead(path);
  if (text === undefined || !text.includes('-----BEGIN')) throw new RegistryError('credentials-failed', `Cannot use ${variable} "${path}": no certificates can be read there, expected a file of certificates in PEM`);
  return text;
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function readAuthorities(env: NodeJS.ProcessEnv): string[] {
  const [file, folders, more] = [env['SSL_CERT_FILE'] ?? '', env['SSL_CERT_DIR'] ?? '', env['NODE_EXTRA_CA_CERTS'] ?? ''];
  const found: string[] = [];
  if (file !== '') found.push(readNamed(file, 'SSL_CERT_FILE'));
  for (const folder of folders === '' ? [] : folders.split(delimiter)) found.push(...listFiles(folder).flatMap((name) => tryRead(join(folder, name)) ?? []).filter((text) => text.includes('-----BEGIN CERTIFICATE')));
  if (file === '' && folders === '') {
    const bundle = BUNDLES.reduce<string | undefined>((text, path) => text ?? tryRead(path), undefined);
    found.push(...(bundle === undefined ? rootCertificates : [bundle]));
  }
  if (more !== '') found.push(tryRead(more) ?? '');
  return found.filter((text) => text !== '');
}

/** `folders`: those that have HOST/ in them. */
export function readTrust(host: string, folders: readonly string[], env: NodeJS.ProcessEnv): Trust {
  const authorities = readAuthorities(env);
  let client: Trust['client'];
  for (const folder of folders.map((each) => join(each, host))) {
    const names = listFiles(folder);
    for (const name of names) {
      if (name.endsWith('.crt')) authorities.push(readFileSync(join(folder, name), 'utf8'));
      if (!name.endsWith('.cert') || client !== undefined) continue;
      const key = name.replace(/cert$/, 'key');
      if (!names.includes(key)) throw new RegistryError('credentials-failed', `Cannot use "${join(folder, name)}": its key "${key}" is not beside it, expected a client certificate with its key`);
      client = { cert: readFileSync(join(folder, name), 'utf8'), key: readFileSync(join(folder, key), 'utf8') };
    }
  }
  return { authorities, ...(client === undefined ? {} : { client }) };
}
