#!/bin/dash
# What a JVM does, a case after the other: javac of 50 classes (or $CLASSES) and of the programs of this folder, then the cases named. Classes go to /out.
# Prints nothing that differs from run to run.
export PATH=/usr/lib/jvm/java-17-openjdk-amd64/bin:/usr/bin:/bin LC_ALL=C.UTF-8 HOME=/root
mkdir -p /out /tmp/project/app
CLASSES=${CLASSES:-50}
for i in $(seq 1 "$CLASSES"); do
  cat > /tmp/project/app/Class$i.java <<END
package app;
import java.util.*;
import java.util.function.*;
/** One of many, which needs the others. */
public class Class$i<T extends Comparable<T>> extends Base implements Supplier<String> {
    private final Map<String, List<Integer>> map = new TreeMap<>();
    enum Kind { A, B { @Override int n() { return 2; } }; int n() { return 1; } }
    record Pair(int a, String b) { }
    @Override public String get() {
        for (int i = 0; i < 10; i++) { int n = i; map.computeIfAbsent("k" + i % 3, k -> new ArrayList<>()).add(n * $i); }
        Function<Integer, Supplier<Integer>> add = a -> () -> a + Kind.B.n();
        String text = switch (map.size()) { case 1 -> "one"; case 3 -> { var p = new Pair(add.apply($i).get(), """
            text $i
            """); yield p.toString().strip(); } default -> "many"; };
        return text + new Object() { int sum() { return map.values().stream().flatMap(List::stream).mapToInt(Integer::intValue).sum(); } }.sum();
    }
    @Override int level() { return $i == $CLASSES ? 0 : 1 + new Class$((i % CLASSES + 1))<String>().level(); }
}
END
done
cat > /tmp/project/app/Base.java <<'END'
package app;
abstract class Base { abstract int level(); }
END
cat > /tmp/project/app/Main.java <<'END'
package app;
public class Main { public static void main(String[] a) throws Exception {
    int sum = new Class1<String>().level();
    for (int i = 1; i <= COUNT; i++) sum += ((java.util.function.Supplier<?>) Class.forName("app.Class" + i).getDeclaredConstructor().newInstance()).get().hashCode();
    System.out.println("sum " + sum + " " + new Class3<String>().get());
} }
END
sed -i "s/COUNT/$CLASSES/" /tmp/project/app/Main.java
javac $JAVAC -Xlint:all -d /out /tmp/project/app/*.java /suite/*.java 2>&1; echo "javac $?"
(cd /out && find . -name '*.class' | sort | xargs sha256sum | tee /tmp/sums | wc -l; sha256sum < /tmp/sums)
while read -r name arguments; do
  case " $* " in *" $name "*) ;; *) continue ;; esac
  echo "=== $name"; java -cp /out $arguments < /dev/null 2>&1; echo "= $?"
done < /suite/cases
echo 'class Broken { int f() { return "x"; } }' > /tmp/Broken.java; javac $JAVAC /tmp/Broken.java 2>&1; echo "javac $?"
