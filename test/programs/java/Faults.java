/** What the JVM takes from signals: null pointers and stack overflow by SIGSEGV, division by SIGFPE; in interpreted and in compiled code, in several threads. */
public class Faults {
    int field = 1;
    long[] big = new long[10];
    static int depth;
    static int touch(Faults f) { return f.field; }
    static int divide(int a, int b) { return a / b; }
    static int dive(int n) { depth = n; return dive(n + 1) + 1; }

    static String overflow() {
        try { dive(0); return "no overflow"; } catch (StackOverflowError e) { return depth > 500 ? "overflow" : "overflow too early: " + depth; }
    }

    static int nulls(int rounds) {
        Faults there = new Faults();
        int caught = 0, sum = 0;
        for (int i = 0; i < rounds; i++) {
            try { sum += touch(i % 100 == 0 ? null : there); } catch (NullPointerException e) { caught++; }
            try { sum += divide(i, i % 200 == 0 ? 0 : 3) > 0 ? 1 : 0; } catch (ArithmeticException e) { caught++; }
            try { sum += (int) there.big[i % 500 == 0 ? 10 : 3]; } catch (ArrayIndexOutOfBoundsException e) { caught++; }
        }
        return caught;
    }

    public static void main(String[] args) throws Exception {
        System.out.println(nulls(300_000));
        for (int i = 0; i < 5; i++) System.out.println(overflow());
        Thread[] threads = new Thread[6];
        String[] said = new String[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int n = i;
            threads[i] = new Thread(null, () -> said[n] = overflow() + " " + nulls(20_000), "t" + i, 256 << 10 << i % 3);
            threads[i].start();
        }
        for (int i = 0; i < threads.length; i++) { threads[i].join(); System.out.println(said[i]); }
        try { ((Object) "x").wait(); } catch (IllegalMonitorStateException e) { System.out.println(e.getMessage()); }
        try { Object o = "x"; System.out.println((Integer) o); } catch (ClassCastException e) { System.out.println(e.getMessage()); }
        try { Faults f = null; System.out.println(f.field); } catch (NullPointerException e) { System.out.println(e.getMessage()); }
        try { int[] huge = new int[Integer.MAX_VALUE]; System.out.println(huge.length); } catch (OutOfMemoryError e) { System.out.println(e.getMessage()); }
        System.out.println(overflow());
    }
}
