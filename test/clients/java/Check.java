import java.sql.SQLException;
import java.util.Arrays;
import java.util.Objects;
import org.postgresql.util.PSQLException;

/** Prints what a client program finds right and wrong, as test/clients/lib.sh counts it. */
final class Check {
    interface Program {
        void run() throws Exception;
    }

    private static boolean failed;

    private Check() {}

    static void that(String name, boolean ok, String why) {
        System.out.println(ok ? "ok - " + name : "not ok - " + name + ": " + why.replace('\n', ' '));
        failed |= !ok;
    }

    /** Exact, for arrays element by element. */
    static void equal(String name, Object got, Object want) {
        Object[] pair = {got, want};
        that(name, Objects.deepEquals(got, want), "got, expected " + Arrays.deepToString(pair));
    }

    /** Distances, which the server adds up in single precision. */
    static void near(String name, double[] got, double[] want) {
        boolean ok = got.length == want.length;
        for (int i = 0; ok && i < got.length; i++) ok = Math.abs(got[i] - want[i]) <= 1e-5 * Math.max(1, Math.abs(want[i]));
        that(name, ok, "got " + Arrays.toString(got) + ", expected " + Arrays.toString(want));
    }

    /** The block must raise the server's error of this SQLSTATE and text, whatever a library wraps it in. */
    static void fails(String name, String code, String message, Program block) throws Exception {
        String got = "no error";
        try {
            block.run();
        } catch (Exception error) {
            got = error.toString();
            for (Throwable t = error; t != null; t = t.getCause()) {
                if (t instanceof PSQLException sql && sql.getServerErrorMessage() != null) {
                    got = sql.getSQLState() + " " + sql.getServerErrorMessage().getMessage();
                }
            }
        }
        equal(name, got, code + " " + message);
    }

    /** Runs a program; whatever ends it early is a failed check. */
    static void run(Program program) {
        try {
            program.run();
        } catch (Exception error) {
            error.printStackTrace();
            that("runs to its end", false, error.toString());
        }
        System.out.flush();
        System.exit(failed ? 1 : 0);
    }

    /** PGHOST, PGPORT, PGDATABASE and PGUSER as the driver's address. */
    static String address() throws SQLException {
        return "jdbc:postgresql://%s:%s/%s?user=%s".formatted(
            System.getenv("PGHOST"), System.getenv("PGPORT"), System.getenv("PGDATABASE"), System.getenv("PGUSER"));
    }
}
