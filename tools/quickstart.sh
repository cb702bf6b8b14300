#!/bin/sh
# The first thing a newcomer runs: set up, build, then two programs as unikernels. Shows each command before it runs.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh
export NODE_EXTRA_CA_CERTS=''
node tools/build.mjs

# Prints a command as one would type it, then runs it.
show() {
    printf '\n$'
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./=:-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

mkdir -p build/quickstart
printf '\n1. A C program, compiled by hull into a bootable image:\n'
show cat examples/hello/hello.c
show dist/hull cc -O2 -s examples/hello/hello.c -o build/quickstart/hello
show ls -l build/quickstart/hello
show dist/hull run build/quickstart/hello

printf "\n2. Debian's own busybox, unmodified:\n"
# shellcheck disable=SC2016 # the guest's shell expands it
show dist/hull run /bin/busybox sh -c 'i=0; while [ $i -lt 3 ]; do echo "line $i of a shell in a unikernel"; i=$((i+1)); done'

printf '\nNext: dist/hull --help, or npm test\n'
