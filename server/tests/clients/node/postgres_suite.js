// postgres.js: types fetched from the catalog, pipelined queries, cursors, COPY to a stream, cancel.

'use strict';

const postgres = require('postgres');
const { server, check, main, fails, equal, ROWS } = require('./suite.js');

function sql(name, body, more = {}) {
  check(name, async () => {
    const { user, ...rest } = server;
    const db = postgres({ ...rest, username: user, max: 1, connect_timeout: 10, onnotice: () => {}, ...more });
    try {
      await body(db);
    } finally {
      await db.end({ timeout: 1 });
    }
  });
}

sql('connect', async (db) => {
  equal((await db`SELECT count(*) AS n FROM touchpoints`)[0].n, String(ROWS));
  equal(Number(db.parameters.server_version.split('.')[0]) >= 12, true);
});
sql('types', async (db) => {
  const [row] = await db`SELECT 1::int4 AS a, 2::int8 AS b, 0.5::float8 AS c, 1.50::numeric AS d, true AS e, 'x'::text AS f, '2026-01-01 00:00:00+00'::timestamptz AS g, NULL AS h`;
  equal({ ...row }, { a: 1, b: '2', c: 0.5, d: '1.50', e: true, f: 'x', g: new Date('2026-01-01T00:00:00Z'), h: null });
});
sql('arrays', async (db) => {
  const [row] = await db`SELECT ARRAY[1, 2]::int4[] AS a, ARRAY['x', 'y "z"']::text[] AS b, ${[3, 4]}::int4[] AS c, '{}'::text[] AS d`;
  equal({ ...row }, { a: [1, 2], b: ['x', 'y "z"'], c: [3, 4], d: [] });
});
sql('json', async (db) => {
  const [row] = await db`SELECT ${db.json({ a: [1, null] })} AS a, '{"b": 1}'::json AS b, '{"b": 1}'::jsonb AS c`;
  equal({ ...row }, { a: { a: [1, null] }, b: { b: 1 }, c: { b: 1 } });
});
sql('bytea_and_bigint', async (db) => {
  const [row] = await db`SELECT ${Buffer.from([0, 255])}::bytea AS a, ${9007199254740993n}::int8 AS b`;
  equal([[...row.a], row.b], [[0, 255], '9007199254740993']);
});
sql('parameters', async (db) => {
  const since = new Date('2026-01-01T00:00:00Z');
  equal((await db`SELECT event_id FROM touchpoints WHERE event = ${'purchase'} AND ts >= ${since} AND revenue > ${'0.5'} AND score < ${1} ORDER BY 1`).map((r) => r.event_id), ['edge-2']);
  equal((await db`SELECT count(*)::int AS n FROM touchpoints WHERE event IN ${db(['purchase', 'refund'])}`)[0].n, 3);
  equal((await db`SELECT ${db(['event_id', 'event'])} FROM ${db('touchpoints')} WHERE event_id = ${'edge-4'}`)[0].event, 'käuf 😀');
});
sql('unsafe_and_simple', async (db) => {
  equal((await db.unsafe('SELECT $1::text AS v', ['x']))[0].v, 'x');
  equal((await db`SELECT 1 AS a; SELECT 2 AS b`.simple()).map((r) => ({ ...r[0] })), [{ a: 1 }, { b: 2 }]);
});
sql('describe', async (db) => {
  const found = await db`SELECT user_id, ts FROM touchpoints WHERE event = ${'x'}`.describe();
  equal([found.types, found.columns.map((c) => [c.name, c.type])], [[25], [['user_id', 25], ['ts', 1184]]]);
});
sql('columns', async (db) => {
  const found = await db`SELECT event, count(*) AS n FROM touchpoints WHERE false GROUP BY event`;
  equal([found.columns.map((c) => c.type), found.count, found.command], [[25, 20], 0, 'SELECT']);
});
sql('pipelined', async (db) => {
  const found = await Promise.all(Array.from({ length: 100 }, (_, i) => db`SELECT ${i}::int4 AS v`));
  equal(found.map((r) => r[0].v), Array.from({ length: 100 }, (_, i) => i));
});
sql('pipelined_error', async (db) => {
  const found = await Promise.allSettled([db`SELECT 1 AS v`, db`SELECT no_such`, db`SELECT 3 AS v`]);
  equal(found.map((f) => f.value?.[0].v ?? f.reason.code), [1, '42703', 3]);
});
sql('cursor', async (db) => {
  let seen = 0;
  for await (const rows of db`SELECT user_id FROM touchpoints`.cursor(1000)) seen += rows.length;
  equal(seen, ROWS);
});
sql('cursor_left_early', async (db) => {
  for await (const _ of db`SELECT a.event_id FROM touchpoints a, touchpoints b`.cursor(10)) break;
  equal((await db`SELECT 1 AS v`)[0].v, 1);
});
sql('for_each', async (db) => {
  let seen = 0;
  await db`SELECT event FROM touchpoints`.forEach(() => { seen += 1; });
  equal(seen, ROWS);
});
sql('copy_out', async (db) => {
  const stream = await db`COPY (SELECT event_id, revenue FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT (FORMAT csv)`.readable();
  let text = '';
  for await (const part of stream) text += part;
  equal(text, 'edge-1,\nedge-2,19.9000\nedge-3,12345678901234.5678\nedge-4,-0.5000\nedge-5,-7.0000\n');
});
sql('errors', async (db) => {
  const error = await fails('42703', () => db`SELECT no_such FROM touchpoints`);
  equal([error.severity, error.position], ['ERROR', '8']);
  await fails('22012', () => db`SELECT 1 / ${0}::int4`);
});
sql('transactions', async (db) => {
  const found = await db.begin('isolation level repeatable read read only', async (tx) => {
    await tx.savepoint((s) => s`SELECT no_such`).catch((error) => equal(error.code, '42703'));
    return tx`SELECT 7 AS v`;
  });
  equal(found[0].v, 7);
});
sql('cancel', async (db) => {
  const query = db`SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)`;
  setTimeout(() => query.cancel(), 400);
  await fails('57014', () => query);
  equal((await db`SELECT 1 AS v`)[0].v, 1);
});
sql('connection_settings', async (db) => {
  equal((await db`SHOW application_name`)[0].application_name, 'suite');
  equal((await db`SHOW timezone`)[0].TimeZone, 'Asia/Tokyo');
  await fails('57014', () => db`SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)`);
}, { connection: { application_name: 'suite', TimeZone: 'Asia/Tokyo', statement_timeout: 400 } });
sql('reserved', async (db) => {
  const own = await db.reserve();
  equal((await own`SELECT 5 AS v`)[0].v, 5);
  own.release();
});
sql('unprepared', async (db) => equal((await db`SELECT ${'x'}::text AS v`)[0].v, 'x'), { prepare: false });
sql('without_types', async (db) => equal((await db`SELECT 1 AS v`)[0].v, 1), { fetch_types: false });

main();
