// pgjdbc: connection, parameters and results in text and binary, fetch sizes, metadata, errors, cancel, COPY.
// Usage: java -cp postgresql.jar Suite.java HOST PORT USER DATABASE [PASSWORD] [CHECK...]

import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;

public class Suite {
    static final int ROWS = 35386;

    static final int SECONDS = Integer.parseInt(System.getenv().getOrDefault("SECONDS_PER_CHECK", "20"));

    interface Check {
        void run(Connection connection) throws Exception;
    }

    static final Map<String, Check> CHECKS = new LinkedHashMap<>();
    static String host, port, user, database, password;

    static Connection connect(String... more) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", user);
        properties.put("loginTimeout", "10");
        if (!password.isEmpty()) properties.put("password", password);
        for (int i = 0; i < more.length; i += 2) properties.put(more[i], more[i + 1]);
        return DriverManager.getConnection("jdbc:postgresql://" + host + ":" + port + "/" + database, properties);
    }

    static String told(Object value) {
        return value == null ? "null" : value + " (" + value.getClass().getSimpleName() + ")";
    }

    static void equal(Object found, Object expected) {
        if (!Objects.equals(found, expected)) throw new AssertionError(told(found) + " instead of " + told(expected));
    }

    static void truth(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    static void fails(String state, Check body, Connection connection) throws Exception {
        try {
            body.run(connection);
        } catch (SQLException e) {
            if (!state.equals(e.getSQLState())) throw new AssertionError(e.getSQLState() + " instead of " + state + ": " + e.getMessage());
            return;
        }
        throw new AssertionError("no error " + state);
    }

    static Object value(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            truth(r.next(), "no row");
            return r.getObject(1);
        }
    }

    static List<String> column(ResultSet r, String name) throws SQLException {
        List<String> found = new ArrayList<>();
        while (r.next()) found.add(r.getString(name));
        r.close();
        return found;
    }

    static List<String> labels(ResultSet r) throws SQLException {
        List<String> found = new ArrayList<>();
        for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) found.add(r.getMetaData().getColumnLabel(i));
        r.close();
        return found;
    }

    static int rows(ResultSet r) throws SQLException {
        int n = 0;
        while (r.next()) n++;
        r.close();
        return n;
    }

    /** A parameter and its value as it comes back: unprepared, and often enough that the driver prepares it and asks for binary. */
    static void trip(String name, String type, Object value) {
        CHECKS.put("param_" + name, c -> {
            try (PreparedStatement s = c.prepareStatement("SELECT ?::" + type)) {
                for (int i = 0; i < 8; i++) {
                    s.setObject(1, value);
                    ResultSet r = s.executeQuery();
                    truth(r.next(), "no row");
                    Object found = value instanceof LocalDate || value instanceof LocalTime || value instanceof LocalDateTime || value instanceof OffsetDateTime
                        ? r.getObject(1, value.getClass()) : r.getObject(1);
                    if (value instanceof byte[]) equal(java.util.Arrays.toString((byte[]) found), java.util.Arrays.toString((byte[]) value));
                    else equal(found, value);
                }
                s.setNull(1, Types.OTHER);
                ResultSet r = s.executeQuery();
                r.next();
                equal(r.getObject(1), null);
                truth(r.wasNull(), "not null");
            }
        });
    }

    static void declareTypes() {
        trip("int4", "int4", 7);
        trip("int8", "int8", 9223372036854775807L);
        trip("float4", "float4", 0.5f);
        trip("float8", "float8", 0.1);
        trip("numeric", "numeric", new BigDecimal("12345678901234.5678"));
        trip("bool", "bool", true);
        trip("text", "text", "käuf 😀 'q' \\");
        trip("varchar", "varchar", "a");
        trip("bytea", "bytea", new byte[] {0, -1, 92});
        trip("date", "date", LocalDate.of(2026, 3, 29));
        trip("time", "time", LocalTime.of(23, 59, 59, 999999000));
        trip("timestamp", "timestamp", LocalDateTime.of(2026, 3, 29, 2, 30, 0, 1000));
        trip("timestamptz", "timestamptz", OffsetDateTime.of(2026, 3, 29, 0, 59, 59, 999999000, ZoneOffset.UTC));
        trip("uuid", "uuid", UUID.fromString("12345678-1234-5678-1234-567812345678"));
        CHECKS.put("param_int2", c -> {
            PreparedStatement s = c.prepareStatement("SELECT ?::int2");
            s.setShort(1, (short) -5);
            ResultSet r = s.executeQuery();
            r.next();
            equal(r.getShort(1), (short) -5);
        });
        CHECKS.put("param_array", c -> {
            PreparedStatement s = c.prepareStatement("SELECT ?::int4[], ?::text[]");
            s.setArray(1, c.createArrayOf("int4", new Integer[] {1, null, 3}));
            s.setArray(2, c.createArrayOf("text", new String[] {"a", "b \"c\"", null}));
            ResultSet r = s.executeQuery();
            r.next();
            equal(List.of(1, 3), List.of(((Integer[]) r.getArray(1).getArray())[0], ((Integer[]) r.getArray(1).getArray())[2]));
            Array texts = r.getArray(2);
            equal(texts.getBaseTypeName(), "text");
            equal(((String[]) texts.getArray())[1], "b \"c\"");
        });
        CHECKS.put("param_interval", c -> {
            PreparedStatement s = c.prepareStatement("SELECT ?::interval, now() - ?");
            s.setObject(1, new org.postgresql.util.PGInterval("1 day 02:03:04.5"));
            s.setObject(2, new org.postgresql.util.PGInterval("1 hour"));
            ResultSet r = s.executeQuery();
            r.next();
            equal(r.getObject(1).toString(), "0 years 0 mons 1 days 2 hours 3 mins 4.5 secs");
        });
        CHECKS.put("param_json", c -> {
            PreparedStatement s = c.prepareStatement("SELECT ?::json ->> 'a', ?::jsonb");
            s.setString(1, "{\"a\": \"x\"}");
            s.setString(2, "{\"a\":1}");
            ResultSet r = s.executeQuery();
            r.next();
            equal(r.getString(1), "x");
            equal(r.getString(2), "{\"a\": 1}");
        });
        CHECKS.put("param_of_column_types", c -> {
            PreparedStatement s = c.prepareStatement("SELECT count(*) FROM touchpoints WHERE ts >= ? AND ts < ? AND event = ? AND revenue > ? AND score < ?");
            for (int i = 0; i < 8; i++) {
                s.setObject(1, OffsetDateTime.parse("2026-01-01T00:00:00Z"));
                s.setTimestamp(2, java.sql.Timestamp.from(java.time.Instant.parse("2027-01-01T00:00:00Z")));
                s.setString(3, "purchase");
                s.setBigDecimal(4, new BigDecimal("0.5"));
                s.setDouble(5, 1.0);
                ResultSet r = s.executeQuery();
                r.next();
                equal(r.getLong(1), 1L);
            }
        });
    }

    static void declareResults() {
        CHECKS.put("connect_and_version", c -> {
            DatabaseMetaData m = c.getMetaData();
            equal(m.getDatabaseProductName(), "PostgreSQL");
            truth(m.getDatabaseMajorVersion() >= 12, m.getDatabaseProductVersion());
            truth(c.isValid(5), "not valid");
            equal(c.getCatalog(), database);
            equal(c.getSchema(), "public");
            equal(m.getUserName(), user);
        });
        CHECKS.put("count_rows", c -> equal(value(c, "SELECT count(*) FROM touchpoints"), (long) ROWS));
        CHECKS.put("simple_mode", c -> {
            try (Connection simple = connect("preferQueryMode", "simple")) {
                PreparedStatement s = simple.prepareStatement("SELECT event, revenue, ts FROM touchpoints WHERE event_id = ? AND score < ?");
                s.setString(1, "edge-2");
                s.setDouble(2, 1.5);
                ResultSet r = s.executeQuery();
                truth(r.next(), "no row");
                equal(r.getBigDecimal(2), new BigDecimal("19.9000"));
            }
        });
        CHECKS.put("extended_for_prepared", c -> {
            try (Connection other = connect("preferQueryMode", "extendedForPrepared")) {
                equal(value(other, "SELECT 1"), 1);
            }
        });
        for (String binary : new String[] {"true", "false"}) {
            CHECKS.put("edge_rows_binary_" + binary, c -> {
                try (Connection other = connect("binaryTransfer", binary, "prepareThreshold", "-1")) {
                    PreparedStatement s = other.prepareStatement("SELECT user_id, ts, event, revenue, cost, score, page FROM touchpoints WHERE event_id LIKE ? ORDER BY event_id");
                    for (int i = 0; i < 3; i++) {
                        s.setString(1, "edge-%");
                        ResultSet r = s.executeQuery();
                        r.next();
                        equal(r.getBigDecimal(4), null);
                        r.next();
                        equal(r.getObject(2, OffsetDateTime.class), OffsetDateTime.parse("2026-01-01T10:05:00.000001Z"));
                        equal(r.getBigDecimal(4), new BigDecimal("19.9000"));
                        equal(r.getBigDecimal(5), new BigDecimal("0.0001"));
                        equal(r.getDouble(6), 0.1);
                        r.next();
                        equal(r.getBigDecimal(4), new BigDecimal("12345678901234.5678"));
                        equal(r.getDouble(6), 1e300);
                        r.next();
                        equal(r.getString(1), "edge-ü");
                        equal(r.getString(3), "käuf 😀");
                        r.next();
                        equal(r.getString(7), "two\nlines\tand a tab");
                        truth(!r.next(), "too many rows");
                    }
                }
            });
        }
        CHECKS.put("result_metadata", c -> {
            PreparedStatement s = c.prepareStatement("SELECT user_id, ts, revenue, score, count(*) AS n FROM touchpoints WHERE event = ? GROUP BY 1, 2, 3, 4");
            ResultSetMetaData m = s.getMetaData();
            equal(m.getColumnCount(), 5);
            equal(m.getColumnTypeName(1), "text");
            equal(m.getColumnType(2), Types.TIMESTAMP);
            equal(m.getColumnTypeName(2), "timestamptz");
            equal(m.getColumnType(3), Types.NUMERIC);
            equal(List.of(m.getPrecision(3), m.getScale(3)), List.of(18, 4));
            equal(m.getColumnClassName(4), "java.lang.Double");
            equal(m.getColumnLabel(5), "n");
            ParameterMetaData p = s.getParameterMetaData();
            equal(p.getParameterCount(), 1);
            equal(p.getParameterTypeName(1), "text");
        });
        CHECKS.put("result_metadata_of_table", c -> {
            ResultSetMetaData m = c.createStatement().executeQuery("SELECT user_id, event AS what FROM touchpoints LIMIT 1").getMetaData();
            equal(m.getTableName(1), "touchpoints");
            equal(((org.postgresql.PGResultSetMetaData) m).getBaseSchemaName(1), "public");
            equal(((org.postgresql.PGResultSetMetaData) m).getBaseColumnName(2), "event");
            equal(m.isNullable(1), ResultSetMetaData.columnNoNulls);
            equal(m.isAutoIncrement(1), false);
        });
        CHECKS.put("dates_and_zones", c -> {
            ResultSet r = c.createStatement().executeQuery("SELECT DATE '2026-03-29', TIME '10:11:12.5', TIMESTAMP '2026-03-29 02:30:00', '2026-03-29 01:00:00+00'::timestamptz, '10:11:12+02'::timetz");
            r.next();
            equal(r.getDate(1), Date.valueOf("2026-03-29"));
            equal(r.getObject(2, LocalTime.class), LocalTime.parse("10:11:12.5"));
            equal(r.getObject(3, LocalDateTime.class), LocalDateTime.parse("2026-03-29T02:30:00"));
            equal(r.getTimestamp(4).toInstant().toString(), "2026-03-29T01:00:00Z");
            equal(r.getString(5), "10:11:12+02");
        });
        CHECKS.put("empty_results", c -> {
            ResultSet r = c.createStatement().executeQuery("SELECT user_id FROM touchpoints WHERE false");
            truth(!r.next(), "a row");
            equal(r.getMetaData().getColumnName(1), "user_id");
            truth(!c.createStatement().execute(""), "a result");
        });
        CHECKS.put("several_statements", c -> {
            Statement s = c.createStatement();
            truth(s.execute("SELECT 1; SELECT 2, 3"), "no result");
            ResultSet r = s.getResultSet();
            r.next();
            equal(r.getInt(1), 1);
            truth(s.getMoreResults(), "no second");
            r = s.getResultSet();
            r.next();
            equal(r.getInt(2), 3);
        });
        CHECKS.put("max_rows", c -> {
            Statement s = c.createStatement();
            s.setMaxRows(10);
            equal(rows(s.executeQuery("SELECT * FROM touchpoints")), 10);
        });
        CHECKS.put("large_result", c -> equal(rows(c.createStatement().executeQuery("SELECT * FROM touchpoints")), ROWS));
        for (int size : new int[] {1, 7, 1000, 50000}) {
            CHECKS.put("fetch_size_" + size, c -> {
                c.setAutoCommit(false);
                PreparedStatement s = c.prepareStatement("SELECT user_id, ts, revenue FROM touchpoints" + (size == 1 ? " LIMIT 300" : ""));
                for (int i = 0; i < (size < 1000 ? 1 : 6); i++) {
                    s.setFetchSize(size);
                    equal(rows(s.executeQuery()), size == 1 ? 300 : ROWS);
                }
                c.commit();
            });
        }
        CHECKS.put("fetch_size_two_at_once", c -> {
            c.setAutoCommit(false);
            Statement one = c.createStatement(), two = c.createStatement();
            one.setFetchSize(10);
            two.setFetchSize(10);
            ResultSet a = one.executeQuery("SELECT n FROM generate_series(1, 100) AS t(n)");
            ResultSet b = two.executeQuery("SELECT n FROM generate_series(101, 200) AS t(n)");
            for (int i = 1; i <= 100; i++) {
                a.next();
                b.next();
                equal(a.getInt(1), i);
                equal(b.getInt(1), i + 100);
            }
            c.commit();
        });
        CHECKS.put("fetch_size_changed", c -> {
            c.setAutoCommit(false);
            Statement s = c.createStatement();
            s.setFetchSize(5);
            ResultSet r = s.executeQuery("SELECT n FROM generate_series(1, 1000) AS t(n)");
            for (int i = 1; i <= 5; i++) r.next();
            r.setFetchSize(100);
            int n = 5;
            while (r.next()) equal(r.getInt(1), ++n);
            equal(n, 1000);
        });
        CHECKS.put("fetch_closed_early", c -> {
            c.setAutoCommit(false);
            for (int i = 0; i < 20; i++) {
                Statement s = c.createStatement();
                s.setFetchSize(10);
                ResultSet r = s.executeQuery("SELECT a.event_id FROM touchpoints a, touchpoints b");
                r.next();
                r.close();
                s.close();
            }
            equal(value(c, "SELECT 1"), 1);
        });
        CHECKS.put("scroll_insensitive", c -> {
            Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY);
            ResultSet r = s.executeQuery("SELECT n FROM generate_series(1, 10) AS t(n)");
            truth(r.last(), "no last");
            equal(r.getRow(), 10);
            r.absolute(3);
            equal(r.getInt(1), 3);
        });
        CHECKS.put("refcursor_statements", c -> {
            c.setAutoCommit(false);
            Statement s = c.createStatement();
            s.execute("DECLARE k CURSOR FOR SELECT n FROM generate_series(1, 10) AS t(n)");
            equal(rows(s.executeQuery("FETCH 4 FROM k")), 4);
            s.execute("CLOSE k");
            c.commit();
        });
    }

    static void declareSession() {
        CHECKS.put("errors", c -> {
            fails("42703", x -> value(x, "SELECT no_such FROM touchpoints"), c);
            fails("42P01", x -> value(x, "SELECT 1 FROM no_such"), c);
            fails("42601", x -> value(x, "SELEC 1"), c);
            fails("22012", x -> value(x, "SELECT 1 / 0"), c);
            fails("22P02", x -> value(x, "SELECT 'a'::int4"), c);
            fails("42883", x -> value(x, "SELECT no_such(1)"), c);
            equal(value(c, "SELECT 1"), 1);
        });
        CHECKS.put("error_details", c -> {
            try {
                value(c, "SELECT no_such FROM touchpoints");
            } catch (org.postgresql.util.PSQLException e) {
                equal(e.getServerErrorMessage().getPosition(), 8);
                equal(e.getServerErrorMessage().getSeverity(), "ERROR");
                equal(e.getServerErrorMessage().getMessage(), "column \"no_such\" does not exist");
                return;
            }
            throw new AssertionError("no error");
        });
        CHECKS.put("transactions", c -> {
            c.setAutoCommit(false);
            value(c, "SELECT 1");
            Savepoint point = c.setSavepoint("here");
            fails("42703", x -> value(x, "SELECT no_such"), c);
            fails("25P02", x -> value(x, "SELECT 1"), c);
            c.rollback(point);
            equal(value(c, "SELECT 1"), 1);
            c.releaseSavepoint(point);
            c.commit();
            c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            equal(c.getTransactionIsolation(), Connection.TRANSACTION_REPEATABLE_READ);
        });
        CHECKS.put("autosave_always", c -> {
            try (Connection other = connect("autosave", "always")) {
                other.setAutoCommit(false);
                value(other, "SELECT 1");
                fails("42703", x -> value(x, "SELECT no_such"), other);
                equal(value(other, "SELECT 2"), 2);
                other.commit();
            }
        });
        CHECKS.put("read_only", c -> {
            c.setReadOnly(true);
            c.setAutoCommit(false);
            equal(value(c, "SHOW transaction_read_only"), "on");
            c.commit();
            c.setAutoCommit(true);
            c.setReadOnly(false);
        });
        CHECKS.put("cancel", c -> {
            Statement s = c.createStatement();
            CompletableFuture<Void> later = CompletableFuture.runAsync(() -> {
                try {
                    Thread.sleep(400);
                    s.cancel();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            long start = System.nanoTime();
            fails("57014", x -> s.executeQuery("SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)"), c);
            later.get(5, TimeUnit.SECONDS);
            truth(System.nanoTime() - start < 10_000_000_000L, "too late");
            equal(value(c, "SELECT 1"), 1);
        });
        CHECKS.put("query_timeout", c -> {
            Statement s = c.createStatement();
            s.setQueryTimeout(1);
            fails("57014", x -> s.executeQuery("SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)"), c);
            equal(value(c, "SELECT 1"), 1);
        });
        CHECKS.put("statement_timeout", c -> {
            c.createStatement().execute("SET statement_timeout = 300");
            fails("57014", x -> value(x, "SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)"), c);
            c.createStatement().execute("SET statement_timeout = 0");
        });
        CHECKS.put("client_info", c -> {
            c.setClientInfo("ApplicationName", "suite");
            equal(value(c, "SHOW application_name"), "suite");
        });
        CHECKS.put("set_schema", c -> {
            c.setSchema("pg_catalog");
            equal(c.getSchema(), "pg_catalog");
            c.setSchema("public");
            equal(value(c, "SELECT count(*) FROM touchpoints"), (long) ROWS);
        });
        CHECKS.put("discard_all", c -> {
            PreparedStatement s = c.prepareStatement("SELECT 1");
            for (int i = 0; i < 8; i++) rows(s.executeQuery());
            c.createStatement().execute("DISCARD ALL");
            equal(value(c, "SELECT 2"), 2);
        });
        CHECKS.put("copy_out", c -> {
            StringWriter out = new StringWriter();
            long n = c.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT event_id, revenue FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT WITH (FORMAT csv)", out);
            equal(n, 5L);
            equal(out.toString(), "edge-1,\nedge-2,19.9000\nedge-3,12345678901234.5678\nedge-4,-0.5000\nedge-5,-7.0000\n");
        });
        CHECKS.put("batch_of_reads", c -> {
            try (Statement s = c.createStatement()) {
                s.execute("SET application_name = 'a'");
                s.addBatch("SET application_name = 'b'");
                s.addBatch("SET application_name = 'c'");
                equal(s.executeBatch().length, 2);
            }
            equal(value(c, "SHOW application_name"), "c");
        });
        CHECKS.put("escapes", c -> {
            equal(value(c, "SELECT {fn ucase('a')}"), "A");
            equal(value(c, "SELECT {d '2026-01-01'}::text"), "2026-01-01");
            equal(value(c, "SELECT {fn concat('a', 'b')}"), "ab");
        });
    }

    static void declareMetadata() {
        CHECKS.put("metadata_schemas", c -> {
            List<String> found = column(c.getMetaData().getSchemas(), "TABLE_SCHEM");
            truth(found.containsAll(List.of("information_schema", "pg_catalog", "public")), found);
        });
        CHECKS.put("metadata_catalogs", c -> truth(column(c.getMetaData().getCatalogs(), "TABLE_CAT").contains(database), "not there"));
        CHECKS.put("metadata_table_types", c -> truth(column(c.getMetaData().getTableTypes(), "TABLE_TYPE").containsAll(List.of("TABLE", "VIEW", "SYSTEM TABLE")), "not there"));
        CHECKS.put("metadata_tables", c -> {
            ResultSet r = c.getMetaData().getTables(null, "public", "touch%", new String[] {"TABLE", "VIEW"});
            truth(r.next(), "no table");
            equal(r.getString("TABLE_NAME"), "touchpoints");
            equal(r.getString("TABLE_TYPE"), "TABLE");
            equal(r.getString("TABLE_SCHEM"), "public");
            truth(!r.next(), "two tables");
        });
        CHECKS.put("metadata_tables_all", c -> {
            Set<String> found = new TreeSet<>(column(c.getMetaData().getTables(null, null, "%", null), "TABLE_NAME"));
            truth(found.containsAll(List.of("touchpoints", "pg_class", "pg_attribute", "columns")), found);
        });
        CHECKS.put("metadata_columns", c -> {
            ResultSet r = c.getMetaData().getColumns(null, "public", "touchpoints", "%");
            Map<String, String> found = new TreeMap<>();
            while (r.next()) {
                found.put(r.getString("COLUMN_NAME"), r.getInt("DATA_TYPE") + " " + r.getString("TYPE_NAME") + " " + r.getString("IS_NULLABLE"));
                if (r.getString("COLUMN_NAME").equals("revenue")) equal(List.of(r.getInt("COLUMN_SIZE"), r.getInt("DECIMAL_DIGITS")), List.of(18, 4));
            }
            equal(found.get("user_id"), "12 text NO");
            equal(found.get("ts"), "93 timestamptz NO");
            equal(found.get("revenue"), "2 numeric YES");
            equal(found.get("score"), "8 float8 YES");
            equal(found.size(), 19);
        });
        CHECKS.put("metadata_keys", c -> {
            DatabaseMetaData m = c.getMetaData();
            equal(rows(m.getPrimaryKeys(null, "public", "touchpoints")), 0);
            equal(rows(m.getImportedKeys(null, "public", "touchpoints")), 0);
            equal(rows(m.getExportedKeys(null, "public", "touchpoints")), 0);
            equal(rows(m.getIndexInfo(null, "public", "touchpoints", false, true)), 0);
            rows(m.getBestRowIdentifier(null, "public", "touchpoints", DatabaseMetaData.bestRowSession, true));
        });
        CHECKS.put("metadata_type_info", c -> {
            List<String> found = column(c.getMetaData().getTypeInfo(), "TYPE_NAME");
            truth(found.containsAll(List.of("int4", "int8", "text", "timestamptz", "numeric", "float8", "bool", "uuid", "json", "jsonb", "_int4")), found);
        });
        CHECKS.put("metadata_functions", c -> {
            DatabaseMetaData m = c.getMetaData();
            truth(rows(m.getFunctions(null, null, "lower")) > 0, "no lower");
            rows(m.getProcedures(null, null, "%"));
            rows(m.getFunctionColumns(null, null, "lower", "%"));
        });
        CHECKS.put("metadata_privileges", c -> {
            rows(c.getMetaData().getTablePrivileges(null, "public", "touchpoints"));
            rows(c.getMetaData().getColumnPrivileges(null, "public", "touchpoints", "%"));
        });
        CHECKS.put("metadata_client_info", c -> truth(labels(c.getMetaData().getClientInfoProperties()).contains("NAME"), "no NAME"));
        CHECKS.put("metadata_words", c -> {
            DatabaseMetaData m = c.getMetaData();
            truth(m.getSQLKeywords().length() > 10, m.getSQLKeywords());
            equal(m.getMaxColumnNameLength(), 63);
            truth(m.getStringFunctions().contains("concat"), m.getStringFunctions());
            equal(m.getDefaultTransactionIsolation(), Connection.TRANSACTION_READ_COMMITTED);
        });
        CHECKS.put("metadata_views", c -> {
            c.createStatement().execute("DROP VIEW IF EXISTS java_view");
            c.createStatement().execute("CREATE VIEW java_view AS SELECT event, count(*) AS n FROM touchpoints GROUP BY event");
            try {
                equal(column(c.getMetaData().getTables(null, "public", "java_view", new String[] {"VIEW"}), "TABLE_NAME"), List.of("java_view"));
                equal(column(c.getMetaData().getColumns(null, "public", "java_view", null), "COLUMN_NAME"), List.of("event", "n"));
            } finally {
                c.createStatement().execute("DROP VIEW java_view");
            }
        });
    }

    static String outcome(Check check) {
        try {
            CompletableFuture<String> result = new CompletableFuture<>();
            Thread thread = new Thread(() -> {
                try (Connection connection = connect()) {
                    check.run(connection);
                    result.complete(null);
                } catch (Throwable e) {
                    String text = e.getClass().getSimpleName() + ": " + e.getMessage();
                    result.complete(text.replaceAll("\\s+", " "));
                }
            });
            thread.setDaemon(true);
            thread.start();
            return result.get(SECONDS, TimeUnit.SECONDS);
        } catch (Exception e) {
            return "no answer within " + SECONDS + " s";
        }
    }

    public static void main(String[] words) {
        host = words[0];
        port = words[1];
        user = words[2];
        database = words[3];
        password = words.length > 4 ? words[4] : "";
        Set<String> only = new TreeSet<>(List.of(words).subList(Math.min(5, words.length), words.length));
        declareTypes();
        declareResults();
        declareSession();
        declareMetadata();
        CHECKS.forEach((name, check) -> {
            if (!only.isEmpty() && !only.contains(name)) return;
            String reason = outcome(check);
            System.out.println(reason == null ? "ok " + name : "fail " + name + ": " + reason.substring(0, Math.min(400, reason.length())));
            System.out.flush();
        });
        System.exit(0);
    }
}
