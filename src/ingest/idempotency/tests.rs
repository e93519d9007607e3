use std::time::Duration;

use proptest::prelude::*;

use super::*;

const HOUR: u64 = 3_600_000;

fn settings(most: usize) -> Settings {
    Settings { memory: Duration::from_hours(24), most }
}

/// A request by its number, which came so late.
fn request(number: u64, arrival: u64) -> Remembered {
    let key = IdempotencyKey::parse(number.to_string().as_bytes()).unwrap();
    Remembered {
        signed: Signed {
            signature: key.sign("events", b"{}"),
            counts: Counts { successful_rows: 2, quarantined_rows: 1 },
        },
        sequence: Sequence::new(number),
        arrival,
    }
}

fn keys(folder: &Path, most: usize, now: u64) -> Arc<Keys> {
    Arc::new(Keys::open(folder, settings(most), now).unwrap())
}

async fn known(keys: &Arc<Keys>, number: u64, now: u64) -> bool {
    matches!(keys.turn(request(number, 0).signed.signature, now).await, Turn::Repeat(_))
}

#[test]
fn a_key_has_1_to_128_bytes() {
    assert_eq!(IdempotencyKey::parse(b""), Err(KeyError(0)));
    assert!(IdempotencyKey::parse(&[7; 128]).is_ok());
    assert_eq!(IdempotencyKey::parse(&[7; 129]), Err(KeyError(129)));
}

#[test]
fn data_source_key_and_events_are_told_apart() {
    let sign = |source: &str, key: &str, events: &str| {
        IdempotencyKey::parse(key.as_bytes()).unwrap().sign(source, events.as_bytes())
    };
    let one = sign("a", "bc", "{}");
    assert_eq!(one, sign("a", "bc", "{}"));
    assert_ne!(one.key, sign("ab", "c", "{}").key);
    assert_ne!(one.key, sign("a", "bd", "{}").key);
    assert_eq!(one.key, sign("a", "bc", "{ }").key);
    assert_ne!(one.events, sign("a", "bc", "{ }").events);
}

#[tokio::test]
async fn a_key_is_remembered_over_a_start_and_forgotten_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = keys(folder.path(), 100, HOUR);
    first.remember(request(1, HOUR));
    first.save(HOUR).unwrap();
    drop(first);
    let second = keys(folder.path(), 100, 2 * HOUR);
    let Turn::Repeat(found) = second.turn(request(1, 0).signed.signature, 2 * HOUR).await else {
        panic!("the key is not known");
    };
    assert_eq!(found, request(1, HOUR));
    assert!(known(&second, 1, 25 * HOUR - 1).await);
    assert!(!known(&second, 1, 25 * HOUR).await);
}

#[tokio::test]
async fn a_key_that_is_used_again_after_its_time_is_remembered_anew() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path(), 2, 0);
    keys.remember(request(1, 0));
    keys.remember(request(1, 25 * HOUR));
    keys.remember(request(2, 26 * HOUR));
    assert!(known(&keys, 1, 26 * HOUR).await && known(&keys, 2, 26 * HOUR).await);
}

#[tokio::test]
async fn the_oldest_keys_make_room_in_memory_and_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path(), 16, 0);
    for number in 0..1_000 {
        keys.remember(request(number, number));
        keys.save(number).unwrap();
    }
    assert_eq!(keys.len(), 16);
    let files: Vec<_> = std::fs::read_dir(folder.path().join("keys")).unwrap().collect();
    assert!(files.len() <= 10, "{} files", files.len());
    drop(keys);
    let again = self::keys(folder.path(), 16, 1_000);
    assert_eq!(again.len(), 16);
    assert!(known(&again, 999, 1_000).await && known(&again, 984, 1_000).await);
    assert!(!known(&again, 983, 1_000).await);
}

#[tokio::test]
async fn one_of_many_at_once_goes_first_and_the_others_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path(), 16, 0);
    let key = request(1, 0).signed.signature;
    let Turn::First(claim) = keys.turn(key, 0).await else { panic!("nobody has used it") };
    let mut second = std::pin::pin!(keys.turn(key, 0));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    // Nothing of the first was taken: it is the second's turn.
    drop(claim);
    let Turn::First(claim) = second.await else { panic!("nobody has used it") };
    let mut third = std::pin::pin!(keys.turn(key, 0));
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    keys.remember(request(1, 0));
    drop(claim);
    assert!(matches!(third.await, Turn::Repeat(_)));
}

#[tokio::test]
async fn a_disk_that_refuses_loses_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path(), 16, 0);
    keys.remember(request(1, 0));
    let path = folder.path().join("keys");
    std::fs::remove_dir(&path).unwrap();
    keys.save(0).unwrap_err();
    keys.remember(request(2, 0));
    std::fs::create_dir(&path).unwrap();
    keys.save(0).unwrap();
    let again = self::keys(folder.path(), 16, 0);
    assert!(known(&again, 1, 0).await && known(&again, 2, 0).await);
}

#[tokio::test]
async fn what_waits_to_be_saved_is_bounded_as_what_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path(), 16, 0);
    (0..1_000).for_each(|number| keys.remember(request(number, 0)));
    assert_eq!(keys.state().unsaved.len(), 16);
    keys.save(0).unwrap();
    let again = self::keys(folder.path(), 16, 0);
    assert!(known(&again, 984, 0).await && known(&again, 999, 0).await);
}

proptest! {
    /// Whatever a broken machine leaves of the newest file: every whole record is known, and so is
    /// every one that is written behind it.
    #[test]
    fn a_torn_or_damaged_file_costs_its_torn_or_damaged_records(
        cut in 0_usize..=520, flipped in proptest::option::of(0_usize..520),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let first = keys(folder.path(), 1_000, 0);
        (0..10).for_each(|number| first.remember(request(number, 0)));
        first.save(0).unwrap();
        let path = folder.path().join("keys").join(format!("{:020}.keys", 0));
        let mut bytes = std::fs::read(&path).unwrap();
        prop_assert_eq!(bytes.len(), 520);
        if let Some(flipped) = flipped {
            bytes[flipped] ^= 1;
        }
        bytes.truncate(cut);
        std::fs::write(&path, &bytes).unwrap();
        let whole = cut / 52;
        let damaged = flipped.filter(|flipped| flipped / 52 < whole).map(|flipped| flipped / 52);
        for _ in 0..2 {
            let again = keys(folder.path(), 1_000, 0);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for number in 0..10_usize {
                let expected = number < whole && Some(number) != damaged;
                prop_assert_eq!(runtime.block_on(known(&again, number as u64, 0)), expected);
            }
            again.remember(request(77, 0));
            again.save(0).unwrap();
        }
        prop_assert!(tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(known(&keys(folder.path(), 1_000, 0), 77, 0)));
    }
}
