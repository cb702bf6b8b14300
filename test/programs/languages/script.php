<?php
// PHP as a machine's program: files, regexes, sorting, fibers, generators, child processes, signals. Prints the same wherever it runs; the working directory is empty.
declare(strict_types=1);

// Files
mkdir('tree/a/b', 0755, true); mkdir('tree/c');
for ($n = 1; $n <= 20; $n++) file_put_contents('tree/' . ['a', 'a/b', 'c'][$n % 3] . "/f$n", implode('', array_map(fn($i) => "line $i of $n\n", range(1, $n))));
$sizes = [];
foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator('tree', FilesystemIterator::SKIP_DOTS)) as $path => $file) $sizes[$path] = $file->getSize();
uksort($sizes, fn($a, $b) => $sizes[$b] <=> $sizes[$a] ?: strcmp($a, $b)); foreach ($sizes as $path => $size) echo "$path $size\n";
$f = fopen('tree/a/f3', 'r+'); fseek($f, -5, SEEK_END); echo 'tail: ', fread($f, 5); var_dump(flock($f, LOCK_EX | LOCK_NB)); ftruncate($f, 7); fclose($f); clearstatcache();
printf("%d %o %s\n", filesize('tree/a/f3'), fileperms('tree/a/f3'), file_exists('none') ? 'there' : 'not there');
rename('tree/a/f3', 'tree/moved'); symlink('moved', 'tree/link'); echo readlink('tree/link'), ' ', realpath('tree/link') === realpath('tree/moved') ? 'same' : 'other', "\n";
echo implode(' ', array_map('basename', glob('tree/c/f1*'))), ' ', implode(' ', scandir('tree')), "\n";
touch('tree/moved', 2000, 1000); $s = stat('tree/moved'); echo $s['mtime'], ' ', $s['atime'], ' ', $s['nlink'], "\n";
$t = tmpfile(); fwrite($t, str_repeat('x', 100000)); rewind($t); echo strlen(stream_get_contents($t)), "\n";
$z = gzopen('z', 'w'); gzwrite($z, implode(' ', range(1, 10000))); gzclose($z); echo hash('sha256', implode('', gzfile('z'))), "\n";
file_put_contents('csv', ''); $c = new SplFileObject('csv', 'w+'); $c->fputcsv(['a b', 'c"d', '1,2']); $c->rewind(); echo json_encode($c->fgetcsv()), "\n"; unset($c);
echo @file_get_contents('none/x') === false ? error_get_last()['message'] : 'read', "\n";

// Regexes, sorting, structures
$text = implode(' ', array_map(fn($i) => "key$i=" . $i ** 2 . ($i % 2 ? ';' : ','), range(1, 200)));
echo preg_match_all('/(\w+)=(\d+)/', $text, $m), ' ', array_sum($m[2]), "\n";
preg_match('/\((?:[^()]++|(?R))*\)/', 'f(a(b)(c(d)))e', $m); echo $m[0], ' ', preg_replace_callback('/\d+/', fn($m) => (string)($m[0] * 2), 'a1b22c333'), ' ', preg_match('/^\p{L}+$/u', 'été'), ' ', implode('|', preg_split('/(?<=,)/', 'a,b,c')), "\n";
ini_set('pcre.jit', '0'); echo preg_match('/^(a+)+$/', str_repeat('a', 30)), ' ', preg_last_error_msg(), "\n";
$numbers = array_map(fn($i) => $i * 7919 % 1009, range(1, 30)); sort($numbers); echo implode(' ', $numbers), "\n";
$records = array_map(fn($i) => ['name' => 'n' . $i % 7, 'value' => $i], range(1, 21)); usort($records, fn($a, $b) => [$a['name'], -$a['value']] <=> [$b['name'], -$b['value']]); echo implode(' ', array_map(fn($r) => "$r[name]:$r[value]", $records)), "\n";
echo json_encode(json_decode('{"a":[1,2.5,null,true,"\u00e9"],"b":{"c":{}}}'), JSON_UNESCAPED_UNICODE), ' ', serialize(['a' => [1, 2.5, true, null]]), "\n";
printf("%05.1f|%-6s|%+d|%x|%e %s\n", 3.14159, 'ab', 7, 255, 12345.678, number_format(1234567.891, 2)); echo intdiv(-7, 2), ' ', -7 % 3, ' ', fmod(7.5, 2), ' ', PHP_INT_MAX + 1, ' ', 0.1 + 0.2, "\n";
enum Suit: string { case Hearts = 'H'; case Spades = 'S'; public static function all(): string { return implode(',', array_map(fn($c) => $c->name, self::cases())); } }
echo Suit::all(), ' ', Suit::from('S')->name, ' ', (function (int ...$n): int { return array_sum($n); })(...[1, 2, 3]), ' ', match (true) { 1 > 2 => 'more', default => 'less' }, "\n";
try { (fn(int $x) => $x)('text'); } catch (TypeError $e) { echo get_class($e), "\n"; }
$heap = new SplPriorityQueue; foreach ([3, 1, 2] as $n) $heap->insert("p$n", $n); while (!$heap->isEmpty()) echo $heap->extract(), ' '; echo "\n";
mt_srand(42); echo mt_rand(), ' ', mt_rand(1, 100), ' ', crc32('abc'), ' ', bin2hex(pack('NvC*', 1, 2, 3, 4)), ' ', md5(str_repeat('a', 100000)), ' ', password_verify('p', password_hash('p', PASSWORD_BCRYPT, ['cost' => 4])) ? 'ok' : 'no', "\n";

