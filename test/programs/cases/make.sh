#!/bin/bash
#: make
cat > Makefile <<'M'
SRC := $(wildcard *.in)
OUT := $(SRC:.in=.out)
X ?= default
all: $(OUT) sub total
%.out: %.in
	@sleep 0.02; tr a-z A-Z < $< > $@
total: $(OUT)
	@cat $(sort $^) > $@; echo made $@ $(words $^)
sub:
	@$(MAKE) --no-print-directory -C dir X=$(X)
fail:
	@echo before; exit 3
ignore:
	-@false
	@echo went on
print: ; @echo '$(X) $(shell echo shell) $(subst a,b,banana) $(patsubst %.in,%.o,a.in) $(firstword x y) $(if 1,yes) $(foreach i,1 2,<$i>) $(call f,1) $(origin X)'
f = f($1)
.PHONY: all sub fail ignore print
M
mkdir dir; printf 'all: a b c d\na b c d:\n\t@sleep 0.1; echo $(X) $@ > $@\nend: all\n\t@cat a b c d\n' > dir/Makefile
for i in $(seq 30); do echo content $i > f$i.in; done; RANDOM=1
make -j4 | sort; echo ${PIPESTATUS[0]}; md5sum total; cat dir/a; make -j4 | grep -v sub; touch f3.in; make -n total | tail -n 1; make -s print X=set; make -s print; make fail; echo $?; make -k fail ignore; echo $?; make ignore 2>/dev/null; make nothing; echo $?; make -q total; echo $?; make -C dir -j8 end; make -pn 2>/dev/null | grep -c '^# Implicit'; make -f - <<< $'a:\n\t@echo from stdin'; make --version | head -n 1
make -j3 -f - <<'M' | sort
all: $(foreach i,1 2 3 4 5 6 7 8 9 10,r$i)
	@echo all
r%: ; +@$(MAKE) --no-print-directory -f - t$* <<< 't%: ; @sleep 0.02; echo recursive $$*' 
SHELL=/bin/bash
M
make -j2 -O -f - <<'M'
all: a b
a: ; @echo a1; sleep 0.2; echo a2
b: ; @sleep 0.1; echo b1; sleep 0.3; echo b2
M
printf 'x:\n\t@touch x; sleep 5\n' > int.mk; timeout -s INT 0.4 make -f int.mk; echo $?; ls x
#: jobserver with many
cat > m2 <<'M'
N := $(shell seq 30)
all: $(N:%=o%)
	@ls o* | wc -l
o%: ; @sh -c 'echo $* | cksum' > $@
M
make -j4 -f m2; rm o*; make -j16 -f m2; rm o*; make -j -f m2; rm o*; make -l 100 -j2 -f m2
