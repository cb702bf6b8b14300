#!/bin/dash
#: the engine
node --no-warnings /suite/node/language.js; echo $?
#: worker_threads
node --no-warnings /suite/node/workers.js; echo $?
#: the network
node --no-warnings /suite/node/net.js; echo $?
