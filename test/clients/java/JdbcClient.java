import com.pgvector.PGbit;
import com.pgvector.PGhalfvec;
import com.pgvector.PGsparsevec;
import com.pgvector.PGvector;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PGBinaryObject;
import org.postgresql.util.PGobject;

/** JDBC with com.pgvector: everything three times, as text, in binary, and by the simple query protocol. */
final class JdbcClient implements AutoCloseable {
    private final Connection db;
    private final String mode;

    public static void main(String[] args) {
        Check.run(() -> {
            String oids;
            try (JdbcClient text = new JdbcClient("text", "")) {
                text.everything();
                // The driver uses binary only for types that its address names.
                oids = text.column("SELECT oid::text FROM pg_type WHERE typname IN ('vector', 'sparsevec', 'bit')")
                    .stream().map(Object::toString).collect(Collectors.joining(","));
            }
            try (JdbcClient binary = new JdbcClient("binary", "&prepareThreshold=-1&binaryTransferEnable=" + oids)) {
                binary.everything();
            }
            try (JdbcClient simple = new JdbcClient("simple", "&preferQueryMode=simple")) {
                simple.everything();
            }
        });
    }

    private JdbcClient(String mode, String options) throws SQLException {
        this.mode = mode;
        db = DriverManager.getConnection(Check.address() + options);
        execute("CREATE EXTENSION IF NOT EXISTS vector");
        PGvector.registerTypes(db);
        PGbit.registerType(db);
    }

    @Override
    public void close() throws SQLException {
        db.close();
    }

    private void everything() throws Exception {
        values();
        searches();
        load();
        indexes();
        errors();
    }

