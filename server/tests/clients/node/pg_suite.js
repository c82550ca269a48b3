// node-postgres with pg-cursor and pg-query-stream.

'use strict';

const { Client, Pool, types } = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const { server, check, main, fails, equal, ROWS } = require('./suite.js');

async function connected(body, more = {}) {
  const client = new Client({ ...server, connectionTimeoutMillis: 10000, ...more });
  client.on('error', () => {}); // what is lost shows in the statement that fails
  await client.connect();
  try {
    await body(client);
  } finally {
    await client.end();
  }
}

function sql(name, body, more) {
  check(name, () => connected(body, more));
}

const one = async (client, text, values) => Object.values((await client.query(text, values)).rows[0])[0];

sql('version', async (c) => {
  equal(Number((await one(c, 'SHOW server_version')).split('.')[0]) >= 12, true);
  equal(await one(c, 'SELECT count(*) FROM touchpoints'), String(ROWS));
});

const trips = [
  ['int2', -5, -5], ['int4', 7, 7], ['int8', '9223372036854775807', '9223372036854775807'], ['float4', 0.5, 0.5], ['float8', 0.1, 0.1],
  ['numeric', '12345678901234.5678', '12345678901234.5678'], ['bool', true, true], ['text', 'käuf 😀 \\', 'käuf 😀 \\'], ['varchar', 'a', 'a'],
  ['bytea', Buffer.from([0, 255, 92]), Buffer.from([0, 255, 92])], ['time', '23:59:59.999999', '23:59:59.999999'],
  ['timestamptz', new Date('2026-03-29T00:59:59.999Z'), new Date('2026-03-29T00:59:59.999Z')], ['uuid', '12345678-1234-5678-1234-567812345678', '12345678-1234-5678-1234-567812345678'],
  ['json', { a: [1, null] }, { a: [1, null] }], ['jsonb', { a: 1 }, { a: 1 }], ['int4[]', [1, null, 3], [1, null, 3]], ['text[]', ['a', 'b "c"', null], ['a', 'b "c"', null]],
  ['float8[]', [0.5], [0.5]], ['timestamptz[]', [new Date('2026-01-01T00:00:00Z')], [new Date('2026-01-01T00:00:00Z')]],
];
for (const [type, value, expected] of trips) {
  sql(`param_${type}`, async (c) => {
    equal(await one(c, `SELECT $1::${type}`, [value]), expected);
    equal(await one(c, `SELECT $1::${type}`, [null]), null);
  });
}

sql('param_date_and_interval', async (c) => {
  equal(await one(c, 'SELECT $1::date::text', ['2026-03-29']), '2026-03-29');
  const found = await one(c, 'SELECT $1::interval', ['1 day 02:03:04.5']);
  equal({ ...found }, { days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 500 });
});

sql('params_of_column_types', async (c) => {
  const text = 'SELECT count(*) FROM touchpoints WHERE ts >= $1 AND ts < $2 AND event = $3 AND revenue > $4 AND score < $5 AND event = ANY($6)';
  equal(await one(c, text, [new Date('2026-01-01T00:00:00Z'), '2027-01-01', 'purchase', 0.5, 1, ['purchase', 'refund']]), '1');
});

sql('edge_row', async (c) => {
  const { rows, fields, command, rowCount } = await c.query("SELECT user_id, ts, revenue, score, page FROM touchpoints WHERE event_id IN ($1, 'edge-5') ORDER BY event_id", ['edge-2']);
  equal(rows[0], { user_id: 'edge-a', ts: new Date('2026-01-01T10:05:00.000Z'), revenue: '19.9000', score: 0.1, page: '/cart' });
  equal(rows[1].page, 'two\nlines\tand a tab');
  equal(fields.map((f) => [f.name, f.dataTypeID]), [['user_id', 25], ['ts', 1184], ['revenue', 1700], ['score', 701], ['page', 25]]);
  equal([command, rowCount], ['SELECT', 2]);
});

sql('fields_name_their_table', async (c) => {
  const { fields } = await c.query('SELECT event_id, user_id AS person, 1 AS one FROM touchpoints LIMIT 1');
  const oid = Number(await one(c, "SELECT 'touchpoints'::regclass::oid"));
  equal(fields.map((f) => [f.tableID, f.columnID]), [[oid, 1], [oid, 2], [0, 0]]);
});

sql('rows_as_arrays', async (c) => equal((await c.query({ text: "SELECT 1, 'a'", rowMode: 'array' })).rows, [[1, 'a']]));
sql('binary_results', async (c) => {
  const { rows } = await c.query({ text: 'SELECT 1::int4 AS a, 2::int2 AS b, true AS c, $1::text AS d', values: ['x'], binary: true });
  equal(rows[0], { a: 1, b: 2, c: true, d: 'x' });
});
sql('several_statements', async (c) => equal((await c.query('SELECT 1 AS a; SELECT 2 AS b')).map((r) => r.rows), [[{ a: 1 }], [{ b: 2 }]]));
sql('several_statements_error', async (c) => {
  await fails('42703', () => c.query('SELECT 1; SELECT no_such; SELECT 3'));
  equal(await one(c, 'SELECT 4'), 4);
});
sql('empty', async (c) => {
  equal((await c.query('')).rows, []);
  const found = await c.query('SELECT user_id FROM touchpoints WHERE false');
  equal([found.rows.length, found.fields.length, found.rowCount], [0, 1, 0]);
});
sql('named_prepared', async (c) => {
  for (let i = 0; i < 20; i++) equal(await one(c, { name: 'n', text: 'SELECT $1::int4 * 2 AS v', values: [i] }), i * 2);
});
sql('concurrent_on_one_connection', async (c) => {
  const found = await Promise.all(Array.from({ length: 50 }, (_, i) => one(c, 'SELECT $1::int4 AS v', [i])));
  equal(found, Array.from({ length: 50 }, (_, i) => i));
});
sql('large_result', async (c) => equal((await c.query('SELECT * FROM touchpoints')).rows.length, ROWS));

