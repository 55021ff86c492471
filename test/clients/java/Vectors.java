import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleBinaryOperator;
import java.util.function.ToDoubleBiFunction;
import java.util.stream.IntStream;

/** The rows that both programs insert, and their distances worked out without the server. */
final class Vectors {
    static final float[] A = {1, 2, 3}, B = {4, 5, 6}, C = {1, 2, 4};
    static final float[][] ROWS = {A, B, C};
    static final String[] BITS = {"10101010", "11110000", "00000001"};
    /** The largest float, the smallest denormal, the nearest to 0.1: each must come back to the last bit. */
    static final float[] EXTREMES = {Float.MAX_VALUE, Float.MIN_VALUE, 0.1f};
    static final float[] HALF_EXTREMES = {65504f, 5.9604645e-08f, 0.099975586f};
    static final int SPARSE_DIM = 1000000, COUNT = 500, DIM = 8;
    /** The sparsevec of the three rows: 0-based indices and values. */
    static final List<Map<Integer, Float>> SPARSE =
        List.of(Map.of(0, 1f, 2, 2f, 999999, 3f), Map.of(0, 4f, 1, 5f, 2, 6f), Map.of(0, 1f, 2, 2f, 999999, 4f));
    /** The rows as the server prints them. */
    static final String[] TEXTS = {
        "[1,2,3] [1,2,3] {1:1,3:2,1000000:3}/1000000 10101010",
        "[4,5,6] [4,5,6] {1:4,2:5,3:6}/1000000 11110000",
        "[1,2,4] [1,2,4] {1:1,3:2,1000000:4}/1000000 00000001",
    };
    private static final float[][] SHORT = {{1, 0, 2, 3}, {4, 5, 6, 0}, {1, 0, 2, 4}};

    /** A distance: its operator, the suffix of its operator classes, and its function in HQL. */
    record Metric(String operator, String ops, String function, ToDoubleBiFunction<float[], float[]> distance) {}

    static final List<Metric> METRICS = List.of(
        new Metric("<->", "l2_ops", "l2_distance", Vectors::l2),
        new Metric("<#>", "ip_ops", "negative_inner_product", Vectors::negativeProduct),
        new Metric("<=>", "cosine_ops", "cosine_distance", Vectors::cosine),
        new Metric("<+>", "l1_ops", "l1_distance", Vectors::l1));
    static final List<Metric> BIT_METRICS = List.of(
        new Metric("<~>", "hamming_ops", "hamming_distance", Vectors::hamming),
        new Metric("<%>", "jaccard_ops", "jaccard_distance", Vectors::jaccard));

    /** A column of the table of three rows, and those rows written out as dense ones. */
    record Column(String name, String type, List<Metric> metrics, float[][] rows) {
        /** From row 1 to the rows 1, 2 and 3. */
        double[] distances(Metric m) {
            return Arrays.stream(rows).mapToDouble(row -> m.distance().applyAsDouble(row, rows[0])).toArray();
        }

        /** The rows' numbers, nearest first. */
        List<Integer> order(Metric m) {
            double[] d = distances(m);
            return IntStream.rangeClosed(1, 3).boxed().sorted((i, j) -> Double.compare(d[i - 1], d[j - 1])).toList();
        }
    }

    static final List<Column> COLUMNS = List.of(
        new Column("embedding", "vector(3)", METRICS, ROWS),
        new Column("half", "halfvec(3)", METRICS, ROWS),
        new Column("sparse", "sparsevec(1000000)", METRICS, SHORT),
        new Column("bits", "bit(8)", BIT_METRICS, Arrays.stream(BITS).map(Vectors::digits).toArray(float[][]::new)));

    /** An index of the bulk table, a query it serves, and the exact answer. */
    record Index(String name, String method, String kind, String expression, Metric metric, String options, float[] query, double[] nearest) {
        String create() {
            return "CREATE INDEX %s ON bulk USING %s (%s %s_%s) WITH (%s)".formatted(name, method, expression, kind, metric.ops(), options);
        }

        /** What to select and to order by. */
        String distance(String placeholder) {
            return expression + " " + metric.operator() + " " + placeholder;
        }

