#!/bin/dash
#: a package packed, installed and used without a network
export npm_config_offline=true npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_loglevel=warn npm_config_cache=/tmp/cache
npm() {
  command npm "$@" > /tmp/said 2>&1; set -- $?
  sed 's/ in [0-9.]*m*s*$//; /A complete log of this run/d; /_logs/d' /tmp/said; return $1
}
mkdir -p left/lib app; cd left
cat > package.json <<'J'
{ "name": "left", "version": "1.2.3", "main": "lib/index.js", "bin": { "left-say": "say.js" },
  "scripts": { "postinstall": "node -e \"fs.writeFileSync('made', process.env.npm_lifecycle_event)\"" } }
J
echo 'exports.left = (text, width) => text.padEnd(width, ".");' > lib/index.js
printf '#!/usr/bin/env node\nconsole.log(require(".").left(process.argv[2], 8));\n' > say.js
echo readme > README.md; for i in $(seq 300); do seq $i > lib/data$i.txt; done
npm pack --silent; ls -l left-1.2.3.tgz | cut -d' ' -f5; cd ../app
echo '{ "name": "app", "version": "0.0.1", "private": true, "scripts": { "start": "node index.js && left-say hi", "fail": "exit 3" } }' > package.json
echo 'console.log(require("left").left("ab", 5), require("left/package.json").version);' > index.js
npm install ../left/left-1.2.3.tgz; cat package.json package-lock.json
find node_modules | sort | md5sum; find node_modules -type f ! -name .package-lock.json -exec md5sum {} + | sort | md5sum; ls -l node_modules/.bin | cut -c1-10; cat node_modules/left/made; echo
npm ls; npm start --silent; npm run fail --silent; echo $?; npm test; echo $?
rm -rf node_modules; npm ci; node index.js; npm exec -- left-say there; npm uninstall left; ls; npm install no-such-package; echo $?
