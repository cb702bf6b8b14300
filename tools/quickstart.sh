#!/bin/sh
# The first thing a newcomer runs: set up, build, then two programs as unikernels. Shows each command before it runs.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh
NODE_EXTRA_CA_CERTS='' node tools/build.mjs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NODE_EXTRA_CA_CERTS=''
show() {
    echo
    echo "\$ $*"
    "$@"
}
cp examples/hello/hello.c "$work/hello.c"
hull=$PWD/dist/hull
echo
echo '1. A C program, compiled by hull into a bootable image:'
show cat "$work/hello.c"
show "$hull" cc -O2 "$work/hello.c" -o "$work/hello"
show ls -l "$work/hello"
show "$hull" run "$work/hello"
echo
echo "2. Debian's own busybox, unmodified:"
show "$hull" run /bin/busybox sh -c 'i=0; while [ $i -lt 3 ]; do echo "line $i of a shell in a unikernel"; i=$((i+1)); done'
echo
echo "Next: $hull --help, or npm test"
