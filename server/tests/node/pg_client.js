// Connects with node-postgres, runs simple and extended queries with parameters, and lists tables.
// Usage: pg_client.js HOST PORT   (prints one line for each answer)
const { Client } = require('pg');

async function main() {
  const [host, port] = process.argv.slice(2);
  const client = new Client({ host, port: Number(port), user: 'tester', database: 'wayfare' });
  await client.connect();
  const simple = await client.query('SELECT count(*) AS n FROM touchpoints');
  console.log('simple', simple.rows[0].n);
  const extended = await client.query({
    name: 'purchases',
    text: 'SELECT count(*) AS n, min(ts) AS first, max(revenue) AS most FROM touchpoints WHERE event = $1 AND ts >= $2',
    values: ['purchase', new Date('2026-01-01T00:00:00Z')],
  });
  const row = extended.rows[0];
  console.log('extended', row.n, row.first.toISOString(), row.most);
  const tables = await client.query(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
  );
  console.log('tables', tables.rows.map((r) => r.table_name).join(','));
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
