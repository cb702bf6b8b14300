#!/bin/sh
# Installs what a build and a test run of hull need and this machine does not have: Debian packages and npm packages. Says what it does,
# changes nothing when all is there (then it takes a fraction of a second), never asks. Runs before any npm package is installed.
set -eu
cd "$(dirname "$0")/.."

PATH="$PATH:/usr/sbin:/sbin"

say() { echo "setup: $*"; }

# command that must be there -> package that has it (Debian 12)
NEEDED='
qemu-system-x86_64:qemu-system-x86
clang:clang
ld.lld:lld
llvm-ar:llvm
llvm-objdump:llvm
gcc:gcc
g++:g++
fsck.erofs:erofs-utils
gdb:gdb
python3:python3-minimal
musl-gcc:musl-tools
busybox:busybox-static
mke2fs:e2fsprogs
dpkg-source:dpkg-dev
xz:xz-utils
make:make
strip:binutils
strace:strace
nft:nftables
openssl:openssl
dc:dc
bc:bc
bwrap:bubblewrap
skopeo:skopeo
docker-registry:docker-registry
docker-compose:docker-compose
htpasswd:apache2-utils
zstd:zstd
lua5.4:lua5.4
qemu-aarch64:qemu-user
qemu-system-aarch64:qemu-system-arm
'
missing=''
for pair in $NEEDED; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
# Static C library of the host: libc6-dev has it.
[ -e /usr/lib/x86_64-linux-gnu/libc.a ] || [ "$(uname -m)" != x86_64 ] || missing="$missing libc6-dev"
# clang's sanitizer run-time library, for the native tests.
if command -v clang >/dev/null 2>&1; then
    case $(clang -print-file-name=libclang_rt.asan-x86_64.a --rtlib=compiler-rt) in
    */*) ;;
    *) ls "$(clang -print-resource-dir)"/lib/linux/libclang_rt.asan*x86_64.a >/dev/null 2>&1 || missing="$missing libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev" ;;
    esac
else
    missing="$missing libclang-rt-14-dev"
fi
# busybox may be the dynamic one: the examples want Debian's static one.
if [ -x /bin/busybox ] && ! { LC_ALL=C dpkg -s busybox-static 2>/dev/null | grep -q '^Status: install ok'; }; then
    missing="$missing busybox-static"
fi
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null 2>&1 || {
        echo "setup: Cannot install \"${missing# }\": no apt-get here, expected Debian 12 or these programs on the PATH" >&2
        exit 1
    }
    as_root=''
    [ "$(id -u)" = 0 ] || as_root='sudo -n'
    [ "$(id -u)" = 0 ] || [ ! -t 0 ] || as_root='sudo'
    say "installing Debian packages:$missing"
    attempt=1
    while :; do
        # shellcheck disable=SC2086 # words on purpose
        if $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 -qq update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
                -qq -y --no-install-recommends install $missing >build-setup.log 2>&1; then
            rm -f build-setup.log
            break
        fi
        [ "$attempt" -lt 3 ] || {
            tail -n 20 build-setup.log >&2 2>/dev/null || true
            rm -f build-setup.log
            echo "setup: Cannot install \"${missing# }\": apt-get failed three times, expected it to succeed" >&2
            exit 1
        }
        attempt=$((attempt + 1))
        sleep 5
    done
fi

node_major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
[ "$node_major" -ge 20 ] || {
    echo "setup: Cannot use Node.js $node_major: too old or not there, expected 20 or later" >&2
    exit 1
}

# npm packages: again only when the lock file changed.
stamp=node_modules/.hull-lock
lock=$(cat package.json package-lock.json | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock" ]; then
    say 'installing npm packages (npm ci)'
    attempt=1
    until npm ci --no-audit --no-fund --loglevel=error; do
        [ "$attempt" -lt 3 ] || {
            echo 'setup: Cannot install the npm packages: npm ci failed three times, expected it to succeed' >&2
            exit 1
        }
        attempt=$((attempt + 1))
        sleep 5
    done
    echo "$lock" >"$stamp"
fi
say 'ready'