        List<String> settings() {
            List<String> all = new ArrayList<>(List.of("SET LOCAL enable_seqscan = off", "SET LOCAL enable_sort = off"));
            all.addAll(method.equals("ivfflat")
                ? List.of("SET LOCAL ivfflat.probes = 5", "SET LOCAL ivfflat.iterative_scan = relaxed_order")
                : List.of("SET LOCAL hnsw.ef_search = 400", "SET LOCAL hnsw.iterative_scan = strict_order"));
            return all;
        }
    }

    /** One per operator class; those of ivfflat for a server that has it. */
    static List<Index> indexes(float[][] rows, boolean ivfflat) {
        List<Index> all = new ArrayList<>();
        for (Metric m : METRICS) {
            all.add(index("hnsw", "vector", m, "m = 8, ef_construction = 100", rows, 7));
            all.add(index("hnsw", "halfvec", m, "m = 16", rows, 8));
            all.add(index("hnsw", "sparsevec", m, "ef_construction = 80", rows, 9));
        }
        for (Metric m : BIT_METRICS) all.add(index("hnsw", "bit", m, "m = 12", rows, 10));
        if (ivfflat) {
            all.add(index("ivfflat", "vector", METRICS.get(0), "lists = 5", rows, 7));
            all.add(index("ivfflat", "halfvec", METRICS.get(1), "lists = 5", rows, 8));
        }
        return all;
    }

    private static Index index(String method, String kind, Metric m, String options, float[][] rows, int query) {
        String expression = switch (kind) {
            case "vector" -> "embedding";
            case "bit" -> "(binary_quantize(embedding)::bit(" + DIM + "))";
            default -> "(embedding::" + kind + "(" + DIM + "))";
        };
        double[] nearest = Arrays.stream(rows).mapToDouble(row -> m.distance().applyAsDouble(row, rows[query])).sorted().limit(10).toArray();
        return new Index(method + "_" + kind + "_" + m.ops(), method, kind, expression, m, options, rows[query], nearest);
    }

    /** Small integers, which halfvec holds, and whose sums are exact. */
    static float[][] bulk() {
        float[][] rows = new float[COUNT][DIM];
        int state = 20240229;
        for (float[] row : rows) {
            for (int i = 0; i < DIM; i++) {
                state = state * 1664525 + 1013904223;
                row[i] = (state >>> 24) - 128;
            }
        }
        return rows;
    }

    static float[] sum(float[][] rows) {
        float[] sum = new float[rows[0].length];
        for (float[] row : rows) {
            for (int i = 0; i < sum.length; i++) sum[i] += row[i];
        }
        return sum;
    }

    static boolean[] signs(float[] v) {
        boolean[] signs = new boolean[v.length];
        for (int i = 0; i < v.length; i++) signs[i] = v[i] > 0;
        return signs;
    }

    private static float[] digits(String bits) {
        float[] digits = new float[bits.length()];
        for (int i = 0; i < digits.length; i++) digits[i] = bits.charAt(i) - '0';
        return digits;
    }

    private static double total(float[] a, float[] b, DoubleBinaryOperator term) {
        return IntStream.range(0, a.length).mapToDouble(i -> term.applyAsDouble(a[i], b[i])).sum();
    }

    private static double l2(float[] a, float[] b) {
        return Math.sqrt(total(a, b, (x, y) -> (x - y) * (x - y)));
    }

    private static double negativeProduct(float[] a, float[] b) {
        return -total(a, b, (x, y) -> x * y);
    }

    private static double cosine(float[] a, float[] b) {
        return 1 + negativeProduct(a, b) / Math.sqrt(negativeProduct(a, a) * negativeProduct(b, b));
    }

    private static double l1(float[] a, float[] b) {
        return total(a, b, (x, y) -> Math.abs(x - y));
    }

    /** Of the elements' signs, which is what binary_quantize keeps. */
    private static double hamming(float[] a, float[] b) {
        return total(a, b, (x, y) -> (x > 0) != (y > 0) ? 1 : 0);
    }

    private static double jaccard(float[] a, float[] b) {
        return 1 - total(a, b, (x, y) -> x > 0 && y > 0 ? 1 : 0) / total(a, b, (x, y) -> x > 0 || y > 0 ? 1 : 0);
    }

    private Vectors() {}
}