    private void execute(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
            statement.execute();
        }
    }

    private List<List<Object>> rows(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
            List<List<Object>> rows = new ArrayList<>();
            ResultSet found = statement.executeQuery();
            while (found.next()) {
                List<Object> row = new ArrayList<>();
                for (int i = 1; i <= found.getMetaData().getColumnCount(); i++) row.add(found.getObject(i));
                rows.add(row);
            }
            return rows;
        }
    }

    private List<Object> column(String sql, Object... parameters) throws SQLException {
        return rows(sql, parameters).stream().map(row -> row.get(0)).toList();
    }

    private Object one(String sql, Object... parameters) throws SQLException {
        return column(sql, parameters).get(0);
    }

    private void equal(String name, Object got, Object want) {
        Check.equal(mode + ": " + name, got, want);
    }

    private static double[] distances(List<Object> found) {
        return found.stream().mapToDouble(d -> (Double) d).toArray();
    }

    private static PGsparsevec sparse(int row) {
        return new PGsparsevec(Vectors.SPARSE.get(row), Vectors.SPARSE_DIM);
    }

    private void values() throws SQLException {
        execute("DROP TABLE IF EXISTS items");
        execute("CREATE TABLE items (id serial PRIMARY KEY, category int, embedding vector(3), half halfvec(3), "
            + "sparse sparsevec(1000000), bits bit(8))");
        String insert = "INSERT INTO items (category, embedding, half, sparse, bits) VALUES (?, ?, ?, ?, ?)";
        // As a batch, and by the way the library's types are bound: as an object, NULL as one without a value.
        try (PreparedStatement statement = db.prepareStatement(insert)) {
            for (int i = 0; i < 3; i++) {
                Object[] row = {1 + i % 2, new PGvector(Vectors.ROWS[i]), new PGhalfvec(Vectors.ROWS[i]), sparse(i), new PGbit(Vectors.BITS[i])};
                for (int p = 0; p < row.length; p++) statement.setObject(p + 1, row[p]);
                statement.addBatch();
            }
            equal("rows of a batch", statement.executeBatch(), new int[] {1, 1, 1});
        }
        execute(insert, 2, null, null, null, null);

        for (int i = 0; i < 3; i++) {
            List<Object> row = rows("SELECT embedding, half, sparse, bits, concat_ws(' ', embedding, half, sparse, bits) FROM items WHERE id = ?", i + 1).get(0);
            equal("vector read back", ((PGvector) row.get(0)).toArray(), Vectors.ROWS[i]);
            equal("halfvec read back", ((PGhalfvec) row.get(1)).toArray(), Vectors.ROWS[i]);
            equal("sparsevec read back", row.get(2), sparse(i));
            equal("bit read back", row.get(3) instanceof PGbit bit ? bit : new PGbit((String) row.get(3)), new PGbit(Vectors.BITS[i]));
            equal("a row as text", row.get(4), Vectors.TEXTS[i]);
        }
        equal("NULLs read back", rows("SELECT embedding, half, sparse, bits FROM items WHERE id = 4").get(0), Arrays.asList(null, null, null, null));

        equal("vector's extremes", ((PGvector) one("SELECT ?::vector", new PGvector(Vectors.EXTREMES))).toArray(), Vectors.EXTREMES);
        equal("vector's extremes as text", one("SELECT ?::vector::text", new PGvector(Vectors.EXTREMES)), "[3.4028235e+38,1e-45,0.1]");
        equal("vector's extremes from text", ((PGvector) one("SELECT ?::text::vector", "[3.4028235e+38,1e-45,0.1]")).toArray(), Vectors.EXTREMES);
        equal("halfvec's extremes", ((PGhalfvec) one("SELECT ?::halfvec", new PGhalfvec(Vectors.HALF_EXTREMES))).toArray(), Vectors.HALF_EXTREMES);
        equal("16000 dimensions", ((PGvector) one("SELECT ?::vector", new PGvector(new float[16000]))).toArray().length, 16000);
        equal("avg", ((PGvector) one("SELECT avg(embedding) FROM items")).toArray(), new float[] {2, 3, 13f / 3});
        equal("sum", ((PGvector) one("SELECT sum(embedding) FROM items")).toArray(), new float[] {6, 9, 13});
        equal("sum of halfvec", ((PGhalfvec) one("SELECT sum(half) FROM items")).toArray(), new float[] {6, 9, 13});
        equal("avg of no rows", one("SELECT avg(embedding) FROM items WHERE id < 0"), null);
        equal("arithmetic", ((PGvector) one("SELECT ?::vector + ? - ?", new PGvector(Vectors.A), new PGvector(Vectors.B), new PGvector(Vectors.C))).toArray(),
            new float[] {4, 5, 5});
        execute("UPDATE items SET embedding = ? WHERE id = 2", new PGvector(new float[] {7, 8, 9}));
        equal("updated", ((PGvector) one("SELECT embedding FROM items WHERE id = 2")).toArray(), new float[] {7, 8, 9});
        execute("UPDATE items SET embedding = ? WHERE id = 2", new PGvector(Vectors.B));
        equal("equality", column("SELECT id FROM items WHERE embedding = ?", new PGvector(Vectors.C)), List.of(3));
    }

    private void searches() throws SQLException {
        List<PGobject> queries = List.of(new PGvector(Vectors.A), new PGhalfvec(Vectors.A), sparse(0), new PGbit(Vectors.BITS[0]));
        for (int i = 0; i < Vectors.COLUMNS.size(); i++) {
            Vectors.Column c = Vectors.COLUMNS.get(i);
            for (Vectors.Metric m : c.metrics()) {
                String distance = c.name() + " " + m.operator() + " ?";
                List<Object> found = column("SELECT " + distance + " FROM items WHERE id < 4 ORDER BY id", queries.get(i));
                Check.near(mode + ": " + m.function() + " of " + c.name(), distances(found), c.distances(m));
                equal(c.name() + " in order of " + m.function(), column("SELECT id FROM items WHERE id < 4 ORDER BY " + distance, queries.get(i)), c.order(m));
            }
        }
        equal("NULLs come last", column("SELECT id FROM items ORDER BY embedding <-> ?", new PGvector(Vectors.A)), List.of(1, 3, 2, 4));
        equal("a filter", column("SELECT id FROM items WHERE category = ? ORDER BY half <-> ?", 1, new PGhalfvec(Vectors.B)), List.of(3, 1));
        equal("a distance as filter", column("SELECT id FROM items WHERE embedding <-> ? < ? ORDER BY id", new PGvector(Vectors.A), 2.0), List.of(1, 3));
    }

    /** COPY in binary, whose fields are the library's own bytes, and COPY in text. */
    private void load() throws Exception {
        execute("DROP TABLE IF EXISTS bulk");
        execute("CREATE TABLE bulk (id int PRIMARY KEY, embedding vector(8))");
        execute("CREATE TEMP TABLE copied (id int, embedding vector, sparse sparsevec, bits varbit)");
        float[][] rows = Vectors.bulk();
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(stream);
        out.writeBytes("PGCOPY\n\u00ff\r\n\0");
        out.writeLong(0);
        for (int id = 0; id < 300; id++) {
            out.writeShort(2);
            out.writeInt(4);
            out.writeInt(id);
            field(out, new PGvector(rows[id]));
        }
        out.writeShort(-1);
        CopyManager copy = db.unwrap(PGConnection.class).getCopyAPI();
        equal("rows of a copy in binary", copy.copyIn("COPY bulk FROM STDIN (FORMAT binary)", new ByteArrayInputStream(stream.toByteArray())), 300L);
        StringBuilder text = new StringBuilder();
        for (int id = 300; id < rows.length; id++) text.append(id).append('\t').append(new PGvector(rows[id])).append('\n');
        equal("rows of a copy in text", copy.copyIn("COPY bulk FROM STDIN", new StringReader(text.toString())), (long) rows.length - 300);
        List<Object> found = column("SELECT embedding FROM bulk ORDER BY id");
        equal("every row came over", found.stream().map(v -> ((PGvector) v).toArray()).toArray(), rows);
        equal("sum of the rows", ((PGvector) one("SELECT sum(embedding) FROM bulk")).toArray(), Vectors.sum(rows));

        stream.reset();
        out.writeBytes("PGCOPY\n\u00ff\r\n\0");
        out.writeLong(0);
        out.writeShort(4);
        out.writeInt(4);
        out.writeInt(1);
        field(out, new PGvector(Vectors.EXTREMES));
        field(out, sparse(0));
        field(out, new PGbit(Vectors.BITS[1]));
        out.writeShort(-1);
        copy.copyIn("COPY copied FROM STDIN (FORMAT binary)", new ByteArrayInputStream(stream.toByteArray()));
        List<Object> row = rows("SELECT embedding, sparse, bits::text FROM copied").get(0);
        equal("copied vector", ((PGvector) row.get(0)).toArray(), Vectors.EXTREMES);
        equal("copied sparsevec", row.get(1), sparse(0));
        equal("copied bit", row.get(2), Vectors.BITS[1]);
        ByteArrayOutputStream back = new ByteArrayOutputStream();
        copy.copyOut("COPY copied TO STDOUT (FORMAT binary)", back);
        equal("the bytes copied out again", back.toByteArray(), stream.toByteArray());
    }

    private static <T extends PGobject & PGBinaryObject> void field(DataOutputStream out, T value) throws IOException {
        byte[] bytes = new byte[value.lengthInBytes()];
        value.toBytes(bytes, 0);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static PGobject query(Vectors.Index index) {
        return switch (index.kind()) {
            case "vector" -> new PGvector(index.query());
            case "halfvec" -> new PGhalfvec(index.query());
            case "sparsevec" -> new PGsparsevec(index.query());
            default -> new PGbit(Vectors.signs(index.query()));
        };
    }

    private void indexes() throws SQLException {
        boolean ivfflat = (Boolean) one("SELECT EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')");
        for (Vectors.Index index : Vectors.indexes(Vectors.bulk(), ivfflat)) {
            execute(index.create());
            db.setAutoCommit(false);
            for (String setting : index.settings()) execute(setting);
            String sql = "SELECT %1$s FROM bulk ORDER BY %1$s LIMIT 10".formatted(index.distance("?"));
            PGobject query = query(index);
            Check.near(mode + ": nearest by " + index.name(), distances(column(sql, query, query)), index.nearest());
            String plan = column("EXPLAIN (COSTS OFF) " + sql, query, query).toString();
            Check.that(mode + ": the plan has " + index.name(), plan.contains("Index Scan using " + index.name() + " "), plan);
            db.rollback();
            db.setAutoCommit(true);
            execute("DROP INDEX " + index.name());
        }
    }

    private void errors() throws Exception {
        fails("too many dimensions", "22000", "expected 3 dimensions, not 4", "INSERT INTO items (embedding) VALUES (?)", new PGvector(new float[4]));
        fails("dimensions of halfvec", "22000", "expected 3 dimensions, not 2", "INSERT INTO items (half) VALUES (?)", new PGhalfvec(new float[2]));
        fails("dimensions of sparsevec", "22000", "expected 1000000 dimensions, not 2", "INSERT INTO items (sparse) VALUES (?)", new PGsparsevec(new float[2]));
        fails("length of bit", "22026", "bit string length 3 does not match type bit(8)", "INSERT INTO items (bits) VALUES (?)", new PGbit("101"));
        fails("a query of other dimensions", "22000", "different vector dimensions 3 and 2", "SELECT id FROM items ORDER BY embedding <-> ?",
            new PGvector(new float[2]));
        fails("text that is no vector", "22P02", "invalid input syntax for type vector: \"1,2\"", "SELECT ?::text::vector", "1,2");
        fails("NaN", "22000", "NaN not allowed in vector", "SELECT ?::vector", new PGvector(new float[] {Float.NaN}));
        equal("the connection still works", one("SELECT count(*) FROM items"), 4L);
    }

    private void fails(String name, String code, String message, String sql, Object parameter) throws Exception {
        Check.fails(mode + ": " + name, code, message, () -> execute(sql, parameter));
    }
}
