;;; Guile as a machine's program: files, regexes, sorting, threads, continuations, child processes. Prints the same wherever it runs; the working directory is empty.
(use-modules (ice-9 atomic) (ice-9 control) (ice-9 format) (ice-9 ftw) (ice-9 futures) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports) (ice-9 threads)
             (rnrs bytevectors) (srfi srfi-1) (srfi srfi-9) (srfi srfi-41))
(setvbuf (current-output-port) 'line)
(define (say . items) (for-each (lambda (item) (display item) (display " ")) items) (newline))

;; Files
(for-each mkdir '("tree" "tree/a" "tree/a/b" "tree/c"))
(do ((n 1 (1+ n))) ((> n 20))
  (call-with-output-file (format #f "tree/~a/f~a" (list-ref '("a" "a/b" "c") (modulo n 3)) n)
    (lambda (port) (do ((i 1 (1+ i))) ((> i n)) (format port "line ~a of ~a\n" i n)))))
(define files '())
(nftw "tree" (lambda (name stat flag base level) (when (eq? flag 'regular) (set! files (cons (cons name (stat:size stat)) files))) #t))
(for-each (lambda (file) (say (car file) (cdr file)))
          (sort files (lambda (a b) (or (> (cdr a) (cdr b)) (and (= (cdr a) (cdr b)) (string<? (car a) (car b)))))))
(let ((port (open-file "tree/a/f3" "r+")))
  (seek port -5 SEEK_END) (display (get-string-all port)) (flock port LOCK_EX) (truncate-file port 7) (close port))
(say (stat:size (stat "tree/a/f3")) (number->string (stat:perms (stat "tree/a/f3")) 8) (file-exists? "none"))
(rename-file "tree/a/f3" "tree/moved") (symlink "moved" "tree/link") (say (readlink "tree/link") (stat:type (lstat "tree/link")))
(utime "tree/moved" 1000 2000) (say (stat:atime (stat "tree/moved")) (stat:mtime (stat "tree/moved")) (scandir "tree"))
(say (catch 'system-error (lambda () (open-input-file "none/x")) (lambda (key . arguments) (strerror (system-error-errno (cons key arguments))))))
(call-with-output-file "utf" (lambda (port) (set-port-encoding! port "UTF-8") (display "été €\n" port))) (say (stat:size (stat "utf")))

;; Regexes, sorting, numbers
(define text (string-join (map (lambda (i) (format #f "key~a=~a~a" i (* i i) (if (odd? i) ";" ","))) (iota 200 1))))
(define pairs (map (lambda (m) (string->number (match:substring m 2))) (list-matches "([a-z0-9]+)=([0-9]+)" text)))
(say (length pairs) (apply + pairs) (regexp-substitute/global #f "[0-9]+" "a1b22c333" 'pre (lambda (m) (* 2 (string->number (match:substring m)))) 'post))
(say (sort (map (lambda (i) (modulo (* i 7919) 1009)) (iota 30 1)) <)) (say (stable-sort '("ccc" "a" "bb" "dd") (lambda (a b) (< (string-length a) (string-length b)))))
(say (expt 2 200) (/ 1 3) (+ 1/3 1/6) (exact->inexact 1/3) (sqrt -4) (inexact->exact (floor 2.7)) (number->string 255 16) (quotient -7 2) (modulo -7 3)) (format #t "~5,2f|~6a|~x|~e|~:d\n" 3.14159 "ab" 255 12345.678 1234567)
(define-record-type point (make-point x y) point? (x point-x) (y point-y))
(say (match '(1 (2 3) . 4) ((a (b c) . d) (list d c b a))) (point-x (make-point 1 2)) (fold cons '() '(1 2 3)) (delete-duplicates '(1 2 1 3)) (bytevector->u8-list (string->utf8 "é")))
(say (stream->list (stream-take 15 (let next ((a 0) (b 1)) (stream-cons a (next b (+ a b)))))) (let loop ((n 1000000) (sum 0)) (if (zero? n) sum (loop (1- n) (+ sum n)))))
(define (deep n) (if (zero? n) 0 (1+ (deep (1- n))))) (say (deep 200000)) (gc) (say (> (assq-ref (gc-stats) 'gc-times) 0))

;; Continuations, errors
(define saved #f) (define times 0) (say (+ 1 (call/cc (lambda (k) (set! saved k) 1)))) (set! times (1+ times)) (when (< times 3) (saved times))
(define (make-generator tree) (define return #f) (lambda () (call/ec (lambda (out) (set! return out) (reset (let walk ((t tree)) (cond ((pair? t) (walk (car t)) (walk (cdr t))) ((null? t) #f) (else (shift k (return t)))))) 'end))))
(say ((make-generator '(1 (2 3))))) (define tag (make-prompt-tag)) (say (call-with-prompt tag (lambda () (+ 1 (abort-to-prompt tag 5))) (lambda (k v) (* v (k 10)))))
(say (catch #t (lambda () (vector-ref (vector 1 2) 5)) (lambda (key . rest) key)) (with-exception-handler (lambda (e) 'handled) (lambda () (error "raised")) #:unwind? #t)) (dynamic-wind (lambda () (display "in ")) (lambda () (display "body ")) (lambda () (say "out")))

(let* ((ends (pipe)) (child (primitive-fork))) (cond ((zero? child) (close (car ends)) (display "from child" (cdr ends)) (force-output (cdr ends)) (primitive-_exit 7)) (else (close (cdr ends)) (say (get-string-all (car ends)) (status:exit-val (cdr (waitpid child)))))))

;; Threads
(define count 0) (define mutex (make-mutex)) (define box (make-atomic-box 0))
(for-each join-thread (map (lambda (i) (call-with-new-thread (lambda () (do ((j 0 (1+ j))) ((= j 1000)) (with-mutex mutex (set! count (1+ count))))))) (iota 8))) (say count)
(say (par-map (lambda (x) (* x x)) (iota 10)) (touch (future (+ 1 2))) (parallel (+ 1 1) (+ 2 2)))
(define ready (make-condition-variable)) (define value #f) (define waiting (call-with-new-thread (lambda () (with-mutex mutex (while (not value) (wait-condition-variable ready mutex)) (* value 2)))))
(with-mutex mutex (set! value 21) (signal-condition-variable ready)) (say (join-thread waiting))

;; Child processes, signals, sockets
(say (status:exit-val (system "exit 3")) (status:term-sig (system "kill -9 $$")) (status:exit-val (system* "/bin/false")))
(let* ((port (open-input-pipe "echo from a shell; exit 4")) (line (read-line port))) (say line (status:exit-val (close-pipe port))))
(let ((port (open-output-pipe "sort -rn | tr '\\n' ' '"))) (display "3\n11\n2\n" port) (close-pipe port)) (newline) (force-output)
(define caught #f) (sigaction SIGUSR1 (lambda (n) (set! caught n))) (kill (getpid) SIGUSR1) (let loop ((tries 0)) (unless (or caught (> tries 1000)) (usleep 1000) (loop (1+ tries)))) (say caught)
(let* ((server (socket PF_INET SOCK_STREAM 0)) (client (socket PF_INET SOCK_STREAM 0)))
  (bind server AF_INET INADDR_LOOPBACK 0) (listen server 1)
  (let ((thread (call-with-new-thread (lambda () (let ((peer (car (accept server)))) (display (string-reverse (read-line peer)) peer) (newline peer) (close peer))))))
    (connect client AF_INET INADDR_LOOPBACK (sockaddr:port (getsockname server))) (display "abc\n" client) (force-output client) (say (read-line client)) (join-thread thread)))
(exit 5)
