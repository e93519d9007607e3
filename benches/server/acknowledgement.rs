//! The acknowledgement of one event, beside one bare `fdatasync` of the same bytes.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;

use super::client::Client;
use super::process::Server;
use super::table::lines;
use super::{in_turn, median_of, verdict};

/// Calls and syncs of one turn.
const TIMES: usize = 200;

/// Milliseconds of one `fdatasync` behind the bytes of an event, in room that is there already.
pub(crate) fn bare_sync(server: &Server, event: &str) -> f64 {
    let mut file = File::create(server.data().join("bare.bytes")).unwrap();
    file.write_all(&vec![0; 16 << 20]).unwrap();
    file.sync_all().unwrap();
    let mut offset = 0;
    median_of(TIMES, || {
        file.write_all_at(event.as_bytes(), offset).unwrap();
        file.sync_data().unwrap();
        offset += event.len() as u64;
    })
}

/// Compares the two for events of this data source.
pub(crate) fn compare(server: &Server, data_source: &str) {
    let event = lines(1);
    let mut client = Client::connect(&server.events(&format!("name={data_source}"), &event));
    let call = || median_of(TIMES, || assert!(client.call() > 0));
    let (ours, theirs) = in_turn(call, || bare_sync(server, &event));
    let added = ours - theirs;
    println!(
        "the acknowledgement of one event: p50 {ours:.3} ms, one fdatasync of the same bytes {theirs:.3}: {added:.3} ms added, at most 0.5 aimed at: {}",
        verdict(added <= 0.5)
    );
}
