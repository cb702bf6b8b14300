/**
 * docs/docker-client.md with Docker's own client: the page names every verb and option that the client's help has, what it quotes is what is said, and each option is used here at least once. Runs the built
 * dist/hull; engine and guests end with the test.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { startDockerRegistry } from '../images/docker-registry.ts';
import { makeBox, makeEngine, missing } from './harness.ts';

interface Row {
  readonly support: 'works' | 'differs' | 'ignored' | 'refused' | 'client';
  /** What the note quotes. */
  readonly words: readonly string[];
}

/** Verb -> option -> row. */
function readPage(): Map<string, Map<string, Row>> {
  const page = new Map<string, Map<string, Row>>();
  let verbs: readonly string[] = [];
  for (const line of readFileSync(join(findCheckout(), 'docs/docker-client.md'), 'utf8').split('\n')) {
    if (line.startsWith('## ')) verbs = line.slice(3).split(', ');
    const [, option, support, note] = /^\| `(--[a-z0-9-]+)` \| (works|differs|ignored|refused|client) \| (.*?) ?\|$/.exec(line) ?? [];
    if (line.startsWith('| `') && option === undefined) throw new Error(`docs/docker-client.md has a line of another form: ${line}`);
    for (const verb of verbs) {
      if (/^What is not/.test(verb)) continue;
      const options = page.get(verb) ?? new Map<string, Row>();
      page.set(verb, options);
      if (option !== undefined) options.set(option, { support: support as Row['support'], words: [...(note as string).matchAll(/`([^`]+)`/g)].map(([, words]) => words as string).filter((words) => words.includes(' ')) });
    }
  }
  return page;
}

const page = readPage();
const used = new Map([...page.keys()].map((verb) => [verb, new Set<string>()]));

t.test('the page and every option', { skip: missing('docker', '--version') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-docker-'));
  const at = (name: string) => join(folder, name);
  const { env, start, ask, removeAll } = makeEngine(folder);
  const engine = await start();
  t.teardown(async () => {
    await removeAll();
    await engine.end();
    rmSync(folder, { recursive: true });
  });
  const call = async (words: readonly string[], input: string | Uint8Array = '') => {
    const verb = [words.slice(0, 2).join(' '), words[0] as string].find((each) => page.has(each));
    for (const word of words) {
      const [option] = /^--[a-z][a-z0-9-]*/.exec(word) ?? [];
      if (option !== undefined && verb !== undefined) for (const each of verb === 'create' || verb === 'run' ? ['run', 'create'] : [verb]) used.get(each)?.add(option);
    }
    return await execa('docker', words, { env, extendEnv: false, reject: false, input, timeout: 180_000 });
  };
  /** Words of a command line as a person types them: none has a blank. */
  const typed = (line: string, more: readonly string[] = []) => [...line.split(' ').filter((word) => word !== ''), ...more];
  const ok = async (line: string, more: readonly string[] = [], input: string | Uint8Array = ''): Promise<string> => {
    const { exitCode, stdout, stderr } = await call(typed(line, more), input);
    if (exitCode !== 0) throw new Error(`docker ${line} ended with ${exitCode}: ${stderr}`);
    return stdout;
  };
  const refused = async (t: Test, line: string, why: RegExp | string, more: readonly string[] = []) => {
    const { exitCode, stderr } = await call(typed(line, more));
    t.not(exitCode, 0, line);
    t.match(stderr, why, line);
  };

  // Of an engine that answers it hides what that one has not.
  const help = (...verb: string[]) => execFileSync('docker', [...verb, '--help'], { env: { ...env, DOCKER_HOST: 'unix:///nowhere' }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const listCommands = (text: string) => [...text.matchAll(/^(?:Common |Management |Swarm )?Commands:\n((?: {2}.*\n)+)/gm)].flatMap(([, block]) => [...(block as string).matchAll(/^ {2}([a-z]+)\*? /gm)].map(([, name]) => name as string));
  const listOptions = (text: string) => new Set([...text.matchAll(/^ {2,6}(?:-\w, )?(--[a-z][a-z0-9-]*)/gm)].map(([, option]) => option as string).filter((option) => option !== '--help'));

  await t.test('the page has what the help of the client has', async (t) => {
    const apart = readFileSync(join(findCheckout(), 'docs/docker-client.md'), 'utf8').split('## What is not for this engine\n')[1] as string;
    const groups = ['builder', 'container', 'image', 'network', 'system', 'volume'];
    const verbs = [...listCommands(help()).filter((verb) => !groups.includes(verb)).map((verb) => [verb]), ...groups.flatMap((group) => listCommands(help(group)).map((verb) => [group, verb]))];
    t.ok(verbs.length > 60, `${verbs.length} verbs`);
    const seen = new Set<string>();
    for (const verb of verbs) {
      const name = verb.join(' ');
      if (apart.includes(`\`${name}\``)) continue;
      const text = help(...verb);
      const aliases = /^Aliases:\n {2}(.*)$/m.exec(text)?.[1]?.split(', ').map((alias) => alias.replace(/^docker /, '')) ?? [];
      // Without plugins `docker builder build` is said to be an alias.
      const known = [name, ...aliases].find((each) => page.has(each));
      if (known === undefined) {
        t.fail(`docs/docker-client.md lacks "${name}"`);
        continue;
      }
      seen.add(known);
      const rows = [...(page.get(known) as Map<string, Row>).keys()];
      const options = listOptions(text);
      // `docker run` has options that `docker create` has not, and is in the same table.
      if (name !== 'create' && name !== 'container create') t.same(rows.filter((option) => !options.has(option)), [], `the page has no further option of "${name}"`);
    }
    t.same([...page.keys()].filter((verb) => !seen.has(verb)), [], 'the page has no further verb');
  });

  writeFileSync(at('changes'), 'x');
  await ok('import --message why --platform linux/amd64', [makeBox(folder), 'box:1']);
  await refused(t, 'import --change CMD=x', /Cannot import with changes/, [at('box.tar'), 'other:1']);
  t.match(await ok('image inspect --format {{.Os}}/{{.Architecture}} box:1'), 'linux/amd64');

  await t.test('options of run and create that are ignored or refused', async (t) => {
    const values: Readonly<Record<string, string>> = {
      '--blkio-weight': '100', '--blkio-weight-device': '/dev/null:100', '--cap-add': 'NET_ADMIN', '--cap-drop': 'ALL', '--cgroup-parent': 'x', '--cgroupns': 'host', '--cpu-period': '10000', '--cpu-quota': '5000',
      '--cpu-rt-period': '10', '--cpu-rt-runtime': '10', '--cpu-shares': '3', '--cpus': '2', '--cpuset-cpus': '0', '--cpuset-mems': '0', '--device': '/dev/null', '--device-cgroup-rule': 'c 1:3 r', '--device-read-bps': '/dev/null:1mb',
      '--device-read-iops': '/dev/null:1', '--device-write-bps': '/dev/null:1', '--device-write-iops': '/dev/null:1', '--domainname': 'example.org', '--group-add': '33', '--ipc': 'host', '--kernel-memory': '10m', '--memory-reservation': '32m',
      '--memory-swap': '512m', '--memory-swappiness': '3', '--oom-score-adj': '5', '--pid': 'host', '--pids-limit': '5', '--security-opt': 'no-new-privileges', '--sysctl': 'net.core.somaxconn=9', '--ulimit': 'nofile=100:100', '--userns': 'host', '--uts': 'host',
      '--gpus': 'all', '--ip6': 'fd00::1', '--isolation': 'hyperv', '--link': 'nobody', '--link-local-ip': '169.254.1.1', '--log-driver': 'syslog', '--mac-address': '92:d0:c6:0a:29:33', '--mount': 'type=image,src=box:1,dst=/i', '--network': 'host',
      '--platform': 'linux/arm64', '--runtime': 'runsc', '--storage-opt': 'size=1g', '--volume-driver': 'foo',
    };
    const rows = [...(page.get('run') as Map<string, Row>)];
    const give = (option: string) => (values[option] === undefined ? [option] : [option, values[option]]);
    const ignored = rows.filter(([option, { support }]) => support === 'ignored' && option !== '--uts');
    // "host" for one of several namespaces of the host.
    const made = await call(['create', '--memory', '256m', '--volume', 'data:/x', ...ignored.flatMap(([option]) => give(option)), '--uts', 'host', 'box:1', 'true']);
    t.equal(made.exitCode, 0, made.stderr);
    for (const [option, { words }] of ignored) for (const each of words) t.ok(`${made.stderr}\n`.includes(`WARNING: ${each}\n`), `${option}: ${each}`);
    t.match(`${made.stderr}\n`, page.get('run')?.get('--uts')?.words[0] as string);
    await ok('rm --volumes', [made.stdout]);
    const quiet = await call(['create', '--memory', '64m', '--memory-swap', '64m', '--memory-swappiness', '-1', '--pids-limit', '-1', '--cpus', '1', '--ipc', 'private', '--isolation', 'default', '--runtime', 'hull', '--volume-driver', 'local', 'box:1', 'true']);
    t.match(quiet, { exitCode: 0, stderr: '' }, 'values that ask for nothing');
    await ok('rm', [quiet.stdout]);
    for (const [option, { support, words }] of rows) {
      if (support === 'client' || support === 'ignored' || words.length === 0) continue;
      const { exitCode, stderr } = await call(option === '--use-api-socket' ? ['run', '--rm', option, 'box:1', 'true'] : ['create', ...give(option), ...(option === '--platform' ? ['--pull', 'never'] : []), 'box:1', 'true']);
      t.not(exitCode, 0, option);
      t.ok(words.some((each) => stderr.includes(each)), `${option}: ${stderr}`);
    }
    await refused(t, 'create --log-driver none box:1 true', "a machine's exit status is the last record of its log");
    await refused(t, 'create --log-opt foo=bar box:1 true', "unknown log opt 'foo' for json-file log driver");
    await refused(t, 'create --network container:x box:1 true', 'each machine has a network of its own');
    await ok('network create one');
    await ok('network create two');
    await refused(t, 'create --network one --network two box:1 true', 'a machine has one network');
    const linked = await call(typed('create --network one --link nobody:x box:1 true'));
    t.match(linked, { exitCode: 0, stderr: 'Links are ignored: containers find each other by name on their network' });
    await ok('rm', [linked.stdout]);
    await ok('network rm --force one two none-such');
    for (const option of ['--cpu-count', '--cpu-percent', '--io-maxbandwidth', '--io-maxiops']) await refused(t, `create ${option} 1 box:1 true`, 'only supported on a Docker daemon running on windows');
    t.equal(await ok('ps --all --quiet'), '');
  });

  await t.test('options of run that work', async (t) => {
    mkdirSync(at('bound'));
    writeFileSync(at('bound/file'), 'bound\n');
    writeFileSync(at('variables'), 'B=2\n');
    writeFileSync(at('labels'), 'm=2\n');
    const script = 'cat /etc/hosts /etc/resolv.conf; echo $A $B; hostname; id; pwd; cat /m/file /v/file; grep -E " (/t|/dev/shm) " /proc/mounts; head -1 /proc/meminfo; touch /x; busybox ip addr';
    const line = [
      'run --detach --name all --add-host a.b:1.2.3.4 --annotation k=v --dns 1.2.3.4 --dns-option ndots:2 --dns-search x.y --entrypoint sh --env A=1 --hostname hh --ip 10.0.2.77 --label l=1 --memory 64m --network default',
      '--disable-content-trust --expose 90 --health-cmd true --health-interval 1s --health-retries 2 --health-start-interval 1s --health-start-period 1s --health-timeout 1s --log-driver json-file --log-opt max-size=1m --log-opt max-file=2',
      '--platform linux/amd64 --publish 127.0.0.1::80 --publish-all --pull never --quiet --read-only --restart on-failure:1 --shm-size 10m --stop-signal INT --stop-timeout 3 --tmpfs /t:size=1m --user web:5 --workdir /tmp',
    ].join(' ');
    const more = ['--cidfile', at('id'), '--env-file', at('variables'), '--label-file', at('labels'), '--mount', `type=bind,src=${at('bound')},dst=/m,readonly`, '--volume', `${at('bound')}:/v:ro`, '--volume', 'shared:/shared'];
    const id = await ok(line, [...more, 'box:1', '-c', script]);
    t.equal(readFileSync(at('id'), 'utf8'), id);
    t.equal(await ok('wait all'), '0');
    const all = await execa('docker', ['logs', 'all'], { env, extendEnv: false, all: true });
    for (const expected of [/^1\.2\.3\.4\ta\.b$/m, /^10\.0\.2\.77\thh$/m, /^nameserver 1\.2\.3\.4\nsearch x\.y\noptions ndots:2$/m, /^1 2\nhh\nuid=101\(web\) gid=5\n\/tmp\nbound\nbound\n/m, / \/t tmpfs .*size=1024k/, / \/dev\/shm tmpfs .*size=10240k/, /MemTotal: +6\d{4} kB/, /touch: \/x: Read-only file system/, /inet 10\.0\.2\.77\/24/]) t.match(all.all, expected);
    t.match(JSON.parse(await ok('container inspect --size all'))[0], {
      Id: id,
      Config: { Labels: { l: '1', m: '2' }, Hostname: 'hh', User: 'web:5', WorkingDir: '/tmp', StopSignal: 'SIGINT', StopTimeout: 3, ExposedPorts: { '90/tcp': {} }, Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 1e9, Timeout: 1e9, Retries: 2, StartPeriod: 1e9, StartInterval: 1e9 } },
      HostConfig: { Annotations: { k: 'v' }, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 }, LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } }, ReadonlyRootfs: true, Memory: 64 << 20, ShmSize: 10 << 20 },
      SizeRw: Number,
    });
    const mounts = JSON.parse(await ok('container inspect --format', ['{{json .Mounts}}', 'all'])) as { Type: string; Destination: string; RW: boolean }[];
    t.same(mounts.map(({ Type, Destination, RW }) => `${Type} ${Destination} ${RW}`).sort(), ['bind /m false', 'bind /v false', 'tmpfs /dev/shm true', 'tmpfs /t true', 'volume /shared true']);
    t.match(JSON.parse(await ok('inspect --size --type container --format', ['{{json .SizeRw}}', 'all'])), Number);
    t.equal(await ok('run --rm --interactive --attach stdin --attach stdout --sig-proxy=false --no-healthcheck --volumes-from all:ro --pull missing box:1', ['sh', '-c', 'cat; ls /v; touch /shared/x 2>&1; echo lost >&2'], 'through\n'), 'through\nfile\ntouch: /shared/x: Read-only file system');
    t.match(await ok('run --rm --tty --detach-keys a,b box:1 tty'), /^\/dev\//);
    await refused(t, 'create --volumes-from nobody box:1 true', 'No such container: nobody');
    await ok('container prune --force --filter label=l');
    t.equal(await ok('ps --all --quiet'), '');
    t.match(await ok('volume prune --all --force --filter label!=x'), 'shared');
  });

  await t.test('a container that runs', async (t) => {
    await ok('network create --internal --label n=1 --driver bridge --subnet 172.31.7.0/24 --gateway 172.31.7.1 --attachable --ipv4 --opt com.docker.network.driver.mtu=1400 --ipam-driver default --scope local inside');
    await ok('run --detach --interactive --tty --name web --network inside --network-alias www --ip 172.31.7.9 --label l=2 box:1', ['sh', '-c', 'echo first; sleep 1; echo second; trap "exit 3" TERM; while :; do sleep 0.1; done']);
    while (!(await ok('logs web')).includes('second')) await new Promise((resolve) => setTimeout(resolve, 100));
    t.match(await ok('network inspect --verbose --format', ['{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}', 'inside']), /^web 172\.31\.7\.9\/24$/);

    const stamps = (await ok('logs --timestamps --details web')).split('\n').map((line) => line.split(' ')[0] as string);
    t.equal(stamps.length, 2);
    t.equal((await ok('logs --tail 1 web')).trim(), 'second');
    t.equal((await ok('logs', ['--since', stamps[1] as string, 'web'])).trim(), 'second');
    t.equal((await ok('logs', ['--until', stamps[0] as string, 'web'])).trim(), 'first');

    const container = { format: '{{.Names}}', filter: 'label=l=2' };
    t.equal(await ok(`ps --filter ${container.filter} --format ${container.format}`), 'web');
    t.match(await ok('ps --latest --size --no-trunc'), /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES +SIZE\n[0-9a-f]{64} +box:1 +"sh -c .*" .* Up .* web +\S+B/);
    t.match(await ok('ps --last 1 --quiet'), /^[0-9a-f]{12}$/);
    t.match(await ok('stats --all --no-stream --no-trunc --format {{.ID}}'), /^[0-9a-f]{64}$/);

    writeFileSync(at('exec-variables'), 'D=4\n');
    t.equal(await ok('exec --env C=3 --user web --workdir /bin --privileged --env-file', [at('exec-variables'), 'web', 'sh', '-c', 'echo $C $D $(id -u); pwd']), '3 4 101\n/bin');
    t.equal(await ok('exec --interactive --detach-keys a,b web cat', [], 'in'), 'in');
    t.match(await ok('exec --tty web tty'), /^\/dev\//);
    await ok('exec --detach web touch /made');
    for (let i = 0; !(await ok('diff web')).includes('A /made') && i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 100));
    t.match(await ok('diff web'), /^A \/made$/m);

    await ok('cp --archive --quiet --follow-link', [at('bound'), 'web:/tmp']);
    t.equal(await ok('exec web cat /tmp/bound/file'), 'bound');
    await ok('export --output', [at('exported.tar'), 'web']);
    t.match(execFileSync('tar', ['tf', at('exported.tar')], { encoding: 'utf8' }), /^tmp\/bound\/file$/m);
    t.match(await ok('commit --author who --message why --pause=false', ['--change', 'CMD ["cat", "/tmp/bound/file"]', 'web', 'kept:1']), /^sha256:/);
    t.equal(await ok('run --rm kept:1'), 'bound');

    const ignored = [...(page.get('update') as Map<string, Row>)].filter(([, { support }]) => support === 'ignored');
    const updated = await ask('POST', '/containers/web/update', { CpuShares: 3 });
    t.match(JSON.parse(updated.body).Warnings, ['CpuShares is ignored: a machine has one CPU, of any']);
    const said = await call(typed('update --restart no --blkio-weight 100 --cpu-period 10000 --cpu-quota 5000 --cpu-rt-period 10 --cpu-rt-runtime 10 --cpu-shares 3 --cpuset-cpus 0 --cpuset-mems 0 --memory-reservation 32m --memory-swap -1 --pids-limit 5 web'));
    t.equal(said.exitCode, 0, said.stderr);
    await ok('update --memory-swap 512m web');
    t.match(`${said.stdout}${said.stderr}`, /CpuShares is ignored/);
    t.match((await call(typed('update --cpus 2 web'))).stdout, 'NanoCpus is taken as one CPU');
    t.ok(ignored.length > 10);
    await refused(t, 'update --memory 64m web', 'the memory of a running machine cannot change');

    const attached = execa('docker', ['attach', '--no-stdin', '--sig-proxy=false', '--detach-keys', 'a,b', 'web'], { env, extendEnv: false, reject: false, timeout: 180_000 });
    for (const option of ['--no-stdin', '--sig-proxy', '--detach-keys']) used.get('attach')?.add(option);
    const followed = call(typed('logs --follow web'));
    await refused(t, 'rm --link web', 'containers have none');
    await ok('stop --signal TERM --timeout 60 web');
    t.match(await followed, { exitCode: 0, stdout: /second/ });
    await attached;
    t.equal(await ok('update --memory 64m web'), 'web');
    await ok('restart --signal TERM --timeout 60 web');
    await ok('kill --signal KILL web');
    const client = await call(typed('start --checkpoint x --checkpoint-dir /x web'));
    t.match(client.stderr, 'is only supported on a Docker daemon with experimental features enabled');
    const again = call(typed('start --attach --interactive --detach-keys a,b web'));
    while ((await ok('inspect --format {{.State.Status}} web')) !== 'running') await new Promise((resolve) => setTimeout(resolve, 100));
    await ok('rm --force --volumes web');
    await again;
    t.match(await ok('events --since 10m --until', [(Date.now() / 1000 + 1).toFixed(3), '--filter', 'container=web', '--filter', 'event=die', '--format', '{{.Action}} {{.Actor.Attributes.name}}']), /^die web(\ndie web)*$/);
  });

  await t.test('networks and volumes', async (t) => {
    t.equal(await ok('network ls --filter label=n=1 --format {{.Name}}'), 'inside');
    t.match(await ok('network ls --no-trunc --quiet --filter name=inside'), /^[0-9a-f]{64}$/);
    await ok('create --name joins box:1 true');
    await ok('network disconnect --force bridge joins');
    await ok('network connect --alias a --link x:y --ip 172.31.7.8 --driver-opt k=v --gw-priority 1 inside joins');
    await ok('network disconnect inside joins');
    await refused(t, 'network connect --ip6 fd00::1 inside joins', 'networks have IPv4 addresses');
    await refused(t, 'network connect --link-local-ip 169.254.1.1 inside joins', 'machines choose link-local addresses themselves');
    for (const [options, why] of [
      ['--aux-address a=172.31.8.7 --subnet 172.31.8.0/24', 'addresses are those of the whole subnet'], ['--config-from x', 'a network has its configuration itself'], ['--config-only', 'a network has its configuration itself'], ['--driver overlay', 'expected bridge'],
      ['--subnet 172.31.8.0/24 --gateway 172.31.8.9', 'its gateway is the first address of its subnet'], ['--ingress', 'swarms have such networks'], ['--subnet 172.31.8.0/24 --ip-range 172.31.8.0/25', 'addresses are those of the whole subnet'],
      ['--ipam-driver x', 'there is no IPAM driver "x"'], ['--ipam-opt a=b', 'its IPAM driver has no options'], ['--ipv6', 'networks have IPv4 addresses'], ['--ipv4=false', 'networks have IPv4 addresses'], ['--scope swarm', 'swarms have such networks'],
      ['--subnet 172.31.8.0/24 --subnet 172.31.9.0/24', 'a network has one subnet'],
    ] as const) await refused(t, `network create ${options} bad`, why);
    await ok('rm joins');
    t.equal(await ok('volume create --label v=1 --driver local named'), 'named');
    await refused(t, 'volume create --driver foo bad', 'plugin "foo" not found');
    await refused(t, 'volume create --opt type=nfs bad', 'volumes are directories, expected no options');
    t.equal(await ok('volume inspect --format {{.Labels.v}} named'), '1');
    t.equal(await ok('volume ls --filter label=v=1 --format {{.Name}}'), 'named');
    t.equal(await ok('volume ls --quiet'), 'named');
    t.equal((await ok('volume ls --cluster')).split('\n').length, 1, 'a head alone');
    await refused(t, 'volume create --availability active --group g --limit-bytes 5m --required-bytes 1m --scope single --secret a=b --sharing none --topology-preferred a=b --topology-required c=d --type mount bad', 'This node is not a swarm manager');
    await ok('volume rm --force named none-such');
    t.match(await ok('network prune --force --filter label=n=1'), 'inside');
  });

  await t.test('images and builds', async (t) => {
    t.match(await ok('images --digests --no-trunc --filter reference=box box'), /^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\nbox +1 +\S+ +sha256:[0-9a-f]{64} /);
    t.equal(await ok('images --all --format {{.Repository}} box'), 'box');
    t.match(await ok('images --quiet'), /^[0-9a-f]{12}$/m);
    t.match(await ok('history --format {{.ID}} --no-trunc box:1'), /^sha256:/);
    t.match(await ok('history --human=false --quiet box:1'), /^[0-9a-f]{12}/);
    await ok('save --output', [at('saved.tar'), 'box:1']);
    t.equal(await ok('load --quiet --input', [at('saved.tar')]), 'Loaded image: box:1');
    t.match(await ok('images --tree'), 'box:1');
    for (const line of ['image inspect --platform linux/amd64 box:1', 'rmi --platform linux/amd64 box:1', 'history --platform linux/amd64 box:1', 'save --platform linux/amd64 box:1', 'load --platform linux/amd64']) await refused(t, line, /requires API version 1\.(4[89]|5\d)/);
    const context = at('context');
    mkdirSync(context);
    writeFileSync(join(context, 'Containerfile'), 'FROM box:1 AS first\nARG A\nLABEL a=$A\nFROM first AS second\nLABEL second=yes\nFROM second\nLABEL third=yes\n');
    const built = await ok('build --build-arg A=1 --compress --disable-content-trust --force-rm --label l=1 --network none --no-cache --platform linux/amd64 --rm --tag made:1 --target second --cache-from x --isolation default --file', [join(context, 'Containerfile'), '--iidfile', at('iid'), context]);
    t.match(built, /Successfully tagged made:1$/);
    t.equal(await ok('image inspect --format', ['{{.Id}} {{json .Config.Labels}}', 'made:1']), `${readFileSync(at('iid'), 'utf8')} {"a":"1","l":"1","second":"yes"}`);
    t.match(await ok('build --quiet --file', [join(context, 'Containerfile'), context]), /^sha256:[0-9a-f]{64}$/);
    const limited = await ok('build --cgroup-parent x --cpu-period 10000 --cpu-quota 5000 --cpu-shares 3 --cpuset-cpus 0-1 --cpuset-mems 0-1 --memory 64m --memory-swap 128m --security-opt x --shm-size 1m --ulimit nofile=9 --file', [join(context, 'Containerfile'), context]);
    t.match(limited, /\[Warning\] memory, memswap, cpuperiod, cpuquota, cpushares, cpusetcpus, cpusetmems, cgroupparent, shmsize, ulimits.*: ignored, RUN has what the engine has/);
    await refused(t, 'build --add-host a:1.2.3.4 --file', 'Cannot add hosts to a build', [join(context, 'Containerfile'), context]);
    await refused(t, 'build --squash', 'is only supported on a Docker daemon with experimental features enabled', [context]);
    await ok('rmi --force --no-prune made:1');
    await ok('builder prune --all --force --filter unused-for=1h --keep-storage 1');
    await ok('image prune --all --force --filter label=none');
    t.equal(await ok('images --quiet box'), (await ok('images --quiet --no-trunc box')).slice(7, 19));
  });

  await t.test('a registry', { skip: missing('docker-registry', '--version') }, async (t) => {
    const registry = await startDockerRegistry(folder, 'registry');
    t.teardown(() => registry.child.kill('SIGKILL'));
    const name = `${registry.host}/some/box`;
    await ok('tag box:1', [`${name}:1`]);
    await ok('tag box:1', [`${name}:latest`]);
    await ok('push --all-tags --disable-content-trust --quiet', [name]);
    await ok('push --platform linux/amd64', [`${name}:1`]);
    await refused(t, 'push --platform linux/arm64', 'what has this name is pushed whole', [`${name}:1`]);
    await ok('rmi', [`${name}:1`, `${name}:latest`]);
    t.equal(await ok('pull --quiet --disable-content-trust --platform linux/amd64', [`${name}:1`]), `${name}:1`);
    await ok('pull --all-tags', [name]);
    t.equal((await ok('images --format {{.Tag}}', [name])).split('\n').sort().join(' '), '1 latest');
    await refused(t, 'build --pull --file', /./, [join(at('context'), 'Containerfile'), at('context')]);
    await ok('login --username somebody --password secret', [registry.host]);
    await ok('login --username somebody --password-stdin', [registry.host], 'secret');
  });

  await t.test('search', async (t) => {
    const server = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ num_results: 1, results: [{ name: 'found', description: 'a long one', star_count: 7, is_official: true, is_automated: false }] })));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    t.teardown(() => server.close());
    t.match(await ok('search --limit 5 --no-trunc --filter stars=3 --format', ['{{.Name}} {{.Description}} {{.StarCount}}', `127.0.0.1:${(server.address() as AddressInfo).port}/found`]), /found a long one 7$/);
  });

  await t.test('the whole', async (t) => {
    t.equal(await ok('info --format {{.Driver}}{{.OSType}}'), 'hulllinux');
    t.equal(await ok('version --format {{.Server.Os}}'), 'linux');
    t.match(await ok('system df --format {{.Type}}'), /^Images\nContainers\nLocal Volumes\nBuild Cache$/);
    t.match(await ok('system df --verbose'), /Images space usage:/);
    await ok('system prune --all --force --volumes --filter label=none');
    t.ok(existsSync(env['HULL_ROOT'] as string));
  });

  const unused = [...page].flatMap(([verb, rows]) => [...rows].filter(([option]) => used.get(verb)?.has(option) !== true && !(verb === 'restart' && used.get('stop')?.has(option))).map(([option]) => `${verb} ${option}`));
  t.same(unused, [], 'every option of the page was used');
});
