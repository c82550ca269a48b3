// Reads a whole result with pgjdbc and prints the number of rows and the seconds.
// Usage: java -cp postgresql.jar Stream.java FETCH_SIZE HOST PORT USER DATABASE QUERY

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

public class Stream {
    public static void main(String[] words) throws Exception {
        String url = "jdbc:postgresql://" + words[1] + ":" + words[2] + "/" + words[4] + "?user=" + words[3];
        try (Connection connection = DriverManager.getConnection(url)) {
            connection.setAutoCommit(false);
            long started = System.nanoTime();
            long count = 0;
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(Integer.parseInt(words[0]));
                try (ResultSet rows = statement.executeQuery(words[5])) {
                    while (rows.next()) count++;
                }
            }
            System.out.println(count + " " + (System.nanoTime() - started) / 1e9);
        }
    }
}
