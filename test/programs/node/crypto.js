// crypto: OpenSSL's digests, ciphers, keys and curves, on the main thread and in the pool; the web's crypto.
'use strict';
const crypto = require('node:crypto');
const { promisify } = require('node:util');

const data = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 255));
const short = (buffer) => Buffer.from(buffer).toString('hex').slice(0, 16);

async function main() {
  for (const name of ['md5', 'sha1', 'sha256', 'sha512', 'sha3-256', 'blake2b512', 'ripemd160', 'shake256']) {
    try {
      console.log(name, crypto.createHash(name).update(data).digest('hex').slice(0, 16));
    } catch (error) {
      console.log(name, error.code);
    }
  }
  console.log(crypto.createHmac('sha256', 'key').update(data).digest('base64'));
  for (const name of ['aes-256-gcm', 'aes-128-cbc', 'chacha20-poly1305', 'aes-256-ctr']) {
    const options = /gcm|poly/.test(name) ? { authTagLength: 16 } : undefined;
    const [key, iv] = [Buffer.alloc(name.includes('128') ? 16 : 32, 1), Buffer.alloc(/gcm|poly/.test(name) ? 12 : 16, 2)];
    const cipher = crypto.createCipheriv(name, key, iv, options);
    const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
    const plain = crypto.createDecipheriv(name, key, iv, options);
    if (options) plain.setAuthTag(cipher.getAuthTag());
    console.log(name, short(crypto.createHash('md5').update(sealed).digest()), Buffer.concat([plain.update(sealed), plain.final()]).equals(data));
  }
  console.log(short(crypto.scryptSync('p', 's', 32, { N: 1024 })), short(await promisify(crypto.pbkdf2)('p', 's', 1000, 32, 'sha512')));
  console.log(short(await promisify(crypto.scrypt)('p', 's', 32, { N: 1024 })), short(crypto.hkdfSync('sha256', 'k', 's', 'i', 32)));
  const rsa = await promisify(crypto.generateKeyPair)('rsa', { modulusLength: 1024 });
  console.log(rsa.publicKey.asymmetricKeyType, crypto.verify('sha256', data, rsa.publicKey, crypto.sign('sha256', data, rsa.privateKey)));
  console.log(crypto.privateDecrypt(rsa.privateKey, crypto.publicEncrypt(rsa.publicKey, Buffer.from('secret'))).toString());
  for (const type of ['ed25519', 'x25519', 'ed448']) console.log(type, crypto.generateKeyPairSync(type).publicKey.export({ type: 'spki', format: 'der' }).length);
  const [a, b] = ['prime256v1', 'prime256v1'].map((curve) => crypto.createECDH(curve));
  a.generateKeys();
  b.generateKeys();
  console.log(a.computeSecret(b.getPublicKey()).equals(b.computeSecret(a.getPublicKey())));
  const random = await Promise.all(Array.from({ length: 20 }, () => promisify(crypto.randomBytes)(1000)));
  console.log(new Set(random.map(short)).size, crypto.randomUUID().length, crypto.randomInt(5) < 5, crypto.timingSafeEqual(data, data));
  const { subtle } = crypto.webcrypto;
  const key = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
  const iv = crypto.webcrypto.getRandomValues(new Uint8Array(12));
  const sealed = await subtle.encrypt({ name: 'AES-GCM', iv }, key, data);
  console.log(sealed.byteLength, Buffer.from(await subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)).equals(data), short(await subtle.digest('SHA-384', data)));
  console.log(crypto.getHashes().length, crypto.getCiphers().length, crypto.getCurves().length, crypto.createPrivateKey(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })).type);
  console.log(crypto.checkPrimeSync(97n), crypto.createDiffieHellmanGroup('modp5').generateKeys().length > 180, process.versions.openssl.split('.')[0]);
}
main();
