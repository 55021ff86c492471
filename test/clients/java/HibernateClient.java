import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.sql.DriverManager;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.annotations.Array;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.cfg.Configuration;
import org.hibernate.query.Query;
import org.hibernate.type.SqlTypes;
import org.hibernate.vector.SparseFloatVector;

/** Hibernate's vector module: the schema from annotations, searches in HQL by the functions it has for them. */
final class HibernateClient {
    @Entity(name = "Item")
    @Table(name = "items")
    static class Item {
        @Id
        @GeneratedValue(strategy = GenerationType.IDENTITY)
        Integer id;

        int category;

        @JdbcTypeCode(SqlTypes.VECTOR)
        @Array(length = 3)
        float[] embedding;

        @JdbcTypeCode(SqlTypes.VECTOR_FLOAT16)
        @Array(length = 3)
        float[] half;

        @JdbcTypeCode(SqlTypes.SPARSE_VECTOR_FLOAT32)
        @Array(length = Vectors.SPARSE_DIM)
        SparseFloatVector sparse;

        @JdbcTypeCode(SqlTypes.VECTOR_BINARY)
        @Array(length = 8)
        byte[] bits;
    }

    @Entity(name = "Bulk")
    @Table(name = "bulk")
    static class Bulk {
        @Id
        int id;

        @Column(nullable = false)
        @JdbcTypeCode(SqlTypes.VECTOR)
        @Array(length = Vectors.DIM)
        float[] embedding;
    }

    public static void main(String[] args) {
        Logger.getLogger("org.hibernate").setLevel(Level.SEVERE);
        Check.run(() -> {
            // The schema needs the extension's types.
            try (var db = DriverManager.getConnection(Check.address()); var statement = db.createStatement()) {
                statement.execute("CREATE EXTENSION IF NOT EXISTS vector");
            }
            Configuration configuration = new Configuration()
                .setProperty("hibernate.connection.url", Check.address())
                .setProperty("hibernate.hbm2ddl.auto", "create")
                .setProperty("hibernate.jdbc.batch_size", "50")
                .addAnnotatedClass(Item.class)
                .addAnnotatedClass(Bulk.class);
            try (SessionFactory factory = configuration.buildSessionFactory()) {
                factory.inTransaction(HibernateClient::schema);
                factory.inTransaction(HibernateClient::insert);
                factory.inTransaction(HibernateClient::values);
                factory.inTransaction(HibernateClient::searches);
                factory.inTransaction(HibernateClient::load);
                factory.inTransaction(HibernateClient::indexes);
                errors(factory);
            }
        });
    }

    private static SparseFloatVector sparse(int row) {
        SparseFloatVector v = new SparseFloatVector(Vectors.SPARSE_DIM);
        Vectors.SPARSE.get(row).forEach((index, value) -> v.set(index, value));
        return v;
    }

    private static byte[] bits(int row) {
        return new byte[] {(byte) Integer.parseInt(Vectors.BITS[row], 2)};
    }

    /** The only column of an SQL query. */
    private static List<Object> sql(Session db, String text) {
        return db.createNativeQuery(text, Object.class).getResultList();
    }

    private static void schema(Session db) {
        Check.equal("the columns' types", sql(db, "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'items'::regclass "
            + "AND attname IN ('embedding', 'half', 'sparse', 'bits') ORDER BY attname"), List.of("bit(8)", "vector(3)", "halfvec(3)", "sparsevec(1000000)"));
    }

    private static void insert(Session db) {
        for (int i = 0; i < 4; i++) {
            Item item = new Item();
            item.category = 1 + i % 2;
            if (i < 3) {
                item.embedding = Vectors.ROWS[i];
                item.half = Vectors.ROWS[i];
                item.sparse = sparse(i);
            }
            // Hibernate 7.4 cannot read a NULL of bit.
            item.bits = bits(i % 3);
            db.persist(item);
            Check.equal("an id for row " + (i + 1), item.id, i + 1);
        }
    }

    private static void values(Session db) {
        for (int i = 0; i < 3; i++) {
            Item item = db.find(Item.class, i + 1);
            Check.equal("vector read back", item.embedding, Vectors.ROWS[i]);
            Check.equal("halfvec read back", item.half, Vectors.ROWS[i]);
            Check.equal("sparsevec read back", item.sparse.toString(), sparse(i).toString());
            Check.equal("bit read back", item.bits, bits(i));
        }
        Check.equal("rows as text", sql(db, "SELECT concat_ws(' ', embedding, half, sparse, bits) FROM items WHERE id < 4 ORDER BY id"), List.of(Vectors.TEXTS));
        Item nothing = db.find(Item.class, 4);
        Check.equal("NULLs read back", new Object[] {nothing.embedding, nothing.half, nothing.sparse}, new Object[3]);
        Item item = db.find(Item.class, 2);
        for (float[] v : new float[][] {Vectors.EXTREMES, Vectors.B}) {
            item.embedding = v;
            db.flush();
            db.refresh(item);
            Check.equal("updated", item.embedding, v);
        }
        item.half = Vectors.HALF_EXTREMES;
        db.flush();
        db.refresh(item);
        Check.equal("halfvec's extremes", item.half, Vectors.HALF_EXTREMES);
        item.half = Vectors.B;
    }

