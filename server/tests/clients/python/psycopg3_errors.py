"""psycopg 3: SQLSTATE, message, position and hint of errors."""

import psycopg

from suite import Suite, connect3 as connect, equal, raises

suite = Suite()


ERRORS = [
    ("syntax", "SELEC 1", "42601"), ("syntax_end", "SELECT count(* FROM touchpoints", "42601"), ("table", "SELECT * FROM no_such_table", "42P01"),
    ("schema", "SELECT * FROM no_such_schema.t", "42P01"),
    ("column", "SELECT no_such_column FROM touchpoints", "42703"), ("function", "SELECT no_such_function(1)", "42883"), ("operator", "SELECT 'a'::text + 1", "42883"),
    ("ambiguous", "SELECT event FROM touchpoints a, touchpoints b", "42702"), ("invalid_text", "SELECT 'abc'::int4", "22P02"),
    ("invalid_date", "SELECT '2026-13-45'::date", "22008"), ("invalid_date_text", "SELECT 'hello'::date", "22007"), ("invalid_uuid", "SELECT 'x'::uuid", "22P02"),
    ("invalid_json", "SELECT '{'::json", "22P02"), ("division", "SELECT 1 / 0", "22012"),
    ("division_of_column", "SELECT 1 / (length(user_id) - length(user_id)) FROM touchpoints", "22012"), ("overflow_int4", "SELECT 2147483647 + 1", "22003"),
    ("overflow_int8", "SELECT 9223372036854775807 + 1::int8", "22003"), ("overflow_cast", "SELECT 70000::int2", "22003"), ("grouping", "SELECT event, count(*) FROM touchpoints", "42803"),
    ("aggregate_in_where", "SELECT 1 FROM touchpoints WHERE count(*) > 1", "42803"), ("types_of_union", "SELECT 1 UNION SELECT true", "42804"),
    ("columns_of_union", "SELECT 1 UNION SELECT 1, 2", "42601"), ("where_not_boolean", "SELECT 1 FROM touchpoints WHERE 1", "42804"),
    ("type_unknown", "SELECT 1::no_such_type", "42704"), ("setting_unknown", "SHOW no_such_setting", "42704"), ("set_unknown", "SET no_such_setting = 1", "42704"),
    ("set_invalid", "SET statement_timeout = 'abc'", "22023"), ("timezone_unknown", "SET timezone = 'No/Where'", "22023"),
    ("subquery_rows", "SELECT (SELECT n FROM generate_series(1, 2) AS t(n))", "21000"), ("alias_twice", "SELECT 1 FROM touchpoints a, touchpoints a", "42712"),
    ("missing_from", "SELECT x.event FROM touchpoints", "42P01"), ("parameter_missing", "SELECT $1::int4", "42P02"), ("negative_limit", "SELECT 1 LIMIT -1", "2201W"),
    ("regex_invalid", "SELECT 'a' ~ '('", "2201B"), ("log_of_zero", "SELECT ln(0::float8)", "2201E"), ("sqrt_negative", "SELECT sqrt(-1::float8)", "2201F"),
    ("cursor_unknown", "CLOSE no_such_cursor", "34000"), ("savepoint_outside", "SAVEPOINT a", "25P01"), ("rollback_to_outside", "ROLLBACK TO SAVEPOINT a", "25P01"),
    ("window_in_where", "SELECT 1 FROM touchpoints WHERE row_number() OVER () = 1", "42P20"), ("argument_type", "SELECT length(1, 2, 3)", "42883"),
    ("order_position", "SELECT 1 ORDER BY 5", "42P10"), ("duplicate_cte", "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1", "42712"),
]


def error_case(statement, code):
    def run(server):
        with connect(server, autocommit=True) as connection:
            error = raises(psycopg.Error, connection.execute, statement, code=code)
            equal(error.diag.severity_nonlocalized, "ERROR")
            equal(connection.execute("SELECT 1").fetchone(), (1,))

    return run


for _name, _statement, _code in ERRORS:
    suite.case(f"error_{_name}", error_case(_statement, _code))


@suite.check
def error_position(server):
    with connect(server) as connection:
        for statement, position, message in [
            ("SELECT 1 FRM touchpoints x", "12", None), ("SELECT no_such FROM touchpoints", "8", 'column "no_such" does not exist'),
            ("SELECT 1 FROM no_such", "15", 'relation "no_such" does not exist'), ("SELECT no_such(1)", "8", "function no_such(integer) does not exist"),
            ("SELECT 'ü', no_such FROM touchpoints", "13", 'column "no_such" does not exist'), ("SELECT 1 +", None, "syntax error at end of input"),
            ("SELECT FROM WHERE", "13", 'syntax error at or near "WHERE"'),
        ]:
            error = raises(psycopg.Error, connection.execute, statement)
            connection.rollback()
            if position and message is None:
                assert error.diag.statement_position is not None, statement
            elif position:
                equal(error.diag.statement_position, position)
            if message:
                equal(error.diag.message_primary, message)


@suite.check
def error_hint_for_column(server):
    with connect(server) as connection:
        error = raises(psycopg.Error, connection.execute, "SELECT user_di FROM touchpoints", code="42703")
        assert "user_id" in (error.diag.message_hint or ""), error.diag.message_hint


if __name__ == "__main__":
    suite.main()
