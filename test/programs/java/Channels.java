import java.io.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;
import static java.nio.file.StandardOpenOption.*;

/** java.nio: channels, mapped buffers that agree with reads and writes, locks, attributes, walks, a watch, a pipe. Argument: the folder to work in. */
public class Channels {
    public static void main(String[] args) throws Exception {
        Path folder = Files.createTempDirectory(Path.of(args.length > 0 ? args[0] : "/tmp"), "files");
        Path file = folder.resolve("mapped");
        try (FileChannel channel = FileChannel.open(file, CREATE_NEW, READ, WRITE)) {
            MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20);
            for (int i = 0; i < 1 << 20; i += 4) map.putInt(i, i * 31);
            ByteBuffer read = ByteBuffer.allocate(16);
            channel.read(read, 4096);
            read.flip();
            System.out.println("read sees the map " + (read.getInt() == 4096 * 31));
            channel.write(ByteBuffer.wrap("written".getBytes()), 8192);
            byte[] seen = new byte[7];
            map.position(8192);
            map.get(seen);
            System.out.println("map sees " + new String(seen) + ", size " + channel.size());
            map.force();
            map.force(8192, 100);
            channel.force(true);
            MappedByteBuffer tail = channel.map(FileChannel.MapMode.READ_WRITE, (1 << 20) - 100, 5000);
            tail.put(4999, (byte) 7);
            System.out.println("grown to " + channel.size());
            MappedByteBuffer own = channel.map(FileChannel.MapMode.PRIVATE, 0, 4096);
            own.putInt(0, 99);
            MappedByteBuffer only = channel.map(FileChannel.MapMode.READ_ONLY, 0, 4096);
            System.out.println("private " + own.getInt(0) + " file " + only.getInt(0));
            try { only.put(0, (byte) 1); } catch (ReadOnlyBufferException e) { System.out.println("read-only " + e); }
        }
        CRC32 crc = new CRC32();
        crc.update(Files.readAllBytes(file));
        System.out.println("crc " + Long.toHexString(crc.getValue()));

