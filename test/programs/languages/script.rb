# Ruby as a machine's program: files, regexes, sorting, threads, fibers, child processes, signals. Prints the same wherever it runs; the working directory is empty.
require 'digest'
require 'fileutils'
require 'json'
require 'open3'
require 'set'
require 'socket'
require 'stringio'
require 'tempfile'
require 'timeout'
require 'zlib'
$stdout.sync = true

# Files
FileUtils.mkdir_p(%w[tree/a/b tree/c])
1.upto(20) { |n| File.write("tree/#{%w[a a/b c][n % 3]}/f#{n}", (1..n).map { |i| "line #{i} of #{n}\n" }.join) }
Dir.glob('tree/**/*').select { |p| File.file?(p) }.sort_by { |p| [-File.size(p), p] }.each { |p| puts "#{p} #{File.size(p)}" }
File.open('tree/a/f3', 'r+') { |f| f.seek(-5, IO::SEEK_END); print 'tail: ', f.read; f.flock(File::LOCK_EX); f.truncate(7) }
puts File.size('tree/a/f3'), File.stat('tree/a/f3').mode.to_s(8), File.exist?('none')
File.rename('tree/a/f3', 'tree/moved'); File.symlink('moved', 'tree/link'); puts File.readlink('tree/link'), File.realpath('tree/link') == File.realpath('tree/moved')
begin File.open('none/x', 'w') rescue puts "#{$!.class}: #{$!.message}" end
Tempfile.create('t') { |f| f.write('x' * 100_000); f.flush; puts File.size(f.path) }
File.binwrite('z', Zlib.gzip((1..10_000).to_a.join(' '))); puts Zlib.gunzip(File.binread('z')).length, Digest::SHA256.hexdigest(Zlib.gunzip(File.binread('z')))
FileUtils.cp_r('tree', 'copy'); puts Dir.children('copy').sort.join(' '); FileUtils.rm_rf(%w[tree copy]); puts Dir.exist?('tree')

# Regexes, sorting, structures
text = (1..200).map { |i| "key#{i}=#{i**2}#{i.odd? ? ';' : ','}" }.join(' ')
pairs = text.scan(/(\w+)=(\d+)/).to_h; puts pairs.size, pairs.values.sum(&:to_i)
puts 'f(a(b)(c(d)))e'[/\((?:[^()]|\g<0>)*\)/], 'a1b22c333'.gsub(/(?<d>\d+)/) { $~[:d].to_i * 2 }, 'été'.bytes.size, 'ÉTÉ'.downcase, 'x'.encode('UTF-16LE').bytes.inspect
puts (1..30).map { |i| i * 7919 % 1009 }.sort.join(' '), (1..21).map { |i| ["n#{i % 7}", i] }.sort { |a, b| [a[0], -a[1]] <=> [b[0], -b[1]] }.map { |a| a.join(':') }.join(' ')
puts JSON.generate(JSON.parse('{"a":[1,2.5,null,true,"\u00e9"],"b":{"c":{}}}')), Set.new([3, 1, 3]).sort.inspect, (2**200).to_s, Rational(1, 3) + Rational(1, 6), format('%05.1f|%-6s|%+d|%x|%e', 3.14159, 'ab', 7, 255, 12345.678)
Point = Struct.new(:x, :y); case { at: Point.new(1, 2) }
in { at: [x, y] } then puts x + y
end
puts ObjectSpace.count_objects.key?(:TOTAL), Marshal.load(Marshal.dump({ a: [1, :b, 'c'] })).inspect, Comparable.instance_method(:clamp).owner

# Threads, fibers
queue = Queue.new; results = Queue.new
workers = 4.times.map { Thread.new { while (n = queue.pop) != :end do results << n * n end } }
(1..100).each { |n| queue << n }; 4.times { queue << :end }; workers.each(&:join)
sum = 0; sum += results.pop until results.empty?; puts sum
mutex = Mutex.new; count = 0; 8.times.map { Thread.new { 1000.times { mutex.synchronize { count += 1 } } } }.each(&:join); puts count
fibers = Fiber.new { |x| loop { x = Fiber.yield(x * 2) } }; puts [1, 2, 3].map { |n| fibers.resume(n) }.join(' ')
fibonacci = Enumerator.new { |y| a, b = 0, 1; loop { y << a; a, b = b, a + b } }; puts fibonacci.lazy.select(&:even?).first(10).join(' ')
begin Timeout.timeout(0.05) { sleep 10 } rescue puts $!.class end
begin Thread.new { Thread.current.report_on_exception = false; raise 'in a thread' }.join rescue puts $!.message end
$VERBOSE = nil; puts Ractor.new { Ractor.receive * 2 }.send(21).take
puts [1, 2, 3].each_slice(2).to_a.inspect, ObjectSpace.garbage_collect.inspect, 200_000.times.map { |i| 'x' * (i % 10) }.sum(&:length)

# Child processes, signals, sockets
puts `echo from a shell; exit 3`, $?.exitstatus
out, err, status = Open3.capture3('cat; echo err >&2; exit 4', stdin_data: 'to stdin'); puts out, err, status.exitstatus
r, w = IO.pipe; pid = fork { r.close; w.puts 'from child'; exit!(7) }; w.close; puts r.read; Process.wait(pid); puts $?.exitstatus
pids = (1..8).map { |n| [fork { exit!(n) }, n] }.to_h; puts Process.waitall.map { |p, s| [pids[p], s.exitstatus] }.sort.inspect
pid = spawn('sort', '-rn', in: IO.popen(%w[seq 5]), out: 'sorted'); Process.wait(pid); puts File.read('sorted').split.join(' ')
puts system('kill -9 $$').inspect, $?.termsig, system('/none').inspect
trap('USR1') { puts 'got USR1' }; Process.kill('USR1', $$); sleep 0.05
pid = fork { trap('TERM') { exit!(9) }; w = 0; sleep }; sleep 0.3; Process.kill('TERM', pid); Process.wait(pid); puts $?.exitstatus
a, b = UNIXSocket.pair; pid = fork { a.close; while (l = b.gets) do b.write(l.upcase) end; exit!(0) }; b.close; a.puts 'hello'; puts a.gets; a.close; Process.wait(pid); puts $?.success?
server = TCPServer.new('127.0.0.1', 0); t = Thread.new { c = server.accept; c.write(c.gets.reverse); c.close }
s = TCPSocket.new('127.0.0.1', server.addr[1]); s.puts 'abc'; puts s.read.strip; t.join
at_exit { puts 'at exit'; exit!(5) }
raise SystemExit