sql('cursor', async (c) => {
  const cursor = c.query(new Cursor('SELECT user_id, ts FROM touchpoints WHERE user_id <> $1', ['nobody']));
  let seen = 0;
  for (;;) {
    const rows = await cursor.read(1000);
    if (rows.length === 0) break;
    seen += rows.length;
  }
  equal(seen, ROWS);
  await cursor.close();
});
sql('cursor_closed_early', async (c) => {
  for (let i = 0; i < 20; i++) {
    const cursor = c.query(new Cursor('SELECT a.event_id FROM touchpoints a, touchpoints b'));
    equal((await cursor.read(10)).length, 10);
    await cursor.close();
  }
  equal(await one(c, 'SELECT 1'), 1);
});
sql('cursor_error', async (c) => {
  const cursor = c.query(new Cursor('SELECT 1 / (n - 5) AS v FROM generate_series(1, 10) AS t(n)'));
  await fails('22012', async () => {
    for (let rows = [0]; rows.length;) rows = await cursor.read(1);
  });
  equal(await one(c, 'SELECT 1'), 1);
});
sql('query_stream', async (c) => {
  let seen = 0;
  for await (const row of c.query(new QueryStream('SELECT event FROM touchpoints', [], { batchSize: 500 }))) seen += row.event.length > 0;
  equal(seen, ROWS);
});

sql('errors', async (c) => {
  await fails('42703', () => c.query('SELECT no_such FROM touchpoints'));
  await fails('42P01', () => c.query('SELECT 1 FROM no_such'));
  await fails('42601', () => c.query('SELEC 1'));
  await fails('22012', () => c.query('SELECT 1 / $1::int4', [0]));
  await fails('22P02', () => c.query('SELECT $1::int4', ['abc']));
  await fails('42883', () => c.query('SELECT no_such(1)'));
  const error = await fails('42703', () => c.query('SELECT no_such FROM touchpoints'));
  equal([error.severity, error.position, error.message], ['ERROR', '8', 'column "no_such" does not exist']);
  await fails('08P01', () => c.query('SELECT $1::int4', [1, 2]));
  equal(await one(c, 'SELECT 1'), 1);
});
sql('transactions', async (c) => {
  await c.query('BEGIN');
  await c.query('SAVEPOINT a');
  await fails('42703', () => c.query('SELECT no_such'));
  await fails('25P02', () => c.query('SELECT 1'));
  await c.query('ROLLBACK TO SAVEPOINT a');
  equal(await one(c, 'SELECT 1'), 1);
  await c.query('RELEASE a');
  equal((await c.query('COMMIT')).command, 'COMMIT');
});
sql('time_zone', async (c) => {
  await c.query("SET timezone = 'America/New_York'");
  equal(await one(c, "SELECT ts FROM touchpoints WHERE event_id = 'edge-4'"), new Date('2026-03-29T01:00:00Z'));
  equal(await one(c, "SELECT ts::text FROM touchpoints WHERE event_id = 'edge-4'"), '2026-03-28 21:00:00-04');
});
sql('statement_timeout', async (c) => {
  await fails('57014', () => c.query('SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)'));
  equal(await one(c, 'SELECT 1'), 1);
}, { statement_timeout: 400 });
sql('query_timeout_then_cancel', async (c) => {
  const running = fails('57014', () => c.query('SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await connected((other) => other.query('SELECT pg_cancel_backend($1)', [c.processID]));
  await running;
  equal(await one(c, 'SELECT 1'), 1);
});
sql('options', async (c) => {
  equal(await one(c, 'SHOW application_name'), 'suite');
  equal(await one(c, 'SHOW timezone'), 'Asia/Tokyo');
}, { application_name: 'suite', options: '-c timezone=Asia/Tokyo' });
sql('type_parsers', async (c) => {
  const parsers = { getTypeParser: (oid, format) => (oid === 20 ? BigInt : types.getTypeParser(oid, format)) };
  equal((await c.query({ text: 'SELECT count(*) AS n FROM touchpoints', types: parsers })).rows[0].n, BigInt(ROWS));
});
check('pool', async () => {
  const pool = new Pool({ ...server, max: 5 });
  const found = await Promise.all(Array.from({ length: 100 }, async (_, i) => (await pool.query('SELECT $1::int4 AS v', [i])).rows[0].v));
  equal(found, Array.from({ length: 100 }, (_, i) => i));
  await pool.end();
});

main();
