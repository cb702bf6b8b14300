#!/bin/dash
#: perl
perl /suite/languages/script.pl; echo $?
#: ruby
ruby /suite/languages/script.rb; echo $?
#: lua
lua5.4 /suite/languages/script.lua; echo $?
#: php
php8.2 -n -d extension=posix -d error_log= -d display_errors=1 /suite/languages/script.php; echo $?
#: tcl
tclsh8.6 /suite/languages/script.tcl; echo $?
#: guile
GUILE_AUTO_COMPILE=0 guile-3.0 --no-auto-compile -s /suite/languages/script.scm; echo $?
