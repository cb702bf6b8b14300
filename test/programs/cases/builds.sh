#!/bin/dash
#: configure
cp -a /suite/sources/bc b; cd b
./configure --disable-dependency-tracking > out 2>&1; echo $?; cat out
# The platform's description names the kernel.
sed '/^## Platform/,/^## Core tests/d; s,/tmp/cc[A-Za-z0-9]*\.,/tmp/cc.,g; s/^on .*/on HOST/' config.log
md5sum config.h Makefile bc/Makefile dc/Makefile lib/Makefile
sed 's/^on .*/on HOST/' config.status | md5sum
./config.status --recheck > out 2>&1; echo $?; cat out; ./config.status; echo $?
#: make of what was configured
cp -a /suite/sources/bc b; cd b
./configure --disable-dependency-tracking > /dev/null 2>&1; make -C lib -j2 > out 2>&1; echo $?; sort out; cd dc; make -j2 > out 2>&1; echo $?; sort out
md5sum ../lib/*.o ../lib/*.a *.o dc; echo '2 200 ^ p 9 k 1 3 / p' | ./dc
#: gcc builds lua
cp -a /suite/sources/lua5.4 b; cd b
# As debian/rules does it: its libtool comes from a configure of its own, which autoconf makes first.
mkdir -p debian/libtool/m4; cp debian/configure.ac debian/libtool; cd debian/libtool
ACLOCAL=aclocal-1.16 AUTOMAKE=automake-1.16 LIBTOOLIZE='libtoolize -i' autoreconf -f -i > out 2>&1; echo $?; cat out; wc -l configure; md5sum configure aclocal.m4
./configure > out 2>&1; echo $?; cat out; sed 's/^# Libtool was configured on host.*//' libtool | md5sum; cd ../..
echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' > src/lua5.4-deb-multiarch.h
make linux-readline LIBTOOL="$PWD/debian/libtool/libtool" CC='gcc -std=gnu99' CXX=g++ > out 2>&1; echo $?; cat out
cd src; md5sum *.o .libs/*.o .libs/*.so* .libs/*.a *.la lua5.4 luac5.4; ./lua5.4 -e 'print(_VERSION, 2^53, ("x"):rep(10), string.pack("<i4", 7):byte(1, -1))'; ./lua5.4 -v
./luac5.4 -l - <<'X' | grep -v '^main' | sed 's/0x[0-9a-f]*/ADDRESS/g'
local t = {} for i = 1, 10 do t[i] = i * i end return #t
X
#: C and C++ programs
cat > a.c <<'X'
#include <stdio.h>
#include <math.h>
int main(int argc, char **argv) { printf("%s %.12g\n", argc > 1 ? argv[1] : "none", sqrt(2)); return 3; }
X
for flags in -O0 -O2 '-O2 -static' '-O3 -g -flto' '-Os -fPIC -shared'; do gcc $flags a.c -o a -lm; echo "$flags $?"; md5sum a; ./a "$flags" 2>&1 | sed 's/Segm.*//'; done
cat > b.cc <<'X'
#include <iostream>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
int main() {
  std::map<std::string, int> m; for (auto w : {"a", "b", "a"}) m[w]++;
  try { throw std::runtime_error("thrown"); } catch (const std::exception &e) { std::cout << e.what() << "\n"; }
  std::thread([&] { m["t"] = std::regex_match("abc", std::regex("a.c")); }).join();
  for (auto &[k, v] : m) std::cout << k << "=" << v << "\n";
}
X
g++ -std=c++17 -O1 -pthread b.cc -o b; echo $?; md5sum b; ./b; echo $?
echo 'int main( { }' > bad.c; gcc bad.c; echo $?
gcc -E -dM - < /dev/null | sort | md5sum; gcc -S -O2 a.c -o - | md5sum; gcc -print-search-dirs; objdump -d a | md5sum; nm b | md5sum; strip b; md5sum b
