import com.sun.net.httpserver.*;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** An HTTP server on port 8080: what was sent comes back, with its length; /memory: the largest heap, in bytes, which the JVM chose by the machine's memory. */
public class Server {
    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            if (exchange.getRequestURI().getPath().equals("/memory")) body = Long.toString(Runtime.getRuntime().maxMemory()).getBytes();
            byte[] head = (exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + body.length + "\n").getBytes();
            exchange.sendResponseHeaders(200, head.length + body.length);
            exchange.getResponseBody().write(head);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> { server.stop(0); System.out.println("stopped"); }));
        System.out.println("listening");
    }
}