// Generators and fibers
function fibonacci() { [$a, $b] = [0, 1]; while (true) { $reset = yield $a; [$a, $b] = $reset ? [0, 1] : [$b, $a + $b]; } }
$g = fibonacci(); $list = []; foreach ($g as $n) { if ($n > 500) break; $list[] = $n; } echo implode(' ', $list), ' ', $g->send(true), "\n";
$fibers = array_map(fn($i) => new Fiber(function () use ($i) { $sum = 0; while (($x = Fiber::suspend($sum)) !== null) $sum += $x * $i; return $sum; }), range(1, 200));
foreach ($fibers as $fiber) $fiber->start(); for ($x = 1; $x <= 5; $x++) foreach ($fibers as $fiber) $fiber->resume($x);
foreach ($fibers as $fiber) $fiber->resume(null); echo array_sum(array_map(fn($f) => $f->getReturn(), $fibers)), "\n";
gc_collect_cycles(); $cycle = new stdClass; $cycle->self = $cycle; unset($cycle); echo gc_collect_cycles(), "\n";

// Child processes, signals
echo shell_exec('echo from a shell'); exec('echo one; echo two; exit 3', $out, $status); echo implode(',', $out), " $status\n";
$p = proc_open(['sort', '-rn'], [['pipe', 'r'], ['pipe', 'w'], ['file', '/dev/null', 'w']], $pipes); fwrite($pipes[0], "3\n11\n2\n"); fclose($pipes[0]); echo str_replace("\n", ' ', stream_get_contents($pipes[1])); echo proc_close($p), "\n";
$children = []; for ($n = 1; $n <= 8; $n++) { $pid = pcntl_fork(); if ($pid === 0) { posix_kill(posix_getpid(), $n === 8 ? SIGKILL : 0); exit($n); } $children[$pid] = $n; }
$ended = []; while (($pid = pcntl_wait($status)) > 0) $ended[$children[$pid]] = pcntl_wifexited($status) ? pcntl_wexitstatus($status) : 'signal ' . pcntl_wtermsig($status); ksort($ended); echo json_encode($ended), "\n";
pcntl_async_signals(true); pcntl_signal(SIGUSR1, function ($n) { echo "got $n\n"; }); posix_kill(posix_getpid(), SIGUSR1);
pcntl_signal(SIGALRM, function () { echo "alarm\n"; }); pcntl_alarm(1); $before = microtime(true); sleep(30); echo microtime(true) - $before < 25 ? "woken\n" : "late\n";
[$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); if (pcntl_fork() === 0) { fclose($a); fwrite($b, strtoupper(fgets($b))); exit(0); } fclose($b); fwrite($a, "hello\n"); echo fgets($a); pcntl_wait($status);
$server = stream_socket_server('tcp://127.0.0.1:0'); $client = stream_socket_client('tcp://' . stream_socket_get_name($server, false)); $peer = stream_socket_accept($server); fwrite($client, "over tcp\n"); $read = [$peer]; $w = $e = null; echo stream_select($read, $w, $e, 5), ' ', fgets($peer);
echo passthru('kill -9 $$', $status) === null ? 'null' : 'other', " $status\n";
register_shutdown_function(function () { echo "shutdown\n"; exit(5); });
function deep(int $n): int { return $n === 0 ? 0 : 1 + deep($n - 1); } echo deep(20000), "\n";
throw new LogicException('uncaught');
