# Perl as a machine's program: files, regexes, sorting, child processes, signals, threads, sockets. Prints the same wherever it runs; the working directory is empty.
use strict;
use warnings;
use threads;
use threads::shared;
use Thread::Queue;
use Fcntl qw(:flock :seek :mode);
use File::Find;
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempfile);
use IO::Handle;
use IO::Select;
use List::Util qw(sum reduce shuffle);
use POSIX qw(:sys_wait_h);
use Socket;
use Time::HiRes qw(sleep time);
$| = 1;

# Files
make_path('tree/a/b', 'tree/c');
for my $n (1 .. 20) {
    open my $f, '>', "tree/" . (qw(a a/b c))[$n % 3] . "/f$n" or die $!;
    print $f "line $_ of $n\n" for 1 .. $n;
    close $f;
}
my %size;
find(sub { $size{$File::Find::name} = -s if -f }, 'tree');
print "$_ $size{$_}\n" for sort { $size{$b} <=> $size{$a} || $a cmp $b } keys %size;
open my $f, '+<', 'tree/a/f3' or die $!;
seek $f, -5, SEEK_END; read $f, my $tail, 5; print "tail: $tail";
flock $f, LOCK_EX or die; truncate $f, 7; close $f;
printf "%s %o %s\n", -s 'tree/a/f3', S_IMODE((stat 'tree/a/f3')[2]), -e 'none' ? 'there' : "not there: $!";
rename 'tree/a/f3', 'tree/moved' or die; symlink 'moved', 'tree/link'; print readlink('tree/link'), ' ', -l 'tree/link' ? 1 : 0, "\n";
print join(' ', map { s{.*/}{}r } sort glob 'tree/c/f1*'), "\n";
utime 1000, 2000, 'tree/moved'; print join(' ', (stat 'tree/moved')[8, 9]), "\n";
opendir my $d, 'tree' or die; print join(' ', sort grep { !/^\./ } readdir $d), "\n"; closedir $d;
my ($temporary, $name) = tempfile(UNLINK => 1); print $temporary "x" x 100_000; close $temporary; print -s $name, "\n";
open my $latin, '>:encoding(latin1)', 'l' or die; print $latin "\x{e9}t\x{e9}\n"; close $latin;
open my $utf, '<:encoding(latin1)', 'l' or die; my $l = <$utf>; print length $l, ' ', -s 'l', "\n";
remove_tree('tree'); print -e 'tree' ? "there\n" : "gone\n";

# Regexes and text
my $text = join ' ', map { "key$_=" . $_ ** 2 . ($_ % 2 ? ';' : ',') } 1 .. 200;
my %pairs = $text =~ /(\w+)=(\d+)/g; print scalar(keys %pairs), ' ', sum(values %pairs), "\n";
print join('|', 'a1b22c333' =~ /(?<letter>[a-z])(\d+)(?{ 1 })/g), "\n";
my $nested = qr/\((?:[^()]++|(?R))*\)/; print "$&\n" if 'f(a(b)(c(d)))e' =~ $nested;
print join(',', split /(?<=,)|(?=\d)/, 'a,b1c2'), ' ', 'Hello World' =~ tr/a-z//, ' ', ucfirst lc 'ABC', "\n";
print "caf\x{e9}" =~ /^\w+$/u ? "word\n" : "no\n", scalar reverse('olleh'), ' ', sprintf('%05.1f|%-6s|%+d|%x|%e', 3.14159, 'ab', 7, 255, 12345.678), "\n";
(my $copy = $text) =~ s/key(\d+)=(\d+)/$1 + $2/ge; print length $copy, ' ', unpack('%32C*', $copy), "\n";
print join(' ', sort { $a <=> $b } map { $_ * 7919 % 1009 } 1 .. 30), "\n";
my @records = map { { name => "n" . $_ % 7, value => $_ } } 1 .. 21;
print join(' ', map { "$_->{name}:$_->{value}" } sort { $a->{name} cmp $b->{name} or $b->{value} <=> $a->{value} } @records), "\n";
format STDOUT =
@<<<<<< @>>>>> @##.##
'left', 'right', 3.14159
.
write;

# Child processes
print `echo from a shell; exit 3`, $? >> 8, "\n";
open my $sort, '|-', 'sort', '-rn' or die; print $sort "$_\n" for 3, 11, 2; close $sort; print "status $?\n";
pipe my $r, my $w; my $pid = fork // die;
if (!$pid) { close $r; print $w "from child\n"; close $w; POSIX::_exit(7) }
close $w; print <$r>; waitpid $pid, 0; print WEXITSTATUS($?), "\n";
my %children = map { my $n = $_; my $p = fork; POSIX::_exit($n) if !$p; ($p => $n) } 1 .. 8;
my %ended; while ((my $p = wait) > 0) { $ended{ $children{$p} } = $? >> 8 } print join(' ', map { "$_=$ended{$_}" } sort keys %ended), "\n";
system('kill -9 $$'); print $? & 127, "\n"; system('/none'); print "$?: $!\n";
socketpair my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
if (!($pid = fork)) { close $here; while (my $line = <$there>) { print $there uc $line; $there->flush } POSIX::_exit(0) }
close $there; print $here "hello\n"; $here->flush; print scalar <$here>; shutdown $here, 1; waitpid $pid, 0; print "ended $?\n";

# Signals and time
{
    local $SIG{USR1} = sub { print "got $_[0]\n" }; kill USR1 => $$;
    local $SIG{ALRM} = sub { die "alarm\n" }; eval { Time::HiRes::alarm(0.05); sleep 10 }; print "died: $@";
    local $SIG{CHLD} = 'IGNORE'; my $p = fork; POSIX::_exit(0) if !$p; print waitpid($p, 0), "\n";
}
local $SIG{__WARN__} = sub { print "warned: $_[0]" }; my $undefined; my $x = "a$undefined";
eval { my @a = (1); $a[0]->method }; print $@ =~ /^Can't locate object method/ ? "no method\n" : $@;

# Threads
my $total : shared = 0;
my $queue = Thread::Queue->new(1 .. 40); $queue->end;
my @threads = map { threads->create(sub { my $n = 0; while (defined(my $i = $queue->dequeue)) { $n++; lock $total; $total += $i } $n }) } 1 .. 4;
print sum(map { $_->join } @threads), " $total\n";
print threads->create({ context => 'list' }, sub { map { $_ ** 2 } 1 .. 5 })->join, "\n";
my $failed = threads->create(sub { local $SIG{__WARN__} = sub { }; die "in a thread\n" }); $failed->join; print $failed->error;
