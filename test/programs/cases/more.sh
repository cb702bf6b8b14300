#!/bin/bash
#: emacs
emacs-nox --batch -Q --eval '(progn (princ (format "%s %d\n" emacs-major-version (+ 1 2))) (find-file "e.txt") (insert "hello\n") (save-buffer) (princ (buffer-string))
  (princ (shell-command-to-string "echo sub; cat e.txt")) (princ (file-attribute-size (file-attributes "e.txt"))) (princ (length (directory-files ".")))
  (let ((p (make-process :name "x" :command (list "cat") :connection-type (quote pipe)))) (process-send-string p "abc\n") (accept-process-output p 60) (princ (process-status p))))'; echo
#: sbcl
sbcl --noinform --no-sysinit --no-userinit --non-interactive --eval '(progn (print (loop for i below 100000 sum i)) (print (expt 2 200)) (print (handler-case (/ 1 0) (division-by-zero () :div)))
  (print (length (loop repeat 200000 collect (make-string 10)))) (gc :full t) (print (sb-thread:join-thread (sb-thread:make-thread (lambda () 42))))
  (print (handler-case (car 1) (type-error () :type))) (print (sb-ext:process-exit-code (sb-ext:run-program "/bin/echo" (list "run")))))'
sbcl --noinform --no-sysinit --no-userinit --non-interactive --eval '(labels ((f (n) (+ 1 (f n)))) (handler-case (f 1) (storage-condition () (print :deep))))' 2>/dev/null; echo
#: ocaml
cat > a.ml <<'END'
let () = Printf.printf "%d %s\n" (List.fold_left (+) 0 [1;2;3]) (String.uppercase_ascii "abc");
  let rec f n = 1 + f n in (try ignore (f 1) with Stack_overflow -> print_endline "overflow");
  let oc = open_out "o.txt" in output_string oc "hi"; close_out oc; print_int (in_channel_length (open_in "o.txt")); print_newline (); Gc.compact (); exit 3
END
ocaml a.ml; echo $?
ocamlc -o a.out a.ml && ./a.out; echo $?
ocamlopt -o b.out a.ml && ./b.out; echo $?
#: prolog, scheme, assembler
swipl -g 'numlist(1,100,L),sumlist(L,S),print(S),nl,thread_create(true,I),thread_join(I,R),print(R),nl,catch(atom_length(_,_),error(E,_),(print(E),nl)),halt' -t halt
csi -e '(print (map (lambda (x) (* x x)) (list 1 2 3)))'
printf 'global _start\nsection .text\n_start: mov eax,60\nmov edi,7\nsyscall\n' > n.asm
nasm -f elf64 n.asm -o n.o; cksum n.o
#: pictures and sound
convert-im6.q16 -size 100x80 gradient:red-blue -rotate 30 -blur 2 -resize 50% x.ppm; cksum x.ppm
convert-im6.q16 x.ppm -quality 80 x.jpg; convert-im6.q16 x.ppm x.gif; cksum x.gif x.jpg
ffmpeg -v error -f lavfi -i testsrc=d=0.4:s=64x48:r=10 -f framemd5 -
ffmpeg -v error -f lavfi -i sine=d=0.3 -c:a flac -bitexact a.flac; cksum a.flac
gnuplot-nox -e 'set term dumb 40 10; plot sin(x)'
gs -q -sDEVICE=ppmraw -r20 -o gs.ppm -c 'newpath 10 10 moveto 100 200 lineto stroke showpage'; cksum gs.ppm
#: mariadb
grep -q mysql /etc/passwd || echo mysql:x:106:110::/nonexistent:/bin/false >> /etc/passwd
mkdir -p /run/mysqld /var/lib/m; chown -R 106 /run/mysqld /var/lib/m
mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/m --auth-root-authentication-method=normal --skip-test-db > install.log 2>&1; echo $?
/usr/sbin/mariadbd --no-defaults --user=mysql --datadir=/var/lib/m --socket=/run/mysqld/s --skip-networking --innodb-buffer-pool-size=16M > server.log 2>&1 &
until mariadb -S /run/mysqld/s -e 'select 1' > /dev/null 2>&1; do kill -0 $! || break; sleep 0.3; done
mariadb -S /run/mysqld/s -e 'create database d; use d; create table t(a int primary key, b text) engine=innodb; insert into t select seq, repeat("x", seq) from seq_1_to_300;
  select count(*), sum(length(b)) from t; begin; delete from t where a > 100; rollback; select count(*) from t; create index i on t(b(10)); check table t;
  update t set b = "y" where a < 10; select group_concat(a) from t where b = "y"' 2>&1
mariadb-admin -S /run/mysqld/s shutdown; wait; echo $?; grep ERROR server.log || echo no errors
#: fio, by each way to read and write
for engine in libaio posixaio mmap sync pvsync2 splice; do
  fio --minimal --name=x --ioengine=$engine --directory=. --size=1m --bs=8k --rw=randrw --iodepth=8 --verify=crc32c --fsync=16 --numjobs=2 2> /dev/null | cut -d';' -f3,5,6
done
ls -s x.0.0 x.1.0
