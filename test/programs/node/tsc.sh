# The TypeScript compiler of this project compiles its folder images: the same files, bit by bit.
cp -r /suite/project p; cd p
node node_modules/typescript/lib/tsc.js -p . --noEmit false --rewriteRelativeImportExtensions --declaration --sourceMap --rootDir . --outDir out; echo $?
find out -type f -exec md5sum {} + | sort -k 2; du -b -s out
echo 'export const x: number = "text";' > images/wrong.ts; node node_modules/typescript/lib/tsc.js -p .; echo $?
