#!/bin/dash
#: cluster
node --no-warnings /suite/node/cluster.js; echo $?
#: crypto
node --no-warnings /suite/node/crypto.js; echo $?
#: zlib
node --no-warnings /suite/node/zlib.js; echo $?
#: files and fs.watch
node --no-warnings /suite/node/files.js; echo $?
#: child_process
node --no-warnings /suite/node/children.js; echo $?
#: signals and ends
node --no-warnings /suite/node/signals.js; echo $?
#: timers
node --no-warnings /suite/node/timers.js; echo $?
#: tsc compiles the folder images of this project
cp -r /suite/project p; cd p
node node_modules/typescript/lib/tsc.js -p . --noEmit false --rewriteRelativeImportExtensions --declaration --sourceMap --rootDir . --outDir out; echo $?
find out -type f -exec md5sum {} + | sort -k 2; du -b -s out
echo 'export const x: number = "text";' > images/wrong.ts; node node_modules/typescript/lib/tsc.js -p .; echo $?
