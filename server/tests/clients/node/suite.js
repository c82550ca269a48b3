// Runs named checks against one server and prints a line for each, as the suites in other languages do.
// Usage: node FILE HOST PORT USER DATABASE [PASSWORD] [CHECK...]

'use strict';

const assert = require('node:assert');

const [host, port, user, database, password = '', ...only] = process.argv.slice(2);
const server = { host, port: Number(port), user, database, password: password || undefined };
const seconds = Number(process.env.SECONDS_PER_CHECK || 20);
const checks = [];

function check(name, body) {
  checks.push([name, body]);
}

async function outcome(body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([body(), late]);
    return null;
  } catch (error) {
    return `${error.name}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 400);
  } finally {
    clearTimeout(timer);
  }
}

// A statement that nobody waits for any more may still fail.
process.on('unhandledRejection', () => {});

async function main() {
  for (const [name, body] of checks) {
    if (only.length && !only.includes(name)) continue;
    const reason = await outcome(body);
    console.log(reason === null ? `ok ${name}` : `fail ${name}: ${reason}`);
  }
  process.exit(0);
}

async function fails(code, body) {
  try {
    await body();
  } catch (error) {
    assert.strictEqual(error.code, code, `${error.code} instead of ${code}: ${error.message}`);
    return error;
  }
  throw new Error(`no error ${code}`);
}

const ROWS = 35386;
const equal = assert.deepStrictEqual;
module.exports = { server, check, main, fails, equal, ROWS };
