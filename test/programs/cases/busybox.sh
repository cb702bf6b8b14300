#!/bin/busybox sh
#: applets
for a in cat echo ls sed awk grep sort uniq tr cut head tail wc find xargs tar gzip gunzip md5sum sha1sum dd od expr seq; do busybox which busybox >/dev/null; busybox $a --help >/dev/null 2>&1; echo $a $?; done
bb=busybox; seq 1 20 | $bb awk '{s+=$1} END {print s}'; echo hello | $bb sed 's/l/L/g' | $bb tr a-z A-Z | $bb rev
$bb seq 5 | $bb xargs -n 2 $bb echo; $bb find /etc -name 'pass*' | $bb sort; $bb printf '%d-%s\n' 5 x; $bb expr 3 \* 4; $bb dd if=/dev/zero bs=1k count=3 2>/dev/null | $bb wc -c
mkdir d; echo x > d/f; $bb tar cf t.tar d; $bb tar tf t.tar; $bb gzip -c t.tar | $bb gunzip -c | $bb cmp - t.tar; echo $?; $bb cp -a d e; $bb diff -r d e; echo $?; $bb rm -r d; $bb ls
$bb ash -c 'x=1; (x=2); echo $x; f() { echo f$1; }; f 2; cat <<X
here $x
X
for i in 1 2 3; do (sleep 0.1; exit $i) & done; wait; echo waited; trap "echo t" EXIT; set -e; false'; echo $?
$bb ash -c 'set -o pipefail; false | true'; echo $?; $bb ash -c 'read -t 1 x <<X
l
X
echo $x'; $bb timeout 1 $bb sleep 5; echo $?; $bb env -i A=b $bb env; $bb mktemp -d ./xXXXXXX | $bb cut -c1-3
$bb vi --help >/dev/null 2>&1; echo $?; $bb test -d / && echo dir; $bb stat -c %F /; $bb date -u -d @0 +%F; $bb hexdump -C /etc/debian_version; $bb bc <<X
2^70
X
$bb cpio --help 2>/dev/null; echo $?; echo 'a b c' | $bb cut -d' ' -f2; $bb nproc >/dev/null; echo $?; $bb sha256sum /bin/busybox; $bb time $bb true 2>/dev/null; echo $?; $bb start-stop-daemon -S -x /bin/true; echo $?
