import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

/** Threads of every kind that a program makes: raw ones, pools, a fork-join tree, monitors, locks, interrupts, timers. */
public class Threads {
    static int shared;
    static synchronized void add() { shared++; }
    @SuppressWarnings("serial") static class Sum extends RecursiveTask<Long> {
        final int from, to;
        Sum(int from, int to) { this.from = from; this.to = to; }
        @Override protected Long compute() {
            if (to - from < 1000) { long sum = 0; for (int i = from; i < to; i++) sum += i; return sum; }
            int middle = (from + to) / 2;
            Sum left = new Sum(from, middle);
            left.fork();
            return new Sum(middle, to).compute() + left.join();
        }
    }

    public static void main(String[] args) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            Thread thread = new Thread(() -> { for (int k = 0; k < 2000; k++) add(); });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println("monitors " + shared);

        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Integer>> futures = new ArrayList<>();
        for (int i = 0; i < 200; i++) { int n = i; futures.add(pool.submit(() -> n * n)); }
        long total = 0;
        for (Future<Integer> future : futures) total += future.get();
        System.out.println("pool " + total);
        Future<?> failed = pool.submit(() -> { throw new IllegalStateException("on purpose"); });
        try { failed.get(); } catch (ExecutionException e) { System.out.println("failure " + e.getCause().getMessage()); }
        pool.shutdown();
        System.out.println("ended " + pool.awaitTermination(600, TimeUnit.SECONDS));

        System.out.println("forks " + new ForkJoinPool(4).invoke(new Sum(0, 1_000_000)));
        System.out.println("stream " + IntStream.range(0, 100_000).parallel().mapToLong(i -> i % 7).sum());
        System.out.println("future " + CompletableFuture.supplyAsync(() -> 20).thenCombine(CompletableFuture.supplyAsync(() -> 22), Integer::sum).get());

        ReentrantLock lock = new ReentrantLock();
        Condition ready = lock.newCondition();
        int[] turns = {0};
        Thread ping = new Thread(() -> {
            for (int i = 0; i < 200; i++) {
                lock.lock();
                try { while (turns[0] % 2 != 0) ready.awaitUninterruptibly(); turns[0]++; ready.signalAll(); } finally { lock.unlock(); }
            }
        });
        ping.start();
        for (int i = 0; i < 200; i++) {
            lock.lock();
            try { while (turns[0] % 2 != 1) ready.await(); turns[0]++; ready.signalAll(); } finally { lock.unlock(); }
        }
        ping.join();
        System.out.println("condition " + turns[0]);

        Thread sleeper = new Thread(() -> {
            try { Thread.sleep(1_000_000); System.out.println("slept"); } catch (InterruptedException e) { System.out.println("interrupted " + Thread.currentThread().isInterrupted()); }
        });
        sleeper.start();
        while (sleeper.getState() != Thread.State.TIMED_WAITING) Thread.yield();
        sleeper.interrupt();
        sleeper.join();

        AtomicLong spins = new AtomicLong();
        CyclicBarrier barrier = new CyclicBarrier(6);
        List<Thread> crew = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            Thread thread = new Thread(() -> {
                try { for (int k = 0; k < 50; k++) { spins.incrementAndGet(); barrier.await(); } } catch (Exception e) { System.out.println(e); }
            });
            crew.add(thread);
            thread.start();
        }
        for (Thread thread : crew) thread.join();
        System.out.println("barrier " + spins);

        BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(3);
        Thread producer = new Thread(() -> { try { for (int i = 1; i <= 1000; i++) queue.put(i); queue.put(-1); } catch (InterruptedException e) { throw new IllegalStateException(e); } });
        producer.start();
        long sum = 0;
        for (int item; (item = queue.take()) != -1;) sum += item;
        System.out.println("queue " + sum);

        ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
        CountDownLatch ticks = new CountDownLatch(5);
        timer.scheduleAtFixedRate(ticks::countDown, 1, 5, TimeUnit.MILLISECONDS);
        ticks.await();
        timer.shutdownNow();
        System.out.println("timer " + ticks.getCount());

        ThreadLocal<String> local = ThreadLocal.withInitial(() -> "own");
        local.set("main");
        String[] other = new String[1];
        Thread asks = new Thread(() -> other[0] = local.get());
        asks.start();
        asks.join();
        System.out.println("local " + local.get() + " " + other[0]);

        Thread dies = new Thread(() -> { throw new RuntimeException("ends its thread"); });
        dies.setUncaughtExceptionHandler((thread, e) -> System.out.println("uncaught " + e.getMessage()));
        dies.start();
        dies.join();

        long checked = Stream.iterate(1, i -> i + 1).limit(300).map(i -> new Thread(() -> shared++)).peek(Thread::start).collect(Collectors.toList()).stream().peek(thread -> { try { thread.join(); } catch (InterruptedException e) { throw new IllegalStateException(e); } }).count();
        System.out.println("many " + checked);
    }
}
