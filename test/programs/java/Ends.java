/** Ways to end: "throw", "exit", "halt", "daemon", "term" (waits for SIGTERM with a shutdown hook), "thread" (main ends by an exception while another thread goes on). */
public class Ends {
    public static void main(String[] args) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        switch (args[0]) {
            case "throw": throw new IllegalArgumentException("not caught");
            case "exit": System.exit(3); break;
            case "halt": Runtime.getRuntime().halt(4); break;
            case "daemon": {
                Thread thread = new Thread(() -> { try { Thread.sleep(1_000_000_000L); } catch (InterruptedException e) { System.out.println("never"); } });
                thread.setDaemon(true);
                thread.start();
                System.out.println("main ends");
                break;
            }
            case "term":
                System.out.println("ready");
                System.out.flush();
                Thread.sleep(1_000_000_000L);
                break;
            case "self":
                new ProcessBuilder("kill", "-" + args[1], "" + ProcessHandle.current().pid()).inheritIO().start().waitFor();
                Thread.sleep(1_000_000_000L);
                break;
            case "thread":
                Thread main = Thread.currentThread();
                new Thread(() -> { try { main.join(); } catch (InterruptedException e) { return; } System.out.println("the other thread"); }).start();
                throw new RuntimeException("main is gone");
            default: throw new AssertionError(args[0]);
        }
    }
}