    private static Object query(String column) {
        return switch (column) {
            case "sparse" -> sparse(0);
            case "bits" -> bits(0);
            default -> Vectors.A;
        };
    }

    private static double[] distances(List<Double> found) {
        return found.stream().mapToDouble(Double::doubleValue).toArray();
    }

    private static List<Integer> ids(Session db, String hql, Object query) {
        return db.createQuery("select i.id from Item i " + hql, Integer.class).setParameter("q", query).getResultList();
    }

    private static void searches(Session db) {
        for (Vectors.Column c : Vectors.COLUMNS) {
            for (Vectors.Metric m : c.metrics()) {
                String distance = m.function() + "(i." + c.name() + ", :q)";
                Query<Double> query = db.createQuery("select " + distance + " from Item i where i.id < 4 order by i.id", Double.class);
                Check.near(m.function() + " of " + c.name(), distances(query.setParameter("q", query(c.name())).getResultList()), c.distances(m));
                Check.equal(c.name() + " in order of " + m.function(), ids(db, "where i.id < 4 order by " + distance, query(c.name())), c.order(m));
            }
        }
        Check.equal("NULLs come last", ids(db, "order by l2_distance(i.embedding, :q)", Vectors.A), List.of(1, 3, 2, 4));
        Check.equal("a filter", ids(db, "where i.category = 1 order by l2_distance(i.half, :q)", Vectors.B), List.of(3, 1));
        Check.equal("a distance as filter", ids(db, "where l2_distance(i.embedding, :q) < 2 order by i.id", Vectors.A), List.of(1, 3));
        Query<Double> more = db.createQuery("select inner_product(i.embedding, :q) from Item i where i.id < 4 order by i.id", Double.class);
        Check.near("inner_product", distances(more.setParameter("q", Vectors.A).getResultList()), new double[] {14, 32, 17});
        Check.equal("vector_dims", db.createQuery("select vector_dims(i.embedding) from Item i where i.id = 1", Integer.class).getSingleResult(), 3);
        Check.near("vector_norm", distances(db.createQuery("select vector_norm(i.embedding) from Item i where i.id = 1", Double.class).getResultList()),
            new double[] {Math.sqrt(14)});
        Check.equal("subvector", db.createQuery("select subvector(i.embedding, 2, 2) from Item i where i.id = 3", float[].class).getSingleResult(), new float[] {2, 4});
        Check.equal("l2_normalize", db.createQuery("select l2_normalize(i.embedding - i.embedding) from Item i where i.id = 3", float[].class).getSingleResult(), new float[3]);
    }

    private static void load(Session db) {
        float[][] rows = Vectors.bulk();
        for (int id = 0; id < rows.length; id++) {
            Bulk row = new Bulk();
            row.id = id;
            row.embedding = rows[id];
            db.persist(row);
        }
        db.flush();
        db.clear();
        List<Bulk> found = db.createQuery("from Bulk b order by b.id", Bulk.class).getResultList();
        Check.equal("every row came over", found.stream().map(row -> row.embedding).toArray(), rows);
    }

    /** Those that HQL can search through: it has no casts to halfvec, and writes l1_distance as a function, not by its operator. */
    private static void indexes(Session db) {
        boolean ivfflat = (Boolean) sql(db, "SELECT EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')").get(0);
        for (Vectors.Index index : Vectors.indexes(Vectors.bulk(), ivfflat)) {
            if (!index.expression().equals("embedding") || index.metric().ops().equals("l1_ops")) continue;
            db.createNativeMutationQuery(index.create()).executeUpdate();
            index.settings().forEach(setting -> db.createNativeMutationQuery(setting).executeUpdate());
            String distance = index.metric().function() + "(b.embedding, :q)";
            Query<Double> nearest = db.createQuery("select %1$s from Bulk b order by %1$s limit 10".formatted(distance), Double.class);
            Check.near("nearest by " + index.name(), distances(nearest.setParameter("q", index.query()).getResultList()), index.nearest());
            Object scans = sql(db, "SELECT pg_stat_get_xact_numscans('" + index.name() + "'::regclass)").get(0);
            Check.equal("found through " + index.name(), scans, 1L);
            db.createNativeMutationQuery("DROP INDEX " + index.name()).executeUpdate();
        }
    }

    private static void errors(SessionFactory factory) throws Exception {
        Check.fails("too many dimensions", "22000", "expected 3 dimensions, not 4", () -> factory.inTransaction(db -> {
            Item item = new Item();
            item.embedding = new float[4];
            db.persist(item);
        }));
        Check.fails("a query of other dimensions", "22000", "different vector dimensions 3 and 2",
            () -> factory.inTransaction(db -> ids(db, "order by l2_distance(i.embedding, :q)", new float[2])));
        Check.fails("NaN", "22000", "NaN not allowed in halfvec", () -> factory.inTransaction(db -> {
            Item item = new Item();
            item.half = new float[] {1, Float.NaN, 3};
            db.persist(item);
        }));
        factory.inTransaction(db -> Check.equal("what failed left no rows", db.createQuery("select count(*) from Item", Long.class).getSingleResult(), 4L));
    }

    private HibernateClient() {}
}
