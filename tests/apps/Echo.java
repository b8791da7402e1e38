import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.CompletionHandler;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Echoes by java.net (a thread for each connection), by java.nio (one selector) and by asynchronous
 * channels, and clients of them, which compare what comes back.
 *
 * <pre>
 * Echo net|nio|aio PORT                     a server, on IPv4
 * Echo ask ADDRESS PORT CLIENTS MEGABYTES   prints what was right, one line each
 * </pre>
 */
final class Echo {
    private Echo() {}

    // ---------------------------------------------------------------- servers

    private static void echo(Socket socket) {
        try (socket; InputStream in = socket.getInputStream(); OutputStream out = socket.getOutputStream()) {
            in.transferTo(out);
            socket.shutdownOutput();
        } catch (IOException goneAway) {
            // The client has its reasons.
        }
    }

    private static void serveNet(InetSocketAddress address) throws IOException {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (ServerSocket listener = new ServerSocket()) {
            listener.bind(address, 200);
            while (true) {
                Socket socket = listener.accept();
                threads.execute(() -> echo(socket));
            }
        }
    }

    /** What a selector's connection has read and not yet written. */
    private static final class Pending {
        final ByteBuffer buffer = ByteBuffer.allocateDirect(50_000);
        boolean ended;
    }

    private static void move(SelectionKey key) throws IOException {
        SocketChannel channel = (SocketChannel) key.channel();
        Pending pending = (Pending) key.attachment();
        if (key.isReadable() && channel.read(pending.buffer) < 0) {
            pending.ended = true;
        }
        pending.buffer.flip();
        channel.write(pending.buffer);
        pending.buffer.compact();
        if (pending.ended && pending.buffer.position() == 0) {
            channel.close();
            return;
        }
        key.interestOps((pending.buffer.hasRemaining() && !pending.ended ? SelectionKey.OP_READ : 0)
            | (pending.buffer.position() > 0 ? SelectionKey.OP_WRITE : 0));
    }

