import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import com.sun.net.httpserver.*;

/** Loopback: blocking and NIO sockets, a selector, datagrams, UNIX sockets, timeouts; com.sun.net.httpserver with java.net.http. */
public class Net {
    public static void main(String[] args) throws Exception {
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Thread echo = new Thread(() -> { try (Socket socket = server.accept()) { socket.getInputStream().transferTo(socket.getOutputStream()); } catch (IOException e) { System.out.println(e); } });
            echo.start();
            try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort())) {
                byte[] sent = new byte[20_000];
                new Random(1).nextBytes(sent);
                socket.setTcpNoDelay(true);
                socket.getOutputStream().write(sent);
                socket.shutdownOutput();
                System.out.println("echo " + Arrays.equals(sent, socket.getInputStream().readAllBytes()));
            }
            echo.join();
            server.setSoTimeout(50);
            try { server.accept(); } catch (SocketTimeoutException e) { System.out.println(e.getMessage()); }
        }
        try { new Socket(InetAddress.getLoopbackAddress(), 1).close(); } catch (ConnectException e) { System.out.println(e.getMessage()); }

        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
        listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        int port = ((InetSocketAddress) listener.getLocalAddress()).getPort();
        Thread clients = new Thread(() -> {
            try {
                for (int i = 0; i < 20; i++) try (SocketChannel channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port))) {
                    channel.write(ByteBuffer.wrap(("client " + i).getBytes()));
                    channel.shutdownOutput();
                    ByteBuffer answer = ByteBuffer.allocate(100);
                    while (channel.read(answer) >= 0) { }
                    if (!new String(answer.array(), 0, answer.position()).equals("CLIENT " + i)) System.out.println("wrong answer " + i);
                }
            } catch (IOException e) { System.out.println(e); }
        });
        clients.start();
        int served = 0;
        while (served < 20) {
            selector.select();
            for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext();) {
                SelectionKey key = keys.next();
                keys.remove();
                if (key.isAcceptable()) { SocketChannel channel = listener.accept(); channel.configureBlocking(false).register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(100)); }
                else {
                    SocketChannel channel = (SocketChannel) key.channel();
                    ByteBuffer buffer = (ByteBuffer) key.attachment();
                    if (channel.read(buffer) < 0) { channel.write(ByteBuffer.wrap(new String(buffer.array(), 0, buffer.position()).toUpperCase().getBytes())); channel.close(); served++; }
                }
            }
        }
        clients.join();
        System.out.println("selector " + served);

        try (DatagramSocket one = new DatagramSocket(0, InetAddress.getLoopbackAddress()); DatagramSocket two = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            one.send(new DatagramPacket("datagram".getBytes(), 8, two.getLocalSocketAddress()));
            DatagramPacket packet = new DatagramPacket(new byte[100], 100);
            two.receive(packet);
            System.out.println(new String(packet.getData(), 0, packet.getLength()) + " " + (packet.getPort() == one.getLocalPort()));
        }

        Path path = Path.of("/tmp/net.socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path)); SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path)); SocketChannel accepted = server.accept()) {
            client.write(ByteBuffer.wrap("unix".getBytes()));
            ByteBuffer buffer = ByteBuffer.allocate(10);
            accepted.read(buffer);
            System.out.println(new String(buffer.array(), 0, buffer.position()));
        }
        Files.delete(path);

        HttpServer http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.createContext("/", exchange -> { byte[] body = ("you asked for " + exchange.getRequestURI()).getBytes(); exchange.sendResponseHeaders(200, body.length); exchange.getResponseBody().write(body); exchange.close(); });
        http.start();
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 0; i < 3; i++) System.out.println(client.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + http.getAddress().getPort() + "/page" + i)).build(), HttpResponse.BodyHandlers.ofString()).body());
        http.stop(0);
        System.out.println("loopback " + NetworkInterface.getByName("lo").isLoopback() + " " + InetAddress.getByName("localhost").isLoopbackAddress());
        System.exit(0);
    }
}
