// A C++ program of many small parts that prints what it finds; run natively and in a machine (docs/programs.md).
#include <atomic>
#include <condition_variable>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <iostream>
#include <mutex>
#include <regex>
#include <stdexcept>
#include <thread>
#include <vector>
#include <ucontext.h>
#include <unistd.h>
#include <sys/mman.h>
#include <wordexp.h>
#include <glob.h>
#include <pwd.h>
#include <iconv.h>
struct Guard { const char *n; ~Guard() { printf("~%s\n", n); fflush(stdout);} };
thread_local Guard tl{"tl"};
static int depth(int n) { Guard g{"frame"}; if (!n) throw std::runtime_error("deep"); return depth(n - 1) + 1; }
static sigjmp_buf back; static void segv(int, siginfo_t *i, void *) { siglongjmp(back, i->si_addr == (void *)8 ? 1 : 2); }
static ucontext_t a, b; static void coroutine() { for (int i = 0; i < 3; i++) { printf("co %d\n", i); swapcontext(&b, &a); } }
static void edit(int, siginfo_t *, void *c) { ((ucontext_t *)c)->uc_mcontext.gregs[REG_RIP] += 2; }
int main() {
  try { depth(3); } catch (const std::exception &e) { puts(e.what()); }
  std::thread([] { tl.n = "tl thread"; try { throw 5; } catch (int x) { printf("thread caught %d\n", x); } }).join();
  std::vector<std::future<long>> f; for (int i = 0; i < 8; i++) f.push_back(std::async(std::launch::async, [i] { long s = 0; for (int k = 0; k < 100000; k++) s += k * i; return s; }));
  long t = 0; for (auto &x : f) t += x.get(); printf("%ld\n", t);
  auto bad = std::async(std::launch::async, []() -> int { throw std::logic_error("async"); }); try { bad.get(); } catch (std::exception &e) { puts(e.what()); }
  std::mutex m; std::condition_variable cv; int turn = 0; std::thread p([&] { for (int i = 0; i < 500; i++) { std::unique_lock l(m); cv.wait(l, [&] { return turn % 2 == 1; }); turn++; cv.notify_all(); } });
  for (int i = 0; i < 500; i++) { std::unique_lock l(m); cv.wait(l, [&] { return turn % 2 == 0; }); turn++; cv.notify_all(); } p.join(); printf("turn %d\n", turn);
  stack_t ss{malloc(65536), 0, 65536}; sigaltstack(&ss, nullptr); struct sigaction sa{}; sa.sa_sigaction = segv; sa.sa_flags = SA_SIGINFO | SA_ONSTACK; sigaction(SIGSEGV, &sa, nullptr);
  for (int i = 0; i < 3; i++) { int r = sigsetjmp(back, 1); if (!r) *(volatile int *)8 = 1; printf("jumped %d\n", r); }
  sa.sa_sigaction = edit; sigaction(SIGILL, &sa, nullptr); __asm__ volatile("ud2"); puts("past ud2");
  getcontext(&b); static char stack[65536]; b.uc_stack.ss_sp = stack; b.uc_stack.ss_size = sizeof stack; b.uc_link = &a; makecontext(&b, coroutine, 0); for (int i = 0; i < 4; i++) swapcontext(&a, &b);
  std::cout << std::regex_replace("a1b22", std::regex("[0-9]+"), "#") << std::endl; wordexp_t w; if (!wordexp("$HOME ~root $(echo sub)", &w, 0)) for (size_t i = 0; i < w.we_wordc; i++) puts(w.we_wordv[i]);
  glob_t g; glob("/etc/pass*", 0, nullptr, &g); for (size_t i = 0; i < g.gl_pathc; i++) puts(g.gl_pathv[i]); struct passwd *pw = getpwnam("daemon"); printf("%d\n", pw ? (int)pw->pw_uid : -1);
  FILE *pp = popen("echo popen; exit 3", "r"); char line[99]; fgets(line, 99, pp); fputs(line, stdout); printf("%d\n", pclose(pp) >> 8); fflush(stdout); printf("%d\n", system("exit 4") >> 8); printf("%a %.17g %g\n", strtod("0x1.8p3", 0), strtod("2.2250738585072011e-308", 0), strtod("1e400", 0));
  iconv_t ic = iconv_open("UTF-16LE", "UTF-8"); char in[] = "\xc3\xa9", out[8], *ip = in, *op = out; size_t il = 2, ol = 8; printf("%zd %zu\n", (ssize_t)iconv(ic, &ip, &il, &op, &ol), ol); atexit([] { puts("atexit"); }); fflush(stdout); return 6;
}
