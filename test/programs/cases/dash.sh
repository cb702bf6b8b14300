#!/bin/dash
#: pipelines
seq 1 100 | grep 7 | sed 's/7/<7>/' | sort -r | head -n 5 | tr '<>' '[]'
echo a b c | { read x y z; echo "$z $y $x"; }
yes | head -n 3 | wc -l
false | true; echo $?
true | false; echo $?
! true; echo $?
seq 10 | while read n; do [ $((n % 2)) = 0 ] && continue; echo odd $n; [ $n = 7 ] && break; done
{ echo out; echo err >&2; } 2>&1 >/dev/null | cat
echo one | cat - /dev/null | cat | cat | cat | cat | cat | cat
#: subshells and variables
x=1; (x=2; echo in $x); echo out $x
y=$(x=3; echo $x); echo $x $y
(cd /usr; pwd); pwd | sed 's/.*/somewhere/'
a=$(printf 'x\n\n\n'); echo "[$a]"
echo "$(echo "$(echo "nested $(echo deep)")")"
echo `echo back \`echo ticks\``
(exit 5); echo $?
v=abcdef; echo ${v#ab} ${v%ef} ${#v} ${v:-no} ${u:-unset} ${u:=set} $u ${v:+alt}
p=/usr/local/lib/x.tar.gz; echo ${p##*/} ${p%/*} ${p%%.*} ${p#*.}
unset u; (: ${u?message here}) 2>&1; echo $?
set -- a "b c" d; echo $# "$2" $*; for i in "$@"; do echo "<$i>"; done; shift; echo $1; shift 2; echo $#
IFS=:; set -- $(echo a:b::c); echo $#; echo "$*"; unset IFS
readonly r=1; (r=2) 2>/dev/null; echo $?
export E=exported; sh -c 'echo $E'; E2=once sh -c 'echo $E2'; echo "[$E2]"
#: background jobs and wait
(sleep 0.2; echo late; exit 3) & p=$!; echo first; wait $p; echo $?
for i in 1 2 3 4 5; do (exit $i) & eval p$i=$!; done
for i in 1 2 3 4 5; do eval wait \$p$i; echo $?; done
sleep 30 & p=$!; (sleep 0.2; kill $p) & wait $p; echo $?
sleep 30 & p=$!; (sleep 0.2; kill -9 $p) & wait $p; echo $?
sleep 30 & p=$!; (sleep 0.2; kill -USR1 $p) & wait $p; echo $?
wait 99999; echo $?
(sleep 0.1 & wait; echo child waited); wait
: > f; for i in $(seq 20); do (echo $i >> f) & done; wait; sort -n f | tr '\n' ' '; echo
(trap '' TERM; sleep 0.3; echo survived) & sleep 0.1; kill $!; wait $!; echo $?
#: traps
trap 'echo on exit' EXIT
trap 'echo got usr1' USR1; kill -USR1 $$; echo after
trap 'echo got term; x=1' TERM; kill $$; echo x=$x
trap '' INT; kill -INT $$; echo ignored
trap - INT
(trap 'echo sub exit' EXIT; echo in sub)
(trap 'echo caught; exit 9' HUP; kill -HUP $(sh -c 'echo $PPID'); sleep 1; echo not here); echo $?
trap 'echo alarm' ALRM; (sleep 0.2; kill -ALRM $$; sleep 0.5) & wait; echo waited $?; wait
trap
sh -c 'kill -SEGV $$'; echo $?
sh -c 'trap "exit 4" TERM; kill $$; sleep 1'; echo $?
trap 'echo chld' CHLD; (exit 0); true; trap - CHLD
#: here-documents
cat <<X
expanded $((1+1)) $(echo sub) \$no `echo tick`
X
cat <<'X'
literal $((1+1)) $(echo sub)
X
cat <<-X
	tabs
		gone
	X
cat <<A; cat <<B
first
A
second
B
while read a b; do echo "$b-$a"; done <<X
1 one
2 two
X
f() { cat; }; f <<X
to a function
X
(cat <<X
big $(seq 1 3000 | tr '\n' ' ')
X
) | cksum
cat <<X | tr a-z A-Z
piped
X
#: set -e and -u
sh -c 'set -e; false; echo no'; echo $?
sh -c 'set -e; false || true; echo yes; (exit 3); echo no'; echo $?
sh -c 'set -e; if false; then :; fi; ! true; echo yes; f() { false; echo in f; }; f || echo no; f; echo no'; echo $?
sh -c 'set -u; echo $nothing; echo no' 2>&1; echo $?
sh -c 'set -e; x=$(false); echo no'; echo $?
sh -c 'set -e; trap "echo bye" EXIT; false'; echo $?
sh -c 'set -x; a=1; echo $a' 2>&1
sh -c 'set -f; echo *'
sh -c 'set -n; echo no'; echo $?
sh -ec 'echo $-' | grep -c e
set -C; echo x > noc; (echo y > noc) 2>&1; echo z >| noc; cat noc
#: redirections
exec 3>three; echo to three >&3; exec 3>&-; cat three
exec 4<three; read l <&4; echo "$l"; exec 4<&-
{ echo a; echo b >&2; } > out 2> err; cat out err
echo append >> out; cat out
echo x 2>&1 >/dev/null; (echo y >&2) 2>&1
cat < /nonexistent; echo $?
(echo z >&9) 2>&1; echo $?
echo hello > "a b"; cat "a b"; cat < a\ b
echo rw > rw; exec 5<>rw; read q <&5; echo more >&5; exec 5>&-; cat rw; echo $q
: > empty; wc -c < empty
/nonexistent/cmd; echo $?
./out; echo $?
nosuchcommand; echo $?
#: arithmetic and test
echo $((7 / 2)) $((-7 % 3)) $((1 << 10)) $((0x1f)) $((010)) $((5 > 3)) $((5 & 3 | 8 ^ 1)) $((!0)) $((~5)) $(( (1+2)*3 ))
i=5; echo $((i += 3)) $((i * i)) $i; echo $((i > 7 ? 1 : 2))
echo $((9223372036854775807 + 1))
(echo $((1 / 0))) 2>&1; echo $?
test -d /usr && test ! -f /usr && [ -x /bin/sh ] && echo files
[ a = a -a b != c ] && [ 3 -lt 4 ] && [ -n x ] && [ -z "" ] && echo ok
[ 1 = 2 ] ; echo $?; test 1 -eq x 2>&1; echo $?
touch -d '2001-01-01' old; touch new; [ new -nt old ] && [ old -ot new ] && echo newer
ln -s old link; [ -L link ] && [ -h link ] && [ link -ef old ] && echo links
case abc in a*) echo star;; *) echo other;; esac; case x in [!a-w]) echo class;; esac; case a.b in *.b|*.c) echo alt;; esac
#: functions, eval, getopts
f() { local a=$1; [ $a -le 1 ] && { echo 1; return; }; echo $(( a * $(f $((a-1))) )); }; f 8
g() { return 42; }; g; echo $?
eval 'x="a b"'; eval "echo \$x"
while getopts ab:c o -a -b val -c rest; do echo "$o $OPTARG $OPTIND"; done
OPTIND=1; getopts x: o -x 2>&1; echo $o; OPTIND=1; getopts :x: o -q; echo $o $OPTARG
alias ll='echo aliased'
type cd type 2>&1 | head -n 1; command -v sh; command -v nosuch; echo $?
unset -f g; g 2>&1; echo $?
. ./lib.sh; echo not here
#: dot and exec
echo 'v=sourced; return 3' > lib.sh; . ./lib.sh; echo $? $v
(exec echo replaced; echo no)
(exec /nonexistent) 2>&1; echo $?
printf '#!/bin/sh\necho script $0 $1\nexit 6\n' > s; chmod +x s; ./s arg; echo $?
printf 'echo no shebang $1\n' > t; chmod +x t; ./t arg
cp /lib/x86_64-linux-gnu/libm.so.6 library; chmod +x library; sh -c ./library; echo $?
umask 027; touch m; stat -c %a m; umask
ulimit -n 64; ulimit -n; sh -c 'ulimit -n'
(ulimit -f 1; dd if=/dev/zero of=big bs=1024 count=10 2>/dev/null; echo $?); stat -c %s big
times > /dev/null; echo $?
hash; cd /; cd /usr/bin; cd ..; pwd; cd -; 
#: globbing
touch a1 a2 b1 .hidden 'sp ace' c[1]; mkdir -p d/e d/f; touch d/e/x d/f/y
echo *; echo a?; echo [ab]1; echo [!ab]*; echo d/*/*; echo .h*; echo nomatch*; echo "*"; echo *' '*; echo c\[1\]
for f in d/*; do echo "$f"; done
set -f; echo *; set +f
case "$(echo *)" in *b1*) echo yes;; esac
#: many processes
n=0; while [ $n -lt 60 ]; do n=$((n+1)); x=$(echo $n | tr 0-9 a-j); done; echo $n $x
for i in $(seq 30); do /bin/true; done; echo done
seq 400 | xargs -n 10 echo | tail -n 1
seq 100 | xargs -P 4 -I{} sh -c 'echo {}' | sort -n | cksum
f() { if [ $1 -gt 0 ]; then ( f $(($1-1)) ); else echo bottom; fi; }; f 25
#: signals to children and groups
setsid -w sh -c 'kill -TERM 0'; echo $?
setsid -w sh -c 'sleep 20 & sleep 20 & kill -TERM 0' ; echo $?
setsid -w sh -c 'trap "echo group" USR1; (trap "" USR1; sleep 0.2) & kill -USR1 0; wait; echo after'
sh -c 'sleep 5 & kill -STOP $!; kill -CONT $!; kill $!; wait $!; echo $?'
kill -l | head -n 3; kill -l 15; kill -l 137; kill -0 $$; echo $?; kill -0 99999; echo $?; kill -s BAD $$ ; echo $?
timeout 0.2 sleep 5; echo $?; timeout -s KILL 0.2 sleep 5; echo $?; timeout 5 true; echo $?; timeout 5 sh -c 'exit 7'; echo $?
timeout -k 0.2 0.2 sh -c 'trap "" TERM; while :; do sleep 0.05; done'; echo $?
timeout --preserve-status 0.2 sleep 5; echo $?; timeout 1 /nonexistent; echo $?; timeout 1 /usr; echo $?
nohup sh -c 'kill -HUP $$; echo alive' 2>&1 | tail -n 1
env -i A=1 env; env -u PATH /usr/bin/env | grep -c ^PATH
#: priorities
nice -n 5 nice; nice
nice -n 5 sh -c 'nice; cut -d" " -f 18,19 /proc/self/stat; nice -n -3 nice; nice -n 100 nice; nice -n -100 nice'; nice -n 7 sh -c 'ionice; ionice -c 2 -n 3 ionice; ionice -c 3 sh -c "ionice; ionice -p \$\$"; ionice -c 1 ionice; ionice -p 99999; echo $?'
setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'id; nice -n -1 nice; nice -n 2 nice; setpriv --reuid 0 true; echo $?'
