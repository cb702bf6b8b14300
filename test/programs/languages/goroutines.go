// A Go program of many small parts that prints what it finds; run natively and in a machine (docs/programs.md).
package main
import ("fmt";"os";"os/exec";"os/signal";"runtime";"runtime/debug";"sync";"syscall";"time";"net")
func main() {
 var wg sync.WaitGroup; var mu sync.Mutex; total := 0; c := make(chan int, 16)
 for i := 0; i < 5000; i++ { wg.Add(1); go func(i int) { defer wg.Done(); time.Sleep(time.Millisecond); mu.Lock(); total += i; mu.Unlock() }(i) }
 wg.Wait(); fmt.Println(total)
 debug.SetGCPercent(20); var keep [][]byte; for i := 0; i < 3000; i++ { b := make([]byte, 10000); if i%100 == 0 { keep = append(keep, b) } }; runtime.GC(); var m runtime.MemStats; runtime.ReadMemStats(&m); fmt.Println(len(keep), m.NumGC > 0)
 func() { defer func() { fmt.Println("recovered:", recover()) }(); var p *int; *p = 1 }()
 s := make(chan os.Signal, 1); signal.Notify(s, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); fmt.Println(<-s)
 out, err := exec.Command("/bin/sh", "-c", "echo child; exit 3").Output(); fmt.Printf("%q %v\n", out, err)
 t := time.NewTicker(5 * time.Millisecond); for i := 0; i < 5; i++ { <-t.C }; t.Stop(); fmt.Println("ticked")
 os.Remove("/tmp/gosock"); l, err := net.Listen("unix", "/tmp/gosock"); if err != nil { fmt.Println(err); os.Exit(1) }
 go func() { for i := 0; i < 20; i++ { k, _ := l.Accept(); go func() { b := make([]byte, 8); n, _ := k.Read(b); k.Write(b[:n]); k.Close() }() } }()
 for i := 0; i < 20; i++ { go func(i int) { k, err := net.Dial("unix", "/tmp/gosock"); if err != nil { c <- -1; return }; fmt.Fprintf(k, "%d", i); b := make([]byte, 8); n, _ := k.Read(b); v := 0; fmt.Sscan(string(b[:n]), &v); c <- v }(i) }
 sum := 0; for i := 0; i < 20; i++ { sum += <-c }; fmt.Println(sum)
 debug.SetMaxThreads(200); runtime.GOMAXPROCS(4); done := make(chan bool); go func() { for i := 0; i < 200000000; i++ { }; done <- true }(); <-done; fmt.Println("preempted"); os.Exit(5) }
