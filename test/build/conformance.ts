/**
 * What hull build supports, case by case: every instruction, flag, kind of mount and directive is the subject of at least one (a check of the docs says so).
 * Files are written as "MODE UID:GID CONTENT", directories with "/" for content, links as "-> TARGET". `base` is a root file system with busybox.
 */
export interface BuildCase {
  readonly subjects: readonly string[];
  readonly dockerfile: string;
  /** The context; "-> TARGET" is a link, a number before a tab a mode. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** In the result; null: not there. */
  readonly expect?: Readonly<Record<string, string | null>>;
  /** Fields of the image's config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** On stderr of a build that fails. */
  readonly error?: RegExp;
  /** On stderr of a build that succeeds. */
  readonly log?: RegExp;
}

const F = 'FROM base\n';

export const CASES: readonly BuildCase[] = [
  // FROM, stages
  { subjects: ['FROM'], dockerfile: 'FROM scratch\nCOPY a /', files: { a: '1' }, expect: { a: '644 0:0 1' } },
  { subjects: ['FROM'], dockerfile: 'ARG B=base\nFROM ${B} AS One\nRUN echo 1 >/one\nFROM scratch\nCOPY --from=one /one /two', expect: { two: '644 0:0 1\n', one: null } },
  { subjects: ['FROM'], dockerfile: `${F}RUN false\nFROM scratch AS good\nCOPY a /`, files: { a: '' }, args: ['--target', 'good'], expect: { a: '644 0:0 ' } },
  { subjects: ['FROM'], dockerfile: 'FROM base AS a\nENV X=1\nCMD ["x"]\nFROM a\nENV Y=$X', config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'X=1', 'Y=1'], Cmd: ['x'] } },
  { subjects: ['FROM'], dockerfile: 'FROM 127.0.0.1:1/nothing', error: /^hull: Dockerfile:1:6: Cannot start from "127.0.0.1:1\/nothing": .*\n {3}1 \| FROM 127.0.0.1:1\/nothing\n {5}\| {6}\^~+$/m },
  { subjects: ['FROM'], dockerfile: 'FROM base AS build\nFROM base', args: ['--target', 'biuld'], error: /no such stage in Dockerfile, expected build/ },
  { subjects: ['FROM --platform'], dockerfile: 'FROM --platform=$TARGETPLATFORM base\nARG TARGETARCH\nRUN echo $TARGETARCH >/arch', expect: { arch: '644 0:0 amd64\n' } },
  // ARG, ENV and expansion
  { subjects: ['ARG', 'ENV'], dockerfile: `${F}ARG A=1\nARG B=\${A}2\nENV C=$B D="x y" E='$A'\nENV F old form\nARG N\nRUN echo "$A $B $C|$D|$E|$F|$N" >/o`, args: ['--build-arg', 'A=7', '--build-arg', 'N=n'], expect: { o: '644 0:0 7 72 72|x y|$A|old form|n\n' } },
  { subjects: ['ARG'], dockerfile: `ARG G=g\n${F}ARG G\nARG H=\${G:-no}\nRUN echo "$G$H" >/o`, expect: { o: '644 0:0 gg\n' } },
  { subjects: ['ARG'], dockerfile: `${F}ARG A=1\nENV A=2\nRUN echo $A >/o`, args: ['--build-arg', 'A=3'], expect: { o: '644 0:0 2\n' } },
  { subjects: ['ARG'], dockerfile: `${F}ARG VERSION=1`, args: ['--build-arg', 'VERSOIN=2'], log: /--build-arg VERSOIN was not consumed: no ARG VERSOIN in what was built, expected VERSION/ },
  { subjects: ['ENV'], dockerfile: `${F}ENV P=a/b/c.tar.gz Z=\nENV Q="\${P##*/}|\${P#*/}|\${P%.*}|\${P%%.*}|\${P/a/x}|\${P//a/x}|\${Z:-d}|\${Z-d}|\${Z+s}|\${Z:+s}|\${N:-\${P##*.}}|\\$P"\nRUN echo "$Q" >/o`, expect: { o: '644 0:0 c.tar.gz|b/c.tar.gz|a/b/c.tar|a/b/c|x/b/c.tar.gz|x/b/c.txr.gz|d||s||gz|$P\n' } },
  { subjects: ['ENV'], dockerfile: `${F}ENV A="\${B:?must be there}"`, error: /Dockerfile:2:8: B: must be there, expected a value/ },
  { subjects: ['ENV'], dockerfile: `${F}ENV A=1 B`, error: /Dockerfile:2:9: ENV "B" has no "=", expected NAME=VALUE/ },
  { subjects: ['ENV'], dockerfile: `${F}ENV A=b\nENV A=c D=$A`, config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=c', 'D=b'] } },
  { subjects: ['ARG', 'FROM'], dockerfile: `FROM base AS a\nARG A=1 B=2\nFROM a AS b\nARG B\nRUN echo "$A$B" >/o\nFROM b\nARG A=3\nENV C=$A$B\nFROM base AS other\nARG A\nRUN echo "[$A]" >/p\nFROM b\nCOPY --from=other /p /$A`, expect: { o: '644 0:0 12\n', '1': '644 0:0 []\n' } },
  { subjects: ['LABEL'], dockerfile: `${F}LABEL a=b "c d"="e f" \\\n  g=h`, args: ['--label', 'i=j'], config: { Labels: { a: 'b', 'c d': 'e f', g: 'h', i: 'j' } } },
  // RUN
  { subjects: ['RUN'], dockerfile: `${F}RUN ["sh", "-c", "echo a  b >/o"]\nRUN echo x && \\\n  # a comment\n\n  echo y >/p; rm /bin/true; mkdir -p /d/e; ln -s p /l; ln /p /h`, expect: { o: '644 0:0 a b\n', p: '644 0:0 y\n', 'bin/true': null, 'd/e': '755 0:0 /', l: '-> p', h: '644 0:0 y\n' } },
  { subjects: ['RUN', 'RUN --mount'], dockerfile: 'FROM scratch\nCOPY --from=base /bin /bin\nRUN --mount=type=tmpfs,target=/a/b/c echo x >/etc/f && echo y >/a/b/f && ls -ld /a/b | cut -c1-10 >/o', expect: { etc: '755 0:0 /', 'etc/f': '644 0:0 x\n', a: '755 0:0 /', 'a/b': '755 0:0 /', 'a/b/c': null, o: '644 0:0 drwxr-xr-x\n' } },
  { subjects: ['RUN'], dockerfile: `${F}RUN mkdir /k && touch /k/a /k/b\nRUN rm -r /k && mkdir /k && echo c >/k/c`, expect: { k: '755 0:0 /', 'k/a': null, 'k/c': '644 0:0 c\n' } },
  { subjects: ['RUN'], dockerfile: `${F}RUN <<EOF\necho "a $((1<<2))" >/o\nEOF\nRUN cat <<-X >/p && cat >/q <<'Y'\n\tb $HOME\n\tX\n$HOME\nY`, expect: { o: '644 0:0 a 4\n', p: '644 0:0 b /root\n', q: '644 0:0 $HOME\n' } },
  { subjects: ['RUN'], dockerfile: `${F}RUN <<'EOF'\n#!/bin/awk -f\nBEGIN { print "awk" > "/o" }\nEOF`, expect: { o: '644 0:0 awk\n' } },
  { subjects: ['RUN'], dockerfile: `${F}RUN echo out; echo err >&2; exit 3`, error: /err\n[^]*Dockerfile:2:1: process "\/bin\/sh -c echo out; echo err >&2; exit 3" did not complete successfully: exit code: 3/ },
  { subjects: ['RUN'], dockerfile: `${F}RUN ["nothing"]`, error: /exit code: 127/ },
  { subjects: ['RUN'], dockerfile: `${F}RUN [ -d /bin ] && echo yes >/o`, expect: { o: '644 0:0 yes\n' } },
  { subjects: ['RUN --network'], dockerfile: `${F}RUN --network=none ls /sys/class/net >/o\nRUN --network=host ls /sys/class/net | wc -l >/p`, expect: { p: /./.source } },
  { subjects: ['RUN --network'], dockerfile: `${F}RUN --network=nonne true`, error: /Dockerfile:2:5: "--network=nonne", expected none/ },
  { subjects: ['RUN --security'], dockerfile: `${F}RUN --security=sandbox true`, expect: { bin: '755 0:0 /' } },
  { subjects: ['RUN --security'], dockerfile: `${F}RUN --security=insecure true`, error: /not granted here, expected --security=sandbox/ },
  { subjects: ['RUN --mount', 'RUN --mount=type=cache'], dockerfile: `${F}RUN --mount=type=cache,target=/c,id=one echo 1 >>/c/f\nRUN --mount=type=cache,target=/d,id=one,sharing=locked cp /d/f /o`, expect: { o: '644 0:0 1\n', c: null, d: null } },
  { subjects: ['RUN --mount=type=bind'], dockerfile: `FROM scratch AS s\nCOPY a /x/a\n${F}RUN --mount=type=bind,from=s,source=/x,target=/m --mount=target=/ctx cp /m/a /o && cat /ctx/b >>/o && ! touch /m/n`, files: { a: 'A', b: 'B' }, expect: { o: '644 0:0 AB', m: null, ctx: null } },
  { subjects: ['RUN --mount=type=bind'], dockerfile: `${F}WORKDIR /w\nRUN --mount=source=a,target=in/a,rw echo x >>in/a && cp in/a /o`, files: { a: 'A\n' }, expect: { o: '644 0:0 A\nx\n', 'w/in': null } },
  { subjects: ['RUN --mount=type=secret'], dockerfile: `${F}RUN --mount=type=secret,id=s,required cat /run/secrets/s >/o\nRUN --mount=type=secret,id=s,env=S echo $S >/p\nRUN --mount=type=secret,id=no true`, files: { '../secret': 'hush' }, args: ['--secret', 'id=s,src=../secret'], expect: { o: '644 0:0 hush', p: '644 0:0 hush\n', 'run/secrets': null } },
  { subjects: ['RUN --mount=type=secret'], dockerfile: `${F}RUN --mount=type=secret,id=s,required true`, error: /Dockerfile:2:5: secret "s" is not there, expected --secret id=s,src=FILE/ },
  { subjects: ['RUN --mount=type=tmpfs'], dockerfile: `${F}RUN --mount=type=tmpfs,target=/t,size=1m echo x >/t/f && cp /t/f /o`, expect: { o: '644 0:0 x\n', t: null } },
  { subjects: ['RUN --mount'], dockerfile: `${F}RUN --mount=type=cahce,target=/x true`, error: /Dockerfile:2:13: mount type "cahce", expected cache/ },
  { subjects: ['RUN --mount=type=ssh'], dockerfile: `${F}RUN --mount=type=ssh test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK >/o\nRUN --mount=type=ssh,id=more,target=/a/s test -S /a/s && echo more >/p\nRUN --mount=type=ssh,id=none test -z "$SSH_AUTH_SOCK"`, args: ['--ssh', 'default=@AGENT@', '--ssh', 'more=@AGENT@'], expect: { o: '644 0:0 /run/buildkit/ssh_agent.0\n', p: '644 0:0 more\n', 'run/buildkit': null, a: null } },
  { subjects: ['RUN --mount=type=ssh'], dockerfile: `${F}RUN --mount=type=ssh,required true`, error: /Dockerfile:2:5: the agent "default" is not there, expected --ssh default/ },
  { subjects: ['RUN --mount=type=ssh'], dockerfile: `${F}RUN --mount=type=ssh true`, args: ['--ssh', 'default=/etc/passwd'], error: /Cannot use "default=\/etc\/passwd" for --ssh: "\/etc\/passwd" is no socket, expected an agent's socket/ },
  { subjects: ['RUN --device'], dockerfile: `${F}RUN --device=vendor.com/device=x true`, error: /Dockerfile:2:5: "--device" is not granted here, expected a RUN without devices/ },
  { subjects: ['RUN --mount=type=cache'], dockerfile: `FROM base AS s\nRUN mkdir /seed && echo s >/seed/f\n${F}RUN --mount=type=cache,target=/c,id=seeded,from=s,source=/seed cp /c/f /o && echo t >>/c/f\nRUN --mount=type=cache,target=/c,id=seeded,from=s,source=/seed cp /c/f /p`, expect: { o: '644 0:0 s\n', p: '644 0:0 s\nt\n', seed: null } },
  { subjects: ['RUN --mount=type=cache'], dockerfile: `${F}RUN --mount=type=cache,target=/x,source=/seed true`, error: /"source" of a cache mount without "from", expected from=STAGE or from=IMAGE/ },
  { subjects: ['RUN --mount=type=cache'], dockerfile: `${F}RUN --mount=type=cache,target=/c,id=own,uid=1000,gid=1001,mode=0700,sharing=private stat -c '%a %u:%g' /c >/o\nRUN --mount=type=cache,target=/c,id=own,uid=1000,gid=1001,ro ! touch /c/x`, expect: { o: process.getuid?.() === 0 ? '644 0:0 700 1000:1001\n' : /^644/.source } },
  { subjects: ['RUN --mount'], dockerfile: `${F}RUN --mount=type=cache,targt=/x true`, error: /unknown option "targt" of a cache mount, expected target/ },
  // COPY
  { subjects: ['COPY'], dockerfile: `${F}WORKDIR /w\nCOPY a ./\nCOPY a b\nCOPY d e\nCOPY d/ /e2/\nCOPY a d /n/\nCOPY l /`, files: { a: '1', 'd/x': '600\tx', 'd/y': '755\ty', 'd/z': '-> x', l: '-> a' }, expect: { 'w/a': '644 0:0 1', 'w/b': '644 0:0 1', 'w/e': '755 0:0 /', 'w/e/x': '600 0:0 x', 'w/e/y': '755 0:0 y', 'w/e/z': '-> x', 'e2/x': '600 0:0 x', 'n/a': '644 0:0 1', 'n/x': '600 0:0 x', l: '644 0:0 1' } },
  { subjects: ['COPY'], dockerfile: `${F}COPY *.txt [ab].c **/deep?.h opt[i]onal* /g/`, files: { '1.txt': '1', '2.txt': '2', 'a.c': 'a', 'z.c': 'z', 'p/q/deep1.h': 'd' }, expect: { 'g/1.txt': '644 0:0 1', 'g/2.txt': '644 0:0 2', 'g/a.c': '644 0:0 a', 'g/z.c': null, 'g/deep1.h': '644 0:0 d' } },
  { subjects: ['COPY'], dockerfile: `${F}COPY ["a b", "/c d/"]`, files: { 'a b': '1' }, expect: { 'c d/a b': '644 0:0 1' } },
  { subjects: ['COPY'], dockerfile: `${F}ENV X=y\nCOPY <<A <<'B' /h/\n$X "q" \${X:+z}\nA\n$X\nB\nCOPY --chmod=755 <<E /h/named\n#!/bin/sh\nE`, expect: { 'h/A': '644 0:0 y "q" z\n', 'h/B': '644 0:0 $X\n', 'h/named': '755 0:0 #!/bin/sh\n' } },
  { subjects: ['COPY'], dockerfile: `${F}RUN mkdir -p /r/s && ln -s r/s /k && ln -s / /top\nCOPY a /k/\nCOPY a /top/t`, files: { a: '1' }, expect: { 'r/s/a': '644 0:0 1', t: '644 0:0 1', k: '-> r/s' } },
  { subjects: ['COPY'], dockerfile: `${F}COPY a /bin`, files: { a: '1' }, expect: { 'bin/a': '644 0:0 1' } },
  { subjects: ['COPY'], dockerfile: `${F}COPY packge.json /`, files: { 'package.json': '1' }, error: /Dockerfile:2:6: "packge.json" is not in .*, expected package.json\n {3}2 \| COPY packge.json \/\n {5}\| {6}\^~{10}$/m },
  { subjects: ['COPY'], dockerfile: `${F}COPY x*y /`, files: { a: '1' }, error: /Dockerfile:2:6: no source is there/ },
  { subjects: ['COPY', 'COPY --from'], dockerfile: `FROM base AS s\nRUN mkdir /d && echo 1 >/d/x && ln -s /d/x /lx && ln -s /d /ld && ln -s x /d/in\nFROM scratch\nCOPY abs r* /c/\nCOPY absd /d1\nCOPY d/ /d2\nCOPY --from=s /l* /s/\nCOPY --from=s /lx /x`, files: { a: '1', 'd/y': '2', abs: '-> /a', rel: '-> a', absd: '-> /d', 'd/in': '-> /a' }, expect: { 'c/abs': '644 0:0 1', 'c/rel': '644 0:0 1', 'd1/y': '644 0:0 2', 'd1/in': '-> /a', 'd2/in': '-> /a', 's/lx': '644 0:0 1\n', 's/in': '-> x', x: '644 0:0 1\n' } },
  { subjects: ['COPY'], dockerfile: `${F}COPY l* /`, files: { l1: '-> nothing' }, error: /Dockerfile:2:6: "l1" is a link to "nothing", which is not there, expected a link to a file/ },
  { subjects: ['COPY'], dockerfile: `${F}COPY a b /c`, files: { a: '1', b: '2' }, error: /target "\/c" for several sources, expected a directory/ },
  { subjects: ['COPY'], dockerfile: `${F}COPY a`, files: { a: '1' }, error: /COPY with a source and no target/ },
  { subjects: ['COPY'], dockerfile: `${F}COPY ../../etc/hostname /`, error: /"\.\.\/\.\.\/etc\/hostname" is not in/ },
  { subjects: ['COPY'], dockerfile: 'FROM scratch\nCOPY . /', files: { '.dockerignore': '*.log\n!keep.log\nsub/*\n!sub/in\n.dockerignore\nDockerfile', 'a.log': '', 'keep.log': 'k', 'sub/x': '', 'sub/in': 'i', b: 'b' }, expect: { 'a.log': null, 'keep.log': '644 0:0 k', 'sub/x': null, 'sub/in': '644 0:0 i', b: '644 0:0 b', Dockerfile: null, '.dockerignore': null } },
  { subjects: ['COPY'], dockerfile: 'FROM scratch\nCOPY . /', files: { '.dockerignore': 'readme\na (1).txt\nc++\n{x}\n\\d\n!Q\n[q-r]', README: 'r', 'a (1).txt': '', 'c++': '', cc: 'c', '{x}': '', x: 'x', d: '', '1': '1', q: '', Q: 'Q', '^': '^' }, expect: { README: '644 0:0 r', 'a (1).txt': null, 'c++': null, cc: '644 0:0 c', '{x}': null, x: '644 0:0 x', d: null, '1': '644 0:0 1', q: null, Q: '644 0:0 Q', '^': '644 0:0 ^' } },
  { subjects: ['COPY'], dockerfile: `${F}COPY a /`, files: { a: '', '.dockerignore': 'b\n[z-a]\n' }, error: /^hull: Cannot leave out "\[z-a\]": it is no pattern, expected such as/m },
  { subjects: ['COPY --exclude'], dockerfile: `${F}COPY --exclude=x --exclude=( --exclude=a[ a /`, files: { a: '' }, error: /^hull: Dockerfile:2:30: Cannot leave out "a\[": it is no pattern/m },
  { subjects: ['COPY'], dockerfile: `${F}COPY [z-a] [\\]] [^a-y] [+.] e-[f-]* [\\d]1 /x/`, files: { a: 'a', z: 'z', ']': ']', '+': '+', 'e-f': 'f', 'e--': '-', d1: 'd', '11': '1' }, expect: { 'x/a': null, 'x/z': '644 0:0 z', 'x/]': '644 0:0 ]', 'x/+': '644 0:0 +', 'x/e-f': '644 0:0 f', 'x/e--': '644 0:0 -', 'x/d1': '644 0:0 d', 'x/11': null } },
  { subjects: ['COPY --from'], dockerfile: `FROM base AS b\nRUN mkdir /d && echo x >/d/x && chown 5:6 /d/x && chmod 640 /d/x\nFROM scratch\nCOPY --from=b /d /d\nCOPY --from=0 /d/x /y\nCOPY --from=base /etc/passwd /z/`, expect: { 'd/x': '640 5:6 x\n', y: '640 5:6 x\n', 'z/passwd': '644 0:0 root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n' } },
  { subjects: ['COPY --from'], dockerfile: 'FROM base AS builder\nFROM scratch\nCOPY --from=127.0.0.1:1/x /a /', error: /Dockerfile:3:6: "127.0.0.1:1\/x" is neither a stage nor an image/ },
  { subjects: ['COPY --from'], dockerfile: 'FROM scratch\nCOPY --from=more x /', args: ['--build-context', 'more=../more'], files: { '../more/x': 'm' }, expect: { x: '644 0:0 m' } },
  { subjects: ['COPY --chown'], dockerfile: `${F}COPY --chown=app a /1\nCOPY --chown=app:root a /2\nCOPY --chown=7:staff a /3\nCOPY --chown=8 d /d/e\nARG U=9:9\nCOPY --chown=$U a /4`, files: { a: '', 'd/x': '' }, expect: { '1': '644 1000:1001 ', '2': '644 1000:0 ', '3': '644 7:50 ', d: '755 8:8 /', 'd/e/x': '644 8:8 ', '4': '644 9:9 ' } },
  { subjects: ['COPY --chown'], dockerfile: `${F}COPY --chown=nobodyy a /`, files: { a: '' }, error: /Dockerfile:2:6: "--chown=nobodyy": no user "nobodyy" in \/etc\/passwd there/ },
  { subjects: ['COPY --chmod'], dockerfile: `${F}COPY --chmod=600 a /1\nCOPY --chmod=u=rwX,go=rX a d /m/`, files: { a: '', 'd/x': '600\t', 'd/y': '700\t' }, expect: { '1': '600 0:0 ', 'm/a': '644 0:0 ', 'm/x': '644 0:0 ', 'm/y': '755 0:0 ' } },
  { subjects: ['COPY --chmod'], dockerfile: `${F}COPY --chmod=999 a /`, files: { a: '' }, error: /"--chmod=999", expected an octal mode/ },
  { subjects: ['COPY --link'], dockerfile: `${F}COPY --link a /x/y/`, files: { a: '1' }, expect: { 'x/y/a': '644 0:0 1' } },
  { subjects: ['COPY --exclude'], dockerfile: `${F}COPY --exclude=*.o --exclude=sub d /d/`, files: { 'd/a.c': '', 'd/a.o': '', 'd/sub/x': '' }, expect: { 'd/a.c': '644 0:0 ', 'd/a.o': null, 'd/sub': null } },
  { subjects: ['COPY --parents'], dockerfile: `${F}COPY --parents a/b/*.c x/./y/z /p/`, files: { 'a/b/1.c': '1', 'x/y/z': 'z' }, expect: { 'p/a/b/1.c': '644 0:0 1', 'p/y/z': '644 0:0 z' } },
  // ADD
  { subjects: ['ADD', 'ADD --unpack'], dockerfile: `${F}ADD t.tar /t/\nADD t.tar.gz /g\nADD t.tar.xz /x\nADD --unpack=false t.tar /raw/\nADD a /`, files: { 't.tar': 'tar', 't.tar.gz': 'tar', 't.tar.xz': 'tar', a: '1' }, expect: { 't/in/side': '640 3:4 inside', 'g/in/side': '640 3:4 inside', 'x/in/side': '640 3:4 inside', 'raw/t.tar': /./.source, a: '644 0:0 1' } },
  { subjects: ['ADD', 'ADD --checksum'], dockerfile: `${F}ARG URL\nADD $URL/file.txt /d/\nADD --checksum=sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 $URL/file.txt /e`, args: ['--build-arg', 'URL=@URL@'], expect: { 'd/file.txt': '600 0:0 hello', e: '600 0:0 hello' } },
  { subjects: ['ADD --checksum'], dockerfile: `${F}ARG URL\nADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 $URL/file.txt /e`, args: ['--build-arg', 'URL=@URL@'], error: /has the digest sha256:2cf24d/ },
  { subjects: ['ADD'], dockerfile: `${F}ADD http://127.0.0.1:1/f /e`, error: /Dockerfile:2:5: Cannot add "http:\/\/127\.0\.0\.1:1\/f": Cannot reach "127\.0\.0\.1:1": connection refused, expected a server that answers/ },
  { subjects: ['ADD --checksum'], dockerfile: `${F}ADD --checksum=sha256:00 http://127.0.0.1:1/f /e`, error: /Dockerfile:2:5: "--checksum=sha256:00", expected sha256: and 64 hexadecimal digits/ },
  { subjects: ['ADD --checksum'], dockerfile: `${F}ADD --checksum=00 http://127.0.0.1:1/r.git /e`, error: /Dockerfile:2:5: "--checksum=00" of a git repository, expected a whole commit hash/ },
  { subjects: ['ADD --checksum'], dockerfile: `${F}ADD --checksum=sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 a /`, files: { a: 'hello' }, error: /Dockerfile:2:5: "--checksum" of "a", which is no URL, expected it for what is downloaded only/ },
  { subjects: ['ADD', 'ADD --keep-git-dir'], dockerfile: `${F}ARG URL\nADD $URL/repo.git /g\nADD --chown=3:4 $URL/repo.git#v1:sub /s\nADD --keep-git-dir $URL/repo.git#main /k/\nADD $URL/repo.git?tag=v1&submodules=false /q`, args: ['--build-arg', 'URL=@URL@'], expect: { 'g/a': '644 0:0 two', 'g/run': '755 0:0 #!/bin/sh', 'g/.git': null, 's/x': '644 3:4 x', 's/a': null, 'k/a': '644 0:0 two', 'q/a': '644 0:0 one', 'k/.git/HEAD': /./.source } },
  { subjects: ['ADD', 'ADD --checksum'], dockerfile: `${F}ARG URL\nADD --checksum=0000000000000000000000000000000000000000 $URL/repo.git /g`, args: ['--build-arg', 'URL=@URL@'], error: /Dockerfile:3:5: "http.*repo.git" is at the commit [0-9a-f]{40}, expected 0000/ },
  { subjects: ['ADD'], dockerfile: `${F}ARG URL\nADD $URL/repo.git?brunch=main /g`, args: ['--build-arg', 'URL=@URL@'], error: /^hull: Dockerfile:3:5: Cannot fetch "http.*": "brunch" is asked of it, expected ref, branch, tag/ },
  { subjects: ['ADD'], dockerfile: `${F}ARG URL\nADD $URL/repo.git#mian /g`, args: ['--build-arg', 'URL=@URL@'], error: /^hull: Dockerfile:3:5: Cannot fetch "http.*": it has no branch, tag or commit "mian", expected one that is there\n {3}3 \| ADD \$URL\/repo.git#mian \/g\n {5}\| {5}\^~{17}$/m },
  { subjects: ['ADD'], dockerfile: `${F}ARG URL\nADD $URL/repo.git#v1:absent /g`, args: ['--build-arg', 'URL=@URL@'], error: /^hull: Dockerfile:3:5: Cannot fetch "http.*": it has no directory "absent", expected one that is there/ },
  { subjects: ['ADD'], dockerfile: `${F}ARG URL\nADD $URL/none.git /g`, args: ['--build-arg', 'URL=@URL@'], error: /^hull: Dockerfile:3:5: Cannot fetch "http.*none.git": repository .* not found, expected a repository/ },
  { subjects: ['ADD'], dockerfile: `${F}ARG URL\nADD $URL/absent /e`, args: ['--build-arg', 'URL=@URL@'], error: /^hull: Dockerfile:3:5: Cannot add "http.*\/absent": the server answers 404/ },
  { subjects: ['ADD'], dockerfile: `${F}ADD http://files.test/file.txt /p`, env: { http_proxy: '@URL@' }, expect: { p: '600 0:0 hello' } },
  { subjects: ['ADD'], dockerfile: `${F}ARG URL\nADD https://\${URL#http://}/file.txt /p`, args: ['--build-arg', 'URL=@URL@'], error: /^hull: Dockerfile:3:5: Cannot add "https:.*": Cannot reach "127\.0\.0\.1:\d+": its TLS certificate or handshake does not hold \(wrong version number\), expected a certificate[^\n,]*: put the server's CA into certs.d\n {3}3 \| ADD https/m },
  { subjects: ['ADD'], dockerfile: `${F}ADD http://files.test:1x/f /p`, error: /^hull: Dockerfile:2:5: Cannot add "http:\/\/files\.test:1x\/f": it is no URL/ },
  { subjects: ['ADD --chown', 'ADD --chmod', 'ADD --link', 'ADD --exclude'], dockerfile: `${F}ADD --chown=1:2 --chmod=700 --link --exclude=n d /d/`, files: { 'd/m': 'm', 'd/n': 'n' }, expect: { 'd/m': '700 1:2 m', 'd/n': null } },
  // config
  { subjects: ['WORKDIR'], dockerfile: `${F}ENV D=d\nWORKDIR /a\nWORKDIR b/$D\nRUN pwd >/o`, expect: { 'a/b/d': '755 0:0 /', o: '644 0:0 /a/b/d\n' }, config: { WorkingDir: '/a/b/d' } },
  { subjects: ['USER'], dockerfile: `${F}RUN mkdir -m 777 /t\nUSER app\nRUN id >/t/1; echo $HOME >/t/h\nUSER 12:13\nRUN id -u >/t/2; id -g >/t/g\nUSER app`, expect: { 't/1': '644 1000:1001 uid=1000(app) gid=1001(app) groups=50(staff)\n', 't/h': '644 1000:1001 /home/app\n', 't/2': '644 12:13 12\n', 't/g': '644 12:13 13\n' }, config: { User: 'app' } },
  { subjects: ['USER', 'WORKDIR'], dockerfile: `${F}WORKDIR /r\nUSER app\nWORKDIR s/t\nUSER 12:staff\nWORKDIR /r/n\nUSER 13\nWORKDIR /r`, expect: { r: '755 0:0 /', 'r/s': '755 1000:1001 /', 'r/s/t': '755 1000:1001 /', 'r/n': '755 12:50 /' } },
  { subjects: ['USER', 'WORKDIR'], dockerfile: `${F}USER nobodyy\nWORKDIR /w`, error: /Dockerfile:3:9: USER nobodyy: no user "nobodyy"/ },
  { subjects: ['USER'], dockerfile: `${F}USER nobodyy\nRUN true`, error: /USER nobodyy: no user "nobodyy"/ },
  { subjects: ['ENTRYPOINT', 'CMD'], dockerfile: `${F}CMD echo a\nENTRYPOINT ["/x", "a b"]`, config: { Entrypoint: ['/x', 'a b'], Cmd: ['/bin/sh', '-c', 'echo a'] } },
  { subjects: ['ENTRYPOINT'], dockerfile: 'FROM with-cmd\nENTRYPOINT exec top', config: { Entrypoint: ['/bin/sh', '-c', 'exec top'], Cmd: undefined } },
  { subjects: ['SHELL'], dockerfile: `${F}SHELL ["/bin/sh", "-ec"]\nRUN echo $- >/o\nCMD x`, expect: { o: /e/.source }, config: { Shell: ['/bin/sh', '-ec'], Cmd: ['/bin/sh', '-ec', 'x'] } },
  { subjects: ['SHELL'], dockerfile: `${F}SHELL /bin/sh`, error: /Dockerfile:2:7: SHELL without a JSON array/ },
  { subjects: ['EXPOSE'], dockerfile: `${F}ARG P="82 83"\nEXPOSE 80 81/udp 90-92 $P`, config: { ExposedPorts: { '80/tcp': {}, '81/udp': {}, '82/tcp': {}, '83/tcp': {}, '90/tcp': {}, '91/tcp': {}, '92/tcp': {} } } },
  { subjects: ['EXPOSE'], dockerfile: `${F}EXPOSE 80 70000`, error: /Dockerfile:2:11: port "70000", expected a number up to 65535/ },
  { subjects: ['VOLUME'], dockerfile: `${F}VOLUME /a /b\nVOLUME ["/c d"]`, config: { Volumes: { '/a': {}, '/b': {}, '/c d': {} } } },
  { subjects: ['STOPSIGNAL'], dockerfile: `${F}STOPSIGNAL SIGQUIT`, config: { StopSignal: 'SIGQUIT' } },
  { subjects: ['STOPSIGNAL'], dockerfile: `${F}STOPSIGNAL SIGTREM`, error: /signal "SIGTREM", expected SIGTERM/ },
  { subjects: ['HEALTHCHECK', 'HEALTHCHECK --interval', 'HEALTHCHECK --timeout', 'HEALTHCHECK --start-period', 'HEALTHCHECK --start-interval', 'HEALTHCHECK --retries'], dockerfile: `${F}HEALTHCHECK --interval=1m30s --timeout=2s --start-period=100ms --start-interval=1s --retries=4 CMD ["a", "b"]`, config: { Healthcheck: { Interval: 90e9, Timeout: 2e9, StartPeriod: 1e8, StartInterval: 1e9, Retries: 4, Test: ['CMD', 'a', 'b'] } } },
  { subjects: ['HEALTHCHECK'], dockerfile: `${F}HEALTHCHECK CMD a || b\nHEALTHCHECK NONE`, config: { Healthcheck: { Test: ['NONE'] } } },
  { subjects: ['HEALTHCHECK'], dockerfile: `${F}HEALTHCHECK CDM x`, error: /Dockerfile:2:13: HEALTHCHECK "CDM", expected CMD/ },
  { subjects: ['HEALTHCHECK --interval'], dockerfile: `${F}HEALTHCHECK --interval=soon CMD x`, error: /"--interval=soon", expected a duration/ },
  { subjects: ['ONBUILD'], dockerfile: `${F}ONBUILD RUN echo 1 >/o`, config: { OnBuild: ['RUN echo 1 >/o'] } },
  { subjects: ['ONBUILD'], dockerfile: 'FROM with-trigger\nRUN test -f /triggered', files: { a: 'A' }, expect: { triggered: '644 0:0 A' }, config: { OnBuild: undefined } },
  { subjects: ['ONBUILD'], dockerfile: `${F}ONBUILD ONBUILD RUN true`, error: /Dockerfile:2:9: ONBUILD ONBUILD, expected an instruction other than FROM, ONBUILD, MAINTAINER/ },
  { subjects: ['MAINTAINER'], dockerfile: `${F}MAINTAINER me`, config: {} },
  // hull.yaml
  { subjects: ['LABEL'], dockerfile: `${F}LABEL hull.memory=32m`, files: { 'hull.yaml': 'memory: 64m\ncomponents:\n  add: [trace]\n  omit:\n    - inotify\n' }, config: { Labels: { 'hull.components.add': 'trace', 'hull.components.omit': 'inotify', 'hull.memory': '64m' } } },
  { subjects: ['LABEL'], dockerfile: 'FROM scratch', files: { 'other.yaml': 'dockerfile: sub/D\n', 'sub/D': `${F}LABEL of=sub` }, args: ['-f', 'other.yaml'], config: { Labels: { of: 'sub' } } },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'memory: 64m\ncomponents:\n  add: [trase]\n' }, error: /hull\.yaml:3:9: component "trase" is not known, expected trace\n {3}3 \| {3}add: \[trase\]\n {5}\| {9}\^/ },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'options:\n  machine: q35\n  read-only: true\n' }, config: { Labels: { 'hull.machine': 'q35', 'hull.read-only': 'true' } } },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'options:\n  machine: q36\n' }, error: /hull\.yaml:2:12: "q36" for machine, expected microvm or q35 or virt or virt-pci/ },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'options:\n  readonly: true\n' }, error: /hull\.yaml:2:3: "readonly" is not known, expected read-only/ },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'memroy: 64m\n' }, error: /hull\.yaml:1:\d+: "memroy" is not known, expected memory/ },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'memory: lots\n' }, error: /hull\.yaml:1:9: "lots" for memory .*, expected such as 64m/ },
  { subjects: ['LABEL'], dockerfile: F, files: { 'hull.yaml': 'memory: [\n' }, error: /hull\.yaml:\d+:\d+: / },
  // directives and the language
  { subjects: ['# escape', '# syntax'], dockerfile: `# syntax=docker/dockerfile:1\n# escape=\`\n${F}RUN echo 'a\\b' \`\n  c >/o`, expect: { o: '644 0:0 a\\b c\n' } },
  { subjects: ['# check'], dockerfile: `# check=skip=all\n${F}RUN true`, expect: { bin: '755 0:0 /' } },
  { subjects: ['# escape'], dockerfile: `# escape=x\n${F}`, error: /Dockerfile:1:10: escape character "x"/ },
  { subjects: ['RUN'], dockerfile: `${F}  RUM true`, error: /^hull: Dockerfile:2:3: unknown instruction "RUM", expected RUN\n {3}2 \| {3}RUM true\n {5}\| {3}\^~~$/m },
  { subjects: ['COPY'], dockerfile: `${F}COPY \\\n  --form=x a b`, error: /^hull: Dockerfile:3:3: unknown flag "--form" of COPY, expected --from\n {3}3 \| {3}--form=x a b\n {5}\| {3}\^~{7}$/m },
  { subjects: ['RUN'], dockerfile: `${F}RUN <<EOF\nx`, error: /heredoc "EOF" has no end/ },
  { subjects: ['FROM'], dockerfile: 'RUN true', error: /Dockerfile:1:1: RUN before the first FROM/ },
  { subjects: ['FROM'], dockerfile: '# nothing', error: /no instruction FROM/ },
];