        // The page behind a mapping is cut off: SIGBUS in the JVM becomes InternalError.
        Path cut = folder.resolve("cut");
        try (FileChannel channel = FileChannel.open(cut, CREATE, READ, WRITE)) {
            MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 16384);
            map.put(9000, (byte) 1);
            channel.truncate(4096);
            try { System.out.println("beyond the end " + map.get(9000)); } catch (InternalError e) { System.out.println("InternalError"); }
            System.out.println("before the end " + map.get(100));
        }

        Path copy = folder.resolve("copy");
        try (FileChannel from = FileChannel.open(file, READ); FileChannel to = FileChannel.open(copy, CREATE, WRITE)) {
            System.out.println("transferred " + from.transferTo(0, from.size(), to) + " " + to.position());
        }
        System.out.println("mismatch " + Files.mismatch(file, copy));
        try (FileChannel channel = FileChannel.open(copy, READ, WRITE)) {
            ByteBuffer[] parts = {ByteBuffer.wrap("one ".getBytes()), ByteBuffer.wrap("two ".getBytes()), ByteBuffer.wrap("three".getBytes())};
            System.out.println("gathered " + channel.write(parts));
            ByteBuffer[] back = {ByteBuffer.allocate(4), ByteBuffer.allocateDirect(9)};
            channel.position(0);
            System.out.println("scattered " + channel.read(back) + " " + new String(back[0].array()));
            try (FileLock lock = channel.lock(0, 100, false)) {
                System.out.println("lock " + lock.isValid() + " shared " + lock.isShared());
                try { channel.tryLock(50, 10, false); } catch (OverlappingFileLockException e) { System.out.println("overlap refused"); }
            }
        }

        try (AsynchronousFileChannel channel = AsynchronousFileChannel.open(copy, READ, WRITE)) {
            ByteBuffer buffer = ByteBuffer.allocate(13);
            System.out.println("asynchronous " + channel.read(buffer, 0).get() + " " + new String(buffer.array()));
        }

        Path text = folder.resolve("text");
        Files.writeString(text, IntStream.range(0, 1000).mapToObj(i -> "line " + i + " äöü€").collect(Collectors.joining("\n")));
        try (Stream<String> lines = Files.lines(text)) { System.out.println("lines " + lines.filter(line -> line.contains("7")).count()); }
        Files.setPosixFilePermissions(text, PosixFilePermissions.fromString("rw-r-----"));
        PosixFileAttributes attributes = Files.readAttributes(text, PosixFileAttributes.class);
        System.out.println(PosixFilePermissions.toString(attributes.permissions()) + " " + attributes.owner() + " " + attributes.group() + " " + attributes.size());
        Files.setLastModifiedTime(text, FileTime.fromMillis(1_234_567_890_123L));
        System.out.println(Files.getLastModifiedTime(text));
        Files.createSymbolicLink(folder.resolve("link"), Path.of("text"));
        Files.createLink(folder.resolve("hard"), text);
        System.out.println(Files.readSymbolicLink(folder.resolve("link")) + " same " + Files.isSameFile(folder.resolve("hard"), text) + " nlink " + Files.getAttribute(text, "unix:nlink"));
        Files.createDirectories(folder.resolve("a/b/c"));
        for (int i = 0; i < 100; i++) Files.writeString(folder.resolve("a/b/c/f" + i), "x".repeat(i));
        try (Stream<Path> walk = Files.walk(folder)) { System.out.println("walked " + walk.count()); }
        Files.move(folder.resolve("a/b/c/f1"), folder.resolve("a/b/c/f2"), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        try { Files.delete(folder.resolve("a")); } catch (DirectoryNotEmptyException e) { System.out.println("not empty"); }
        try { Files.createDirectory(folder.resolve("a")); } catch (FileAlreadyExistsException e) { System.out.println("exists"); }
        try { Files.newInputStream(folder.resolve("none")); } catch (NoSuchFileException e) { System.out.println("none"); }

        try (WatchService watch = FileSystems.getDefault().newWatchService()) {
            folder.register(watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE);
            Files.writeString(folder.resolve("seen"), "");
            WatchKey key = watch.poll(600, TimeUnit.SECONDS);
            for (WatchEvent<?> event : key.pollEvents()) System.out.println(event.kind() + " " + event.context());
        }
        try (RandomAccessFile random = new RandomAccessFile(folder.resolve("random").toFile(), "rw")) {
            random.setLength(100_000);
            random.seek(99_996);
            random.writeInt(0xcafe);
            random.seek(99_996);
            System.out.println("random " + random.readInt() + " " + random.length());
        }
        Path zip = folder.resolve("zip");
        try (ZipOutputStream out = new ZipOutputStream(new FileOutputStream(zip.toFile()))) {
            for (int i = 0; i < 20; i++) { out.putNextEntry(new ZipEntry("e" + i)); out.write(("entry " + i).repeat(1000).getBytes(StandardCharsets.UTF_8)); }
        }
        try (FileSystem inside = FileSystems.newFileSystem(zip)) { System.out.println("zip " + Files.readString(inside.getPath("e7")).length()); }
        Pipe pipe = Pipe.open();
        Thread writer = new Thread(() -> { try (WritableByteChannel sink = pipe.sink()) { for (int i = 0; i < 300; i++) sink.write(ByteBuffer.allocate(1000)); } catch (IOException e) { System.out.println(e); } });
        writer.start();
        int total = 0;
        ByteBuffer buffer = ByteBuffer.allocate(4096);
        for (int n; (n = pipe.source().read(buffer)) >= 0; buffer.clear()) total += n;
        System.out.println("pipe " + total);
        FileStore store = Files.getFileStore(folder);
        System.out.println("store " + (store.getTotalSpace() > 0) + " " + (store.getUsableSpace() > 0));
        try (Stream<Path> walk = Files.walk(folder)) { walk.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete()); }
        System.out.println("gone " + !Files.exists(folder));
    }
}
