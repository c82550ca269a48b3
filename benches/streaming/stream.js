// Reads a whole result with node-postgres and pg-cursor and prints the number of rows and the seconds.
// Usage: node stream.js ROWS_AT_ONCE HOST PORT USER DATABASE QUERY

'use strict';

const { Client } = require('pg');
const Cursor = require('pg-cursor');

async function main([size, host, port, user, database, query]) {
  const client = new Client({ host, port: Number(port), user, database });
  await client.connect();
  const started = process.hrtime.bigint();
  const cursor = client.query(new Cursor(query));
  let count = 0;
  for (;;) {
    const rows = await cursor.read(Number(size));
    if (rows.length === 0) break;
    count += rows.length;
  }
  console.log(count, Number(process.hrtime.bigint() - started) / 1e9);
  await client.end();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`Error: ${error.message}`);
  process.exit(1);
});
