#!/bin/bash
#: pipefail and PIPESTATUS
set -o pipefail; false | true; echo $?; true | true; echo $?; (exit 3) | (exit 4) | true; echo ${PIPESTATUS[@]}
set +o pipefail; (exit 3) | (exit 4) | true; echo $? "${PIPESTATUS[*]}"
yes | head -n 1; echo "${PIPESTATUS[*]}"
shopt -s lastpipe; echo v | read x; echo $x
coproc { read l; echo "got $l"; }; echo hi >&${COPROC[1]}; read r <&${COPROC[0]}; echo $r; wait
#: process substitution
diff <(seq 1 5) <(seq 2 6); echo $?
cat <(echo a) <(echo b); paste <(seq 3) <(seq 4 6)
tee >(tr a-z A-Z > up) >(wc -c > count) > /dev/null <<< hello; sleep 0.3; cat up count
while read l; do n=$((n+1)); done < <(seq 10); echo $n
sort -m <(seq 1 2 9) <(seq 2 2 10) | tr '\n' ' '; echo
exec 7< <(echo seven); cat <&7
wc -l < <(find /usr/bin -name 'z*' | sort)
#: arrays
a=(one two "three four"); echo ${#a[@]} "${a[2]}" ${!a[@]}; a+=(five); a[10]=ten; echo "${!a[@]}" "${a[@]: -1}"
unset 'a[0]'; echo "${a[@]}"; echo "${a[@]:1:2}"; echo "${a[@]/o/0}" "${a[@]^^}"
declare -A m=([x]=1 [y z]=2); m[k]=v; for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done | sort; echo ${#m[@]}
mapfile -t lines < <(seq 5); echo ${lines[@]} ${#lines[@]}; readarray -n 2 two < <(seq 9); echo ${#two[@]}
b=("${a[@]}"); printf '<%s>' "${b[@]}"; echo; declare -p b
IFS=, read -ra parts <<< "a,b,,c"; echo ${#parts[@]} "${parts[*]}"
for ((i=0; i<3; i++)); do echo -n $i; done; echo; s=( $(seq 500) ); t=0; for x in ${s[@]}; do ((t+=x)); done; echo $t
#: expansions
v=HelloWorld; echo ${v,,} ${v^^} ${v:0:5} ${v: -5} ${v/o/0} ${v//o/0} ${v/#Hello/Bye} ${v/%World/Moon} ${v:2:-2}
echo {a,b,c}{1,2} {1..10..3} {z..w} {01..03}; echo ~root ~+ | sed 's/ .*//'
printf '%05d|%-5s|%5.2f|%x|%q|%b\n' 42 ab 3.14159 255 'a b' 'x\ty'; printf '%s\n' a b c; printf -v z '%03d' 7; echo $z
x=5; y=x; echo ${!y}; declare -n ref=x; ref=9; echo $x; echo ${x@A} ${v@Q}; set -- 1 2 3; echo ${@:2} ${*:1:1} "${@: -1}"
echo $'tab\there' $"plain" $'\x41\u00e9' | od -c | head -n 2; [[ $v =~ ^(H.*)(W.*)$ ]] && echo ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}
[[ abc == a* && ! x < a && -n $v ]] && echo cond; [[ 10 -gt 9 ]] && echo gt; case foo in f*) echo f;;& *o) echo o;; esac
echo $((2**40)) $((16#ff)) $((RANDOM >= 0)) $(( 5 <<2 , 3)); let a=5*3; echo $a; ((a == 15)) && echo yes
shopt -s extglob
case aab in +(a)b) echo ext;; esac; echo ${v//+([a-z])/_}; shopt -s nullglob; echo nomatch*; shopt -s globstar dotglob
mkdir -p g/h/i; touch g/1 g/h/2 g/h/i/.3; echo g/**; echo g/**/*; GLOBIGNORE='*h*'; echo g/*
#: jobs, traps and signals
sleep 30 & sleep 30 & jobs -r | wc -l; kill %1; wait %1; echo $?; kill %2; wait %2; echo $?; jobs
(exit 3) & wait -n; echo $?; (exit 4) & wait -n; echo $?
for i in 9 1 5; do (sleep 0.$i; exit $i) & done; for i in 1 2 3; do wait -n; echo $?; done
wait -n -p who; echo $?; trap 'echo ERR $?' ERR; false; (exit 7); trap - ERR
trap 'echo DEBUG' DEBUG; true; trap - DEBUG
f() { trap 'echo RETURN' RETURN; return 2; }; f; echo $?
trap 'echo usr2' USR2; kill -USR2 $BASHPID; sleep 1 & sp=$!; (sleep 0.2; kill -USR2 $$) & wait $sp; echo $?; wait
{ bash -c 'kill -9 $$'; echo $?; bash -c 'ulimit -t 1; while :; do :; done'; echo $?; bash -c 'ulimit -f 1; yes > big'; echo $?; } 2>&1 | sed 's/^[^ ]* line [0-9]*: *[0-9]* //;s/^bash: line [0-9]*: *[0-9]* //'; stat -c %s big
set -m; sleep 30 & p=$!; kill -STOP $p; until jobs | grep -q Stopped; do sleep 0.1; done; jobs | grep -c Stopped; kill -CONT $p; until jobs -r | grep -q sleep; do sleep 0.1; done; kill $p; wait $p 2>/dev/null; echo $?; set +m
disown -a; (sleep 0.3; echo orphan) & disown; sleep 0.6
trap 'echo bye; trap - EXIT; exit 3' EXIT; exit 1
#: read, timeouts, here-strings
read -t 0.2 x < <(sleep 1); echo $?; read -n 3 x <<< abcdef; echo $x; read -d : x <<< a:b; echo $x; read -r x <<< 'a\b'; echo "$x"; read -a w <<< 'x y z'; echo ${w[1]}
while IFS=: read -r u p id g rest; do [ $id -lt 3 ] && echo $u $id; done < /etc/passwd
cat <<< "here $((1+1))"; tr a-z A-Z <<< string; grep -c . <<< $'1\n2\n3'
echo -e 'a\nb\nc' | { read first; echo first=$first; cat; }; printf 'no newline' | while read l || [ -n "$l" ]; do echo "$l"; done
exec {fd}> chosen; echo x >&$fd; exec {fd}>&-; cat chosen; ((fd >= 10)) && echo high
{ time -p true; } 2>&1 | sed 's/[0-9.]*$//'; TIMEFORMAT=; { time true; } 2>&1; echo $SECONDS | grep -c .; echo ${EPOCHSECONDS:0:1}
select x in a b; do echo chose $x; break; done <<< 2 2>/dev/null
#: functions, locals, recursion, source
fib() { local n=$1; if ((n < 2)); then echo $n; else echo $(( $(fib $((n-1))) + $(fib $((n-2))) )); fi; }; fib 8
f() { echo ${FUNCNAME[0]} $# ; local -i n=3+4; echo $n; unset n; }; f a b; declare -f f | head -n 2; export -f f; bash -c 'f x'
source <(echo 'echo sourced $1') arg; eval "$(echo 'echo evaled')"; type -t f cd ls if; command -V cd; hash -r; builtin echo b; enable -n echo; type -t echo; enable echo
set -e; g() { return 1; }; g || echo guarded; (set -e; g; echo no) || echo sub failed; if g; then :; else echo else; fi; echo $-
caller; h() { caller 0; }; h 2>&1 | sed 's/ .*//' ; bash -c 'echo $0 $1 $#' name arg; bash --norc -c 'shopt -q login_shell || echo not login'; bash -s <<< 'echo from stdin'; echo 'echo from file $1' > s.sh; bash s.sh a; bash -n s.sh; bash -x s.sh q 2>&1
ulimit -Sn 100; ulimit -Sn; ulimit -Hn >/dev/null; ulimit -c; ulimit -s; printf '%(%Y)T\n' 0; echo $BASH_SUBSHELL $(echo $BASH_SUBSHELL); echo ${#BASH_VERSION} | grep -c .; exit 300
#: large data through shells
x=$(seq 1 20000); echo ${#x}; echo "$x" | md5sum; y=$(head -c 300000 /dev/zero | tr '\0' a); echo ${#y}; cat <<< "$y" | wc -c
seq 1 2000 | while read n; do echo $((n*n)); done | md5sum; printf '%s\n' {1..5000} | sort -R --random-source=/bin/ls | md5sum
set -- $(seq 5000); echo $#; /bin/echo "$@" | md5sum; a=(); for i in {1..2000}; do a+=("$i"); done; echo ${#a[@]}
/bin/echo $(head -c 2000000 /dev/zero | tr '\0' b) | wc -c; echo $?; env X=$(head -c 140000 /dev/zero | tr '\0' b) true; echo $?
