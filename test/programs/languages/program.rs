// Rust as a machine's program: threads, channels, panics, files, processes, sockets. Prints the same wherever it runs; the working directory is empty.
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, prelude::*, BufReader, SeekFrom};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{exit, Command, Stdio};
use std::sync::{atomic::*, mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};
use std::{cell::RefCell, panic, thread};

thread_local!(static LOCAL: RefCell<Vec<u32>> = RefCell::new(vec![]));

struct Noisy(&'static str);
impl Drop for Noisy {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

fn files() -> io::Result<()> {
    fs::create_dir_all("tree/a/b")?;
    for n in 1..=20 {
        let mut f = File::create(format!("tree/a/f{n}"))?;
        (1..=n).try_for_each(|i| writeln!(f, "line {i} of {n}"))?;
    }
    let mut sizes: Vec<_> = fs::read_dir("tree/a")?.map(|e| e.unwrap()).map(|e| (e.metadata().unwrap().len() * e.file_type().unwrap().is_file() as u64, e.file_name())).collect();
    sizes.sort();
    println!("{sizes:?}");
    let mut f = OpenOptions::new().read(true).write(true).open("tree/a/f3")?;
    f.seek(SeekFrom::End(-5))?;
    let mut tail = String::new();
    f.read_to_string(&mut tail)?;
    f.set_len(7)?;
    print!("{tail}");
    fs::set_permissions("tree/a/f3", fs::Permissions::from_mode(0o600))?;
    println!("{:o} {}", fs::metadata("tree/a/f3")?.permissions().mode(), fs::metadata("tree/a/f3")?.len());
    fs::rename("tree/a/f3", "tree/moved")?;
    symlink("moved", "tree/link")?;
    println!("{:?} {:?}", fs::read_link("tree/link")?, fs::canonicalize("tree/link")?.file_name());
    println!("{:?}", File::open("none").map_err(|e| (e.kind(), e.to_string())).err());
    fs::remove_dir_all("tree")
}

fn threads() {
    let (send, receive) = mpsc::channel();
    let workers: Vec<_> = (0..8u64).map(|i| { let send = send.clone(); thread::spawn(move || (0..1000).for_each(|j| send.send(i * j).unwrap())) }).collect();
    drop(send);
    println!("{}", receive.iter().sum::<u64>());
    workers.into_iter().for_each(|w| w.join().unwrap());
    let shared = Arc::new((Mutex::new(0u32), Condvar::new(), RwLock::new(HashMap::new()), AtomicU64::new(0), Barrier::new(6)));
    thread::scope(|scope| {
        for i in 0..6u32 {
            let shared = &shared;
            scope.spawn(move || {
                shared.4.wait();
                let mut turn = shared.1.wait_while(shared.0.lock().unwrap(), |turn| *turn != i).unwrap();
                *turn += 1;
                shared.1.notify_all();
                shared.2.write().unwrap().insert(i, i * i);
                shared.3.fetch_add(i as u64, Ordering::SeqCst);
                LOCAL.with(|l| l.borrow_mut().push(i));
            });
        }
    });
    println!("{} {:?} {} {}", shared.0.lock().unwrap(), shared.2.read().unwrap().iter().collect::<BTreeMap<_, _>>(), shared.3.load(Ordering::SeqCst), LOCAL.with(|l| l.borrow().len()));
    let before = Instant::now();
    thread::park_timeout(Duration::from_millis(20));
    println!("{}", before.elapsed() >= Duration::from_millis(10));
    panic::set_hook(Box::new(|info| println!("panic: {:?}", info.payload().downcast_ref::<&str>())));
    println!("{}", thread::Builder::new().name("named".into()).stack_size(1 << 20).spawn(|| { let _n = Noisy("in a panic"); panic!("thread") }).unwrap().join().is_err());
    println!("{}", panic::catch_unwind(|| { let v: Vec<usize> = std::env::args().map(|a| a.len()).collect(); v[v.len()] }).is_err());
}

fn processes() -> io::Result<()> {
    let out = Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output()?;
    println!("{:?} {:?} {:?}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr), out.status.code());
    let mut sort = Command::new("sort").arg("-rn").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    sort.stdin.take().unwrap().write_all(b"3\n11\n2\n")?;
    println!("{:?}", String::from_utf8_lossy(&sort.wait_with_output()?.stdout));
    let mut sleeping = Command::new("sleep").arg("1000").env_clear().env("PATH", "/usr/bin:/bin").spawn()?;
    println!("{:?}", sleeping.try_wait()?);
    sleeping.kill()?;
    println!("{:?} {:?}", sleeping.wait()?.signal(), Command::new("/none").spawn().err().map(|e| e.kind()));
    Ok(())
}

fn sockets() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let address = server.local_addr()?;
    let echo = thread::spawn(move || { let (mut peer, _) = server.accept().unwrap(); let mut line = String::new(); BufReader::new(peer.try_clone().unwrap()).read_line(&mut line).unwrap(); peer.write_all(line.to_uppercase().as_bytes()).unwrap() });
    let mut client = TcpStream::connect(address)?;
    client.write_all(b"hello\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    echo.join().unwrap();
    let (mut a, mut b) = UnixStream::pair()?;
    a.write_all(b"unix")?;
    a.shutdown(std::net::Shutdown::Write)?;
    b.read_to_string(&mut answer)?;
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    udp.send_to(b"datagram", udp.local_addr()?)?;
    let mut buffer = [0; 64];
    udp.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (n, from) = udp.recv_from(&mut buffer)?;
    println!("{answer:?} {:?} {}", String::from_utf8_lossy(&buffer[..n]), from == udp.local_addr()?);
    Ok(())
}

fn main() {
    let _noisy = Noisy("never: exit does not unwind");
    files().unwrap();
    threads();
    processes().unwrap();
    sockets().unwrap();
    let mut words: Vec<_> = "the quick brown fox jumps over the lazy dog".split(' ').collect();
    words.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    println!("{words:?} {:?} {:.3e} {}", "3.25".parse::<f64>(), 12345.678, i32::MAX.wrapping_add(1));
    exit(5);
}
