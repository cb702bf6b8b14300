// Go with cgo as a machine's program: C called from goroutines, callbacks into Go, C threads that call Go, C's memory, errno, signals between the two. Prints the same wherever it runs.
package main

/*
#cgo LDFLAGS: -lm -lpthread
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern int goCallback(int, void *);
extern void goFromThread(int);

struct point { int x; double y; char name[16]; };
enum color { RED = 3, GREEN };

static int fails(void) { errno = ENOTDIR; return -1; }
static void fill(struct point *p, int n) { p->x = n; p->y = sqrt(n); snprintf(p->name, sizeof p->name, "point %d", n); }
static int each(int n, void *data) { int sum = 0; for (int i = 0; i < n; i++) sum += goCallback(i, data); return sum; }
static void *thread(void *n) { goFromThread((int)(long)n); return NULL; }
static void threads(int n) {
	pthread_t t[16];
	for (long i = 0; i < n; i++) pthread_create(&t[i], NULL, thread, (void *)i);
	for (int i = 0; i < n; i++) pthread_join(t[i], NULL);
}
static _Thread_local int local;
static int count(void) { return ++local; }
*/
import "C"

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

var calls []int
var fromThreads int64

//export goCallback
func goCallback(n C.int, data unsafe.Pointer) C.int {
	calls = append(calls, int(n))
	if n == 3 {
		runtime.GC()
	}
	return n * *(*C.int)(data)
}

//export goFromThread
func goFromThread(n C.int) { atomic.AddInt64(&fromThreads, int64(n)) }

func main() {
	_, err := C.fails()
	fmt.Println(err, err == syscall.ENOTDIR)
	var p C.struct_point
	C.fill(&p, 9)
	fmt.Println(p.x, p.y, C.GoString(&p.name[0]), C.GREEN, C.sizeof_struct_point)
	text := C.CString("from Go")
	fmt.Println(C.strlen(text), C.GoStringN(text, 4), C.GoBytes(unsafe.Pointer(text), 3))
	C.free(unsafe.Pointer(text))

	factor := C.int(2)
	fmt.Println(C.each(10, unsafe.Pointer(&factor)), calls)
	C.threads(16)
	fmt.Println(fromThreads)

	var group sync.WaitGroup
	roots := make([]float64, 200)
	for i := range roots {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			C.usleep(1000)
			roots[i] = float64(C.sqrt(C.double(i)))
		}(i)
	}
	group.Wait()
	sum := 0.0
	for _, root := range roots {
		sum += root
	}
	fmt.Printf("%.6f\n", sum)
	runtime.LockOSThread()
	fmt.Println(C.count(), C.count(), C.count())
	runtime.UnlockOSThread()

	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGUSR1)
	C.raise(C.SIGUSR1)
	fmt.Println(<-received)
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var none *int
		*none = 1
	}()
	who, err := user.LookupId("0") // getpwuid_r of the C library
	fmt.Println(who.Username, who.HomeDir, err)
	port, err := net.LookupPort("tcp", "https")
	fmt.Println(port, err)
	out, err := exec.Command("sh", "-c", "echo child; exit 4").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	memory := (*[1 << 20]byte)(C.malloc(1 << 20))
	for i := range memory {
		memory[i] = byte(i)
	}
	fmt.Println(memory[1<<20-1])
	C.free(unsafe.Pointer(memory))
	var none *C.int
	defer os.Exit(3)
	defer func() { recover(); fmt.Println("end") }()
	*none = 1
}
