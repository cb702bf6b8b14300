import java.lang.ref.*;
import java.lang.management.*;
import java.util.*;

/** A heap that is far smaller than what passes through it: live data must stay whole, garbage must go, and what does not fit must end in OutOfMemoryError. */
public class Pressure {
    static final class Node { final long value; Node next; final byte[] load; Node(long value, Node next) { this.value = value; this.next = next; load = new byte[100 + (int) (value % 400)]; } }

    public static void main(String[] args) throws Exception {
        Map<Integer, byte[]> live = new HashMap<>();
        Random random = new Random(42);
        long passed = 0;
        for (int i = 0; i < 60_000; i++) {
            byte[] block = new byte[random.nextInt(8000)];
            Arrays.fill(block, (byte) i);
            passed += block.length;
            live.put(random.nextInt(1000), block);
        }
        long sum = 0;
        for (Map.Entry<Integer, byte[]> entry : live.entrySet()) for (byte b : entry.getValue()) sum += b;
        System.out.println("passed " + passed + " live " + live.size() + " sum " + sum);

        Thread[] makers = new Thread[4];
        long[] sums = new long[makers.length];
        for (int t = 0; t < makers.length; t++) {
            int n = t;
            makers[t] = new Thread(() -> {
                Node list = null;
                for (long i = 0; i < 100_000; i++) list = i % 1000 == 0 ? null : new Node(i, list);
                for (Node node = list; node != null; node = node.next) sums[n] += node.value;
            });
            makers[t].start();
        }
        for (Thread maker : makers) maker.join();
        System.out.println("lists " + Arrays.toString(sums));

        List<byte[]> hoard = new ArrayList<>();
        try { for (;;) hoard.add(new byte[1 << 20]); } catch (OutOfMemoryError e) { hoard = null; System.out.println("full: " + e.getMessage()); }

        WeakReference<Object> weak = new WeakReference<>(new Object());
        for (int i = 0; i < 100 && weak.get() != null; i++) System.gc();
        System.out.println("weak gone " + (weak.get() == null));
        Cleaner cleaner = Cleaner.create();
        boolean[] cleaned = {false};
        register(cleaner, cleaned);
        for (int i = 0; i < 1000 && !cleaned[0]; i++) { System.gc(); Thread.sleep(5); }
        System.out.println("cleaned " + cleaned[0]);

        long collections = 0;
        List<String> names = new ArrayList<>();
        for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) { collections += bean.getCollectionCount(); names.add(bean.getName()); }
        System.out.println(names + " collected " + (collections > 3));
        long again = 0;
        for (byte[] block : live.values()) for (byte b : block) again += b;
        System.out.println("whole " + (again == sum) + ", direct " + java.nio.ByteBuffer.allocateDirect(1 << 20).capacity());
    }
    static void register(Cleaner cleaner, boolean[] cleaned) { cleaner.register(new Object(), () -> cleaned[0] = true); }
}