    private static void serveNio(InetSocketAddress address) throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.configureBlocking(false);
        listener.bind(address, 200);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                if (key.isAcceptable()) {
                    SocketChannel channel = listener.accept();
                    if (channel != null) {
                        channel.configureBlocking(false);
                        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                        channel.register(selector, SelectionKey.OP_READ, new Pending());
                    }
                    continue;
                }
                try {
                    move(key);
                } catch (IOException goneAway) {
                    key.channel().close();
                }
            }
            selector.selectedKeys().clear();
        }
    }

    /** Reads, then writes all of it, then reads again. */
    private static final class Loop implements CompletionHandler<Integer, Boolean> {
        private final AsynchronousSocketChannel channel;
        private final ByteBuffer buffer = ByteBuffer.allocate(30_000);

        Loop(AsynchronousSocketChannel channel) {
            this.channel = channel;
        }

        void read() {
            buffer.clear();
            channel.read(buffer, true, this);
        }

        @Override
        public void completed(Integer count, Boolean wasRead) {
            if (count < 0) {
                failed(null, wasRead);
                return;
            }
            if (wasRead) {
                buffer.flip();
            }
            if (buffer.hasRemaining()) {
                channel.write(buffer, false, this);
            } else {
                read();
            }
        }

        @Override
        public void failed(Throwable reason, Boolean wasRead) {
            try {
                channel.close();
            } catch (IOException alreadyClosed) {
                // Good.
            }
        }
    }

    private static void serveAio(InetSocketAddress address) throws Exception {
        AsynchronousServerSocketChannel listener = AsynchronousServerSocketChannel.open();
        listener.bind(address, 200);
        while (true) {
            new Loop(listener.accept().get()).read();
        }
    }

    // ---------------------------------------------------------------- clients

    private static byte[] bytes(int seed, int length) {
        byte[] made = new byte[length];
        new Random(seed).nextBytes(made);
        return made;
    }

    private static void expect(boolean truth, String words) throws IOException {
        if (!truth) {
            throw new IOException(words);
        }
    }

    /** One thread writes while another one reads. */
    private static Void askNet(InetSocketAddress address, int number, int length) throws Exception {
        byte[] sent = bytes(number, length);
        try (Socket socket = new Socket(address.getAddress(), address.getPort())) {
            Thread writer = new Thread(() -> {
                try {
                    OutputStream out = socket.getOutputStream();
                    for (int at = 0; at < sent.length; at += 7001) {
                        out.write(sent, at, Math.min(7001, sent.length - at));
                    }
                    socket.shutdownOutput();
                } catch (IOException seenByTheReader) {
                    // It gets too little.
                }
            });
            writer.start();
            byte[] back = socket.getInputStream().readAllBytes();
            writer.join();
            expect(Arrays.equals(sent, back), number + ": " + back.length + " of " + length + " bytes");
        }
        return null;
    }

    private static Void askNio(InetSocketAddress address, int number, int length) throws Exception {
        ByteBuffer out = ByteBuffer.wrap(bytes(number, length));
        ByteBuffer in = ByteBuffer.allocate(length + 1);
        try (Selector selector = Selector.open(); SocketChannel channel = SocketChannel.open()) {
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_CONNECT);
            channel.connect(address);
            while (channel.isOpen()) {
                selector.select();
                for (SelectionKey key : selector.selectedKeys()) {
                    if (key.isConnectable() && channel.finishConnect()) {
                        key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
                    }
                    if (key.isValid() && key.isWritable()) {
                        ByteBuffer[] parts = {out};
                        channel.write(parts);
                        if (!out.hasRemaining()) {
                            key.interestOps(SelectionKey.OP_READ);
                            channel.shutdownOutput();
                        }
                    }
                    if (key.isValid() && key.isReadable() && channel.read(in) < 0) {
                        channel.close();
                    }
                }
                selector.selectedKeys().clear();
            }
        }
        expect(in.position() == length && Arrays.equals(out.array(), Arrays.copyOf(in.array(), length)),
            number + ": " + in.position() + " of " + length + " bytes");
        return null;
    }

    private static Void askAio(InetSocketAddress address, int number, int length) throws Exception {
        ByteBuffer out = ByteBuffer.wrap(bytes(number, length));
        ByteBuffer in = ByteBuffer.allocate(length);
        try (AsynchronousSocketChannel channel = AsynchronousSocketChannel.open()) {
            channel.connect(address).get();
            Future<Integer> reading = channel.read(in);
            while (in.hasRemaining()) {
                if (out.hasRemaining()) {
                    channel.write(out).get();
                }
                if (reading.isDone() || !out.hasRemaining()) {
                    expect(reading.get() > 0, "the stream ended");
                    if (in.hasRemaining()) {
                        reading = channel.read(in);
                    }
                }
            }
        }
        expect(Arrays.equals(out.array(), in.array()), number + ": bytes differ");
        return null;
    }

    /** A file goes out by sendfile and comes back into another one. */
    private static Void askFile(InetSocketAddress address, int number, int length) throws Exception {
        Path from = Files.createTempFile("echo", ""), to = Files.createTempFile("echo", "");
        try (SocketChannel channel = SocketChannel.open(address)) {
            Files.write(from, bytes(number, length));
            Thread sender = new Thread(() -> {
                try (FileChannel file = FileChannel.open(from)) {
                    for (long at = 0; at < length;) {
                        at += file.transferTo(at, length - at, channel);
                    }
                    channel.shutdownOutput();
                } catch (IOException seenByTheReader) {
                    // It gets too little.
                }
            });
            sender.start();
            try (FileChannel file = FileChannel.open(to, StandardOpenOption.WRITE)) {
                long at = 0, got;
                while ((got = file.transferFrom(channel, at, length - at)) > 0) {
                    at += got;
                }
            }
            sender.join();
            expect(Files.mismatch(from, to) == -1, number + ": files differ");
        } finally {
            Files.delete(from);
            Files.delete(to);
        }
        return null;
    }

    private static Void askObjects(InetSocketAddress address, int number, int length) throws Exception {
        try (Socket socket = new Socket()) {
            socket.setTcpNoDelay(true);
            socket.setKeepAlive(true);
            socket.setReceiveBufferSize(100_000);
            socket.connect(address, 60_000);
            expect(socket.getTcpNoDelay() && socket.getKeepAlive(), "options are lost");
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            for (int turn = 0; turn < 200; turn++) {
                out.writeUTF("line " + turn);
                out.writeLong(turn * 31L);
                expect(in.readUTF().equals("line " + turn) && in.readLong() == turn * 31L, "turn " + turn);
            }
            expect(in.available() == 0, "more is there than was sent");
            socket.setSoTimeout(50);
            try {
                in.read();
                throw new IOException("something was read");
            } catch (SocketTimeoutException asWanted) {
                expect(!socket.isClosed(), "closed by a timeout");
            }
        }
        return null;
    }

    /** close() in one thread ends read() in another. */
    private static Void askClosing(InetSocketAddress address, int number, int length) throws Exception {
        Socket socket = new Socket(address.getAddress(), address.getPort());
        socket.getOutputStream().write(1);
        expect(socket.getInputStream().read() == 1, "no echo");
        Thread closer = new Thread(() -> {
            try {
                TimeUnit.MILLISECONDS.sleep(100);
                socket.close();
            } catch (IOException | InterruptedException seenByTheReader) {
                // It goes on waiting.
            }
        });
        closer.start();
        try {
            expect(socket.getInputStream().read() == 2, "read() returned");
        } catch (SocketException asWanted) {
            closer.join();
        }
        return null;
    }

    @FunctionalInterface
    private interface Client {
        Void ask(InetSocketAddress address, int number, int length) throws Exception;
    }

    private static void run(String claim, Client client, InetSocketAddress address, int clients, int length)
        throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(clients);
        List<Callable<Void>> tasks = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            int number = i;
            tasks.add(() -> client.ask(address, number, length));
        }
        String verdict = "right";
        for (Future<Void> result : threads.invokeAll(tasks)) {
            try {
                result.get();
            } catch (Exception error) {
                verdict = error.toString();
                error.printStackTrace();
            }
        }
        threads.shutdown();
        System.out.println(claim + ": " + verdict);
    }

    public static void main(String[] words) throws Exception {
        if (!words[0].equals("ask")) {
            InetSocketAddress address =
                new InetSocketAddress(InetAddress.getByAddress(new byte[4]), Integer.parseInt(words[1]));
            switch (words[0]) {
                case "net" -> serveNet(address);
                case "nio" -> serveNio(address);
                default -> serveAio(address);
            }
            return;
        }
        InetSocketAddress address = new InetSocketAddress(words[1], Integer.parseInt(words[2]));
        int clients = Integer.parseInt(words[3]);
        int length = Integer.parseInt(words[4]) * 1_000_000 + 77;
        run("sockets", Echo::askNet, address, clients, length);
        run("selectors", Echo::askNio, address, clients, length);
        run("asynchronous channels", Echo::askAio, address, clients, 20_000);
        run("files", Echo::askFile, address, clients, length);
        run("objects", Echo::askObjects, address, clients, length);
        run("closing", Echo::askClosing, address, clients, length);
    }
}
