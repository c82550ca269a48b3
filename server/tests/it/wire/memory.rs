//! Results of any size in constant memory, by every way to read them.
//!
//! The memory is that of a process for one test, in which the client runs too; it keeps nothing. Each result is of 40 MB.

use super::raw::RawClient;
use crate::support::{TestServer, is_alone};

const ROWS: u64 = 400_000;
/// How much more memory a result may take than one of a few rows.
const MOST_BYTES: u64 = 24 << 20;

fn series(rows: u64) -> String {
    format!("SELECT g, repeat('x', 80) AS text, g * 2 AS twice FROM generate_series(1, {rows}) AS s(g)")
}

/// Resident memory of this process in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Reads answers up to ReadyForQuery and drops them; returns how many had `kind` and the most memory meanwhile.
async fn drain(client: &mut RawClient, counted: u8) -> (u64, u64) {
    let (mut count, mut messages, mut most) = (0, 0_u64, 0);
    loop {
        let (kind, _) = client.next().await;
        count += u64::from(kind == counted);
        messages += 1;
        if messages.is_multiple_of(10_000) {
            most = most.max(resident().unwrap_or(0));
        }
        assert_ne!(kind, b'E', "an error");
        if kind == b'Z' {
            return (count, most);
        }
    }
}

/// Reads `rows` rows in one way; returns how many came and the most memory meanwhile.
async fn read(client: &mut RawClient, way: &str, rows: u64) -> (u64, u64) {
    let sql = series(rows);
    match way {
        "simple" => {
            client.query(&sql).await;
            drain(client, b'D').await
        }
        "copy" => {
            client.query(&format!("COPY ({sql}) TO STDOUT")).await;
            drain(client, b'd').await
        }
        "cursor" => {
            client.query(&format!("BEGIN; DECLARE c CURSOR FOR {sql}")).await;
            drain(client, b'D').await;
            let (mut count, mut most) = (0, 0);
            loop {
                client.query("FETCH 5000 FROM c").await;
                let (fetched, memory) = drain(client, b'D').await;
                (count, most) = (count + fetched, most.max(memory).max(resident().unwrap_or(0)));
                if fetched == 0 {
                    client.query("COMMIT").await;
                    drain(client, b'D').await;
                    return (count, most);
                }
            }
        }
        fetch_size => {
            let size: u32 = fetch_size.parse().unwrap();
            client.query("BEGIN").await;
            drain(client, b'D').await;
            client.parse("", &sql).await;
            client.bind("p", "").await;
            let (mut count, mut most) = (0, 0);
            loop {
                client.execute("p", size).await;
                client.send(b'S', b"").await;
                let (fetched, memory) = drain(client, b'D').await;
                (count, most) = (count + fetched, most.max(memory).max(resident().unwrap_or(0)));
                if size == 0 || fetched < u64::from(size) {
                    client.query("COMMIT").await;
                    drain(client, b'D').await;
                    return (count, most);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_results_take_no_more_memory_than_small_ones() {
    if !is_alone("wire::memory::large_results_take_no_more_memory_than_small_ones") {
        return;
    }
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    for way in ["simple", "copy", "cursor", "0", "1000", "100000"] {
        read(&mut client, way, 20_000).await;
        let Some(before) = resident() else {
            crate::support::tell("not run: the system does not tell the memory of a process");
            return;
        };
        let (count, most) = read(&mut client, way, ROWS).await;
        assert_eq!(count, ROWS, "{way}");
        let grown = most.saturating_sub(before);
        assert!(grown < MOST_BYTES, "{way}: {} MB more", grown >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_stops_its_query() {
    if !is_alone("wire::memory::a_client_that_does_not_read_stops_its_query") {
        return;
    }
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    read(&mut client, "simple", 20_000).await;
    let Some(before) = resident() else {
        crate::support::tell("not run: the system does not tell the memory of a process");
        return;
    };
    client.query(&series(100_000_000)).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let grown = resident().unwrap_or(0).saturating_sub(before);
    assert!(grown < MOST_BYTES, "{} MB more", grown >> 20);
}
