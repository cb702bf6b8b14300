# Tcl as a machine's program: files, regexes, sorting, coroutines, events, child processes, sockets. Prints the same wherever it runs; the working directory is empty.
fconfigure stdout -buffering line

proc range {from to} { set all {}; for {set i $from} {$i <= $to} {incr i} { lappend all $i }; return $all }

# Files
file mkdir tree/a/b tree/c
for {set n 1} {$n <= 20} {incr n} {
    set f [open tree/[lindex {a a/b c} [expr {$n % 3}]]/f$n w]
    for {set i 1} {$i <= $n} {incr i} { puts $f "line $i of $n" }
    close $f
}
proc walk {folder} { set all {}; foreach path [lsort [glob -nocomplain -directory $folder *]] { if {[file isdirectory $path]} { lappend all {*}[walk $path] } else { lappend all [list $path [file size $path]] } }; return $all }
foreach pair [lsort -integer -decreasing -index 1 [walk tree]] { puts $pair }
set f [open tree/a/f3 r+]; seek $f -5 end; puts "tail: [read -nonewline $f]"; chan truncate $f 7; close $f; puts "[file size tree/a/f3] [file exists none] [file attributes tree/a/f3 -permissions]"
file rename tree/a/f3 tree/moved; file link -symbolic tree/link moved; puts "[file readlink tree/link] [file type tree/link]"; file mtime tree/moved 2000; puts [file mtime tree/moved]
puts [catch {open none/x w} message options]; puts $message; puts [lrange [dict get $options -errorcode] 0 1]
set f [file tempfile name]; fconfigure $f -translation binary; puts -nonewline $f [string repeat x 100000]; close $f; puts [file size $name]; file delete $name
set f [open z wb]; puts -nonewline $f [zlib gzip [join [range 1 10000] " "]]; close $f
set f [open z rb]; puts [string length [zlib gunzip [read $f]]]; close $f; file copy tree copy; puts [lsort [glob -tails -directory copy *]]; file delete -force tree copy; puts [file exists tree]
set f [open latin w]; fconfigure $f -encoding iso8859-1; puts $f \u00e9t\u00e9; close $f; puts [file size latin]; set f [open latin]; fconfigure $f -encoding iso8859-1; puts [string length [gets $f]]; close $f

# Regexes, sorting, structures
set text [join [lmap i [range 1 200] { format "key%d=%d%s" $i [expr {$i ** 2}] [expr {$i % 2 ? ";" : ","}] }]]
puts "[regexp -all {(\w+)=(\d+)} $text] [tcl::mathop::+ {*}[lmap {all key value} [regexp -all -inline {(\w+)=(\d+)} $text] { set value }]]"
puts "[regsub -all {\d+} a1b22c333 <&>] [regexp -inline {^(\w)(?=b)} ab] [regexp -nocase {^[[:alpha:]]+$} ABC] [string map {a 1 b 22} abcab] [scan 0x1f-7 %x%d]"
puts [lsort -integer [lmap i [range 1 30] { expr {$i * 7919 % 1009} }]]; puts [lsort -dictionary {a10 a9 A2 b1}]; puts [lsort -command {apply {{a b} { expr {[string length $a] - [string length $b]} }}} {ccc a bb dddd}]
set d [dict create a 1 b {x 2}]; dict set d b y 3; dict incr d a 5; puts $d; puts [expr {2 ** 200}] ; puts [format %05.1f|%-6s|%+d|%x|%e 3.14159 ab 7 255 12345.678]; puts "[expr {-7 / 2}] [expr {-7 % 3}] [expr {7.5 / 2}] [expr {0.1 + 0.2}]"
puts "[string toupper \u00e9] [encoding convertto utf-8 \u20ac] [binary encode hex [binary format Sic* 1 2 {3 4}]] [clock format 86400 -format {%Y-%m-%d %H:%M:%S} -gmt 1] [string is integer 12x]"
oo::class create Stack { variable items; constructor {} { set items {} }; method push x { lappend items $x; return [self] }; method pop {} { set x [lindex $items end]; set items [lrange $items 0 end-1]; return $x }; destructor { puts destroyed } }
set s [Stack new]; $s push 1; $s push 2; puts [$s pop]; $s destroy

# Coroutines, events
proc fibonacci {} { yield; lassign {0 1} a b; while 1 { yield $a; lassign [list $b [expr {$a + $b}]] a b } }
coroutine next fibonacci; puts [lmap i [range 1 20] { next }]
for {set i 1} {$i <= 500} {incr i} { coroutine c$i apply {i { set sum 0; while {[set x [yield $sum]] ne "end"} { incr sum [expr {$x * $i}] }; return $sum }} $i }
for {set x 1} {$x <= 5} {incr x} { for {set i 1} {$i <= 500} {incr i} { c$i $x } }; set total 0; for {set i 1} {$i <= 500} {incr i} { incr total [c$i end] }; puts $total
after idle { lappend order idle; set rested 1 }; vwait rested; after 30 { lappend order 30 }; after 10 { lappend order 10 }; after 60 { set done 1 }; vwait done; puts $order
puts [catch { proc deep {n} { if {$n == 0} { return 0 }; expr {1 + [deep [expr {$n - 1}]]} }; deep 500 } result]; puts $result; try { error broken } trap {} {m o} { puts $m } finally { puts finally }
set child [interp create -safe]; puts [catch { $child eval { open /etc/passwd } } message]; puts $message; puts [$child eval { expr {6 * 7} }]; interp delete $child

# Child processes, sockets
puts [exec sort -rn << "3\n11\n2\n" | tr \n " "]; puts [catch { exec sh -c {echo out; echo err >&2; exit 3} } message options]; puts $message; puts [lindex [dict get $options -errorcode] 2]
puts [catch { exec sh -c {kill -9 $$} } message options]; puts [lindex [dict get $options -errorcode] 2]; puts [catch { exec /none } message]; puts $message
set p [open |[list sh -c {while read x; do echo "<$x>"; done; exit 4}] r+]; fconfigure $p -buffering line; puts $p hello; puts [gets $p]; close $p write; puts [catch { close $p } message options]; puts [lindex [dict get $options -errorcode] 2]
set lines {}; set p [open |[list seq 1 5]]; fileevent $p readable { if {[gets $p line] < 0} { set ended 1 } else { lappend lines $line } }; vwait ended; close $p; puts $lines
set server [socket -server {apply {{channel address port} { fconfigure $channel -buffering line; fileevent $channel readable [list apply {{c} { if {[gets $c line] >= 0} { puts $c [string reverse $line] } else { close $c } }} $channel] }}} -myaddr 127.0.0.1 0]
set client [socket 127.0.0.1 [lindex [fconfigure $server -sockname] 2]]; fconfigure $client -buffering line; puts $client abc; fileevent $client readable { set answer [gets $client] }; vwait answer; puts $answer; close $client; close $server
puts [string is integer [pid]]; exit 5
