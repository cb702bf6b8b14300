// zlib and brotli: in one call, in the pool, as streams; damaged input.
'use strict';
const zlib = require('node:zlib');
const { Readable, pipeline } = require('node:stream');
const { promisify } = require('node:util');
const { createHash } = require('node:crypto');

const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `line ${i} of ${(i * i) % 97}\n`).join(''));
const sum = (buffer) => `${buffer.length} ${createHash('md5').update(buffer).digest('hex')}`;

async function main() {
  for (const [pack, unpack] of [
    ['gzip', 'gunzip'],
    ['deflate', 'inflate'],
    ['deflateRaw', 'inflateRaw'],
    ['brotliCompress', 'brotliDecompress'],
  ]) {
    const options = pack.startsWith('b') ? { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } } : { level: 6 };
    const packed = zlib[`${pack}Sync`](text, options);
    console.log(pack, sum(packed), zlib[`${unpack}Sync`](packed).equals(text));
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => promisify(zlib[pack])(text.subarray(i * 1000), options)));
    console.log(many.map((buffer) => buffer.length));
    console.log((await promisify(zlib[unpack])(packed)).equals(text));
  }
  const parts = [];
  await promisify(pipeline)(
    Readable.from((function* () { for (let i = 0; i < text.length; i += 5000) yield text.subarray(i, i + 5000); })()),
    zlib.createGzip({ level: 9 }),
    zlib.createGunzip(),
    async (source) => {
      for await (const chunk of source) parts.push(chunk);
    },
  );
  console.log(Buffer.concat(parts).equals(text));
  for (const damaged of [zlib.gzipSync(text).subarray(0, 500), Buffer.from('garbage')]) {
    try {
      zlib.gunzipSync(damaged);
    } catch (error) {
      console.log(error.code, error.message);
    }
  }
}
main();
