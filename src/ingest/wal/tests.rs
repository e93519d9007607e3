//! The log on a disk that fails in every way we could think of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::simulated::{Dice, Faults, SimulatedDisk};
use super::*;

/// A log of small segments on a simulated disk.
fn settings(segment_bytes: u64) -> Settings {
    let bytes = |number| std::num::NonZeroU64::new(number).unwrap();
    Settings {
        durability: Durability::Fsync,
        max_bytes: bytes(1 << 30),
        max_age: std::time::Duration::from_hours(1),
        min_free_bytes: 0,
        segment_bytes: bytes(segment_bytes),
    }
}

/// How much more than a short run does, from `ROOST_TORTURE`.
#[expect(clippy::disallowed_methods, reason = "a test is no room of the house")]
fn effort() -> u64 {
    std::env::var("ROOST_TORTURE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

type Seen = Vec<(u64, Box<str>, Bytes)>;

fn open(disk: &SimulatedDisk, segment_bytes: u64) -> (Wal, Seen, Damage) {
    let mut seen = Vec::new();
    let visit = |record: Record, _| seen.push((record.sequence.get(), record.topic, record.payload));
    let (wal, damage) = Wal::open(Arc::new(disk.clone()), settings(segment_bytes), visit).unwrap();
    (wal, seen, damage)
}

fn rows(payload: &[u8]) -> Entry {
    Entry { kind: Kind::Rows, topic: "t".into(), payload: Bytes::copy_from_slice(payload) }
}

fn control(payload: &[u8]) -> Entry {
    Entry { kind: Kind::Control, topic: "".into(), payload: Bytes::copy_from_slice(payload) }
}

fn fill(wal: &Wal, records: u64) {
    for number in 0..records {
        wal.append_blocking(rows(format!("record {number}").as_bytes())).unwrap();
    }
}

fn payloads(seen: &Seen) -> Vec<String> {
    seen.iter().map(|(_, _, payload)| String::from_utf8_lossy(payload).into_owned()).collect()
}

#[test]
fn what_was_kept_is_there_again_in_order_and_can_be_read_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(FolderDisk::open(&folder.path().join("wal")).unwrap());
    let (wal, damage) = Wal::open(disk(), settings(200), |_, _| panic!("an empty log")).unwrap();
    assert_eq!(damage, Damage::default());
    let mut kept = Vec::new();
    for number in 0..20_u64 {
        let appended = wal.append_blocking(rows(format!("record {number}").as_bytes())).unwrap();
        assert_eq!(appended.sequence, Sequence::new(number + 1));
        kept.push(appended);
    }
    assert!(wal.usage().segments > 1);
    for (number, appended) in kept.iter().enumerate() {
        assert_eq!(wal.read(appended.place).unwrap().payload, format!("record {number}").as_bytes());
    }
    drop(wal);
    let mut places = Vec::new();
    let (wal, damage) = Wal::open(disk(), settings(200), |record, place| {
        places.push(Appended { sequence: record.sequence, place });
    })
    .unwrap();
    assert_eq!((places, damage), (kept, Damage::default()));
    assert_eq!(wal.next_sequence(), Sequence::new(21));
}

#[test]
fn entries_that_arrive_together_share_a_sync_and_are_told_in_order() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 20);
    let told = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..1000 {
        let told = Arc::clone(&told);
        wal.append_then(
            rows(b"x"),
            Box::new(move |outcome| told.lock().unwrap().push(outcome.unwrap().sequence.get())),
        );
    }
    drop(wal);
    assert_eq!(*told.lock().unwrap(), (1..=1000).collect::<Vec<_>>());
    assert!(disk.syncs() < 500, "{} syncs for 1000 entries", disk.syncs());
}

#[test]
fn a_cut_removes_whole_segments_and_numbers_go_on() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 200);
    fill(&wal, 50);
    let before = wal.usage();
    wal.cut(Sequence::new(40));
    wal.append_blocking(rows(b"after")).unwrap();
    assert!(wal.usage().bytes < before.bytes && wal.usage().segments < before.segments);
    drop(wal);
    let (wal, seen, damage) = open(&disk, 200);
    assert_eq!(damage, Damage::default());
    assert!(seen.len() >= 12 && seen[0].0 <= 40, "{seen:?}");
    wal.cut(wal.next_sequence());
    drop(wal);
    let (wal, _, _) = open(&disk, 200);
    assert_eq!(wal.next_sequence(), Sequence::new(52), "an empty log knows its next number");
}

#[test]
fn a_full_log_refuses_rows_and_takes_what_makes_room() {
    let disk = SimulatedDisk::default();
    let limited = Settings { max_bytes: std::num::NonZeroU64::new(700).unwrap(), ..settings(100) };
    let (wal, _) = Wal::open(Arc::new(disk.clone()), limited, |_, _| {}).unwrap();
    let refused = (0..20).find_map(|_| wal.append_blocking(rows(&[7; 30])).err());
    assert_eq!(refused, Some(WalError::Full { limit: 700 }));
    let last = wal.append_blocking(control(b"done")).unwrap();
    wal.cut(last.sequence);
    wal.append_blocking(control(b"cut")).unwrap();
    wal.append_blocking(rows(b"again")).unwrap();
}

#[test]
fn rows_leave_room_on_the_disk_and_what_makes_room_may_use_it() {
    let disk = SimulatedDisk::default();
    let floored = Settings { min_free_bytes: 10_000, ..settings(1 << 16) };
    let (wal, _) = Wal::open(Arc::new(disk.clone()), floored, |_, _| {}).unwrap();
    disk.set_faults(Faults { room: Some(10_500), ..Faults::default() });
    assert_eq!(wal.append_blocking(rows(&[1; 600])), Err(WalError::NoSpace { floor: 10_000 }));
    wal.append_blocking(control(&[1; 600])).unwrap();
    assert_eq!(wal.append_blocking(rows(&[1; 50])), Err(WalError::NoSpace { floor: 10_000 }));
    disk.set_faults(Faults::default());
    wal.append_blocking(rows(&[1; 600])).unwrap();
}

#[test]
fn a_full_disk_refuses_rows_and_takes_them_again_when_there_is_room() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 3);
    for room in [0, 1, 20, 100] {
        disk.set_faults(Faults { room: Some(room), ..Faults::default() });
        let error = wal.append_blocking(rows(&[1; 200])).unwrap_err();
        assert!(matches!(error, WalError::NoSpace { .. }), "{error}");
        assert!(error.took_nothing());
        // A write that begins and cannot end.
        let error = wal.append_blocking(control(&[1; 200])).unwrap_err();
        assert!(matches!(error, WalError::NoSpace { .. }), "{error}");
        disk.set_faults(Faults::default());
        wal.append_blocking(rows(format!("room {room}").as_bytes())).unwrap();
    }
    drop(wal);
    let (_, seen, damage) = open(&disk, 1 << 16);
    assert_eq!(damage, Damage::default());
    assert_eq!(payloads(&seen)[3..], ["room 0", "room 1", "room 20", "room 100"]);
}

#[test]
fn a_sync_that_failed_is_never_trusted() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 3);
    disk.set_faults(Faults { syncs: 1, ..Faults::default() });
    wal.append_blocking(rows(b"written anew")).unwrap();
    wal.append_blocking(rows(b"behind it")).unwrap();
    for seed in 0..200 {
        let (_, seen, damage) = open(&disk.after_power_loss(&mut Dice::new(seed)), 1 << 16);
        assert_eq!(payloads(&seen)[3..], ["written anew", "behind it"]);
        assert_eq!((seen.len(), damage.lost_records), (5, 0));
    }
}

#[test]
fn a_group_that_was_written_anew_is_read_from_its_new_place() {
    // Some pages of the first try reach the disk, others at each number of syncs before it.
    for before in 0..40 {
        let disk = SimulatedDisk::default();
        let (wal, _, _) = open(&disk, 1 << 16);
        fill(&wal, before);
        let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
        let (reach, reached) = std::sync::mpsc::sync_channel::<()>(1);
        // The log's own thread waits here while a group gathers behind it.
        let wait = move |_| reach.send(()).and_then(|()| released.recv().or(Ok(()))).unwrap_or(());
        wal.append_then(rows(b"first"), Box::new(wait));
        reached.recv().unwrap();
        for number in 0..6_u8 {
            wal.append_then(rows(&[number; 100]), Box::new(|outcome| assert!(outcome.is_ok())));
        }
        disk.set_faults(Faults { syncs: 1, ..Faults::default() });
        release.send(()).unwrap();
        wal.append_blocking(rows(b"last")).unwrap();
        let found = disk.after_power_loss(&mut Dice::new(before));
        let (_, seen, damage) = open(&found, 1 << 16);
        assert_eq!((seen.len() as u64, damage.lost_records), (before + 8, 0), "{before} before: {damage:?}");
    }
}

#[test]
fn two_syncs_that_fail_end_all_writing_and_nothing_false_was_said() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 3);
    disk.set_faults(Faults { syncs: 2, ..Faults::default() });
    let error = wal.append_blocking(rows(b"doubtful")).unwrap_err();
    assert!(matches!(error, WalError::Unknown(_)) && !error.took_nothing(), "{error}");
    assert_eq!(wal.append_blocking(rows(b"later")), Err(WalError::ReadOnly));
    drop(wal);
    let (wal, seen, _) = open(&disk, 1 << 16);
    assert_eq!(payloads(&seen)[..3], ["record 0", "record 1", "record 2"]);
    wal.append_blocking(rows(b"after the restart")).unwrap();
}

#[test]
fn rows_beyond_the_queue_are_refused_at_once() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 20);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    wal.append_then(rows(b"first"), Box::new(move |_| released.recv().unwrap_or(())));
    let refused = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 * writer::QUEUE {
        let refused = Arc::clone(&refused);
        let note = move |outcome: Result<Appended, WalError>| refused.lock().unwrap().extend(outcome.err());
        wal.append_then(rows(b""), Box::new(note));
    }
    let refused_first = refused.lock().unwrap().len();
    assert!(refused_first > 0 && refused_first <= writer::QUEUE, "{refused_first}");
    release.send(()).unwrap();
    drop(wal);
    let refused = refused.lock().unwrap();
    assert!(refused.iter().all(|error| *error == WalError::Busy { limit: writer::QUEUE }));
    assert_eq!(refused.len(), refused_first, "what was queued was taken");
}

#[test]
fn an_entry_beyond_the_limit_is_refused_alone() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    let entry = Entry { payload: vec![0; MAX_PAYLOAD + 1].into(), ..rows(b"") };
    assert_eq!(wal.append_blocking(entry), Err(WalError::TooLarge { bytes: MAX_PAYLOAD + 1 }));
    wal.append_blocking(rows(b"next")).unwrap();
}

/// A log of one segment of about 64 KiB, and its only file.
fn log_of_64_kib() -> (SimulatedDisk, String, Vec<u8>, Seen) {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 20);
    let mut dice = Dice::new(7);
    let mut bytes = 0;
    while bytes < 64 << 10 {
        let length = usize::try_from(dice.below(4000)).unwrap();
        let payload: Vec<u8> = (0..length).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
        bytes += length;
        wal.append_blocking(rows(&payload)).unwrap();
    }
    drop(wal);
    let name = disk.list().unwrap().remove(0);
    let content = disk.content(&name);
    let (_, seen, _) = open(&disk, 1 << 20);
    (disk, name, content, seen)
}

// Half a million logs are opened: in a short run the payloads, which are all alike, are sampled.
#[test]
fn any_bit_may_flip_and_only_its_record_is_lost() {
    let (_, name, content, whole) = log_of_64_kib();
    let step = if effort() > 1 { 1 } else { 61 };
    for bit in (0..content.len() * 8).step_by(step) {
        let disk = SimulatedDisk::default();
        let mut bytes = content.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        disk.put(&name, &bytes);
        let (_, seen, damage) = open(&disk, 1 << 20);
        let lost: Vec<_> = whole.iter().filter(|record| !seen.contains(record)).collect();
        assert!(seen.iter().all(|record| whole.contains(record)), "bit {bit}: a record was made up");
        assert!(lost.len() <= 1, "bit {bit}: {} records lost", lost.len());
        let counted = damage.lost_records + u64::from(damage.torn_bytes > 0);
        assert_eq!(lost.len() as u64, counted, "bit {bit}: {damage:?}");
        assert_eq!(damage.kept.is_empty(), damage.lost_records == 0, "bit {bit}: {damage:?}");
    }
}

#[test]
fn a_log_cut_at_any_length_starts_with_what_is_whole() {
    let (_, name, content, whole) = log_of_64_kib();
    let step = if effort() > 1 { 1 } else { 37 };
    for length in (0..content.len()).step_by(step) {
        let disk = SimulatedDisk::default();
        disk.put(&name, &content[..length]);
        let (wal, seen, damage) = open(&disk, 1 << 20);
        assert_eq!(seen, whole[..seen.len()], "length {length}");
        assert_eq!((damage.lost_records, damage.lost_segments), (0, 0), "length {length}: {damage:?}");
        wal.append_blocking(rows(b"goes on")).unwrap();
        drop(wal);
        let (_, again, damage) = open(&disk, 1 << 20);
        assert_eq!((again.len(), damage), (seen.len() + 1, Damage::default()), "length {length}");
    }
}

#[test]
fn a_segment_missing_from_the_middle_is_counted_and_the_rest_is_there() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 200);
    fill(&wal, 40);
    drop(wal);
    let names = disk.list().unwrap();
    disk.remove(&names[2]).unwrap();
    let (_, seen, damage) = open(&disk, 200);
    assert!(damage.lost_records > 0);
    assert_eq!(seen.len() as u64 + damage.lost_records, 40);
}

#[test]
fn a_file_that_is_no_segment_is_set_aside() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 3);
    drop(wal);
    disk.put("00000000000000000009.wal", &[0xA5; 500]);
    disk.put("00000000000000000010.wal", b"");
    disk.put("notes.txt", b"not ours");
    let (wal, seen, damage) = open(&disk, 1 << 16);
    assert_eq!((seen.len(), damage.lost_segments), (3, 1));
    assert_eq!(damage.kept, ["00000000000000000009.corrupt"]);
    wal.append_blocking(rows(b"goes on")).unwrap();
    assert!(disk.list().unwrap().contains(&"notes.txt".to_owned()));
}

#[test]
fn an_inspection_changes_nothing() {
    let (disk, name, content, whole) = log_of_64_kib();
    disk.put(&name, &content[..content.len() - 3]);
    let mut seen = 0;
    let damage = inspect(&disk, |_, _| seen += 1).unwrap();
    assert!(damage.torn_bytes > 0);
    assert_eq!((seen, disk.content(&name).len()), (whole.len() - 1, content.len() - 3));
}

#[test]
fn what_was_refused_is_not_there_after_a_restart() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 2);
    disk.set_faults(Faults { writes: 1, ..Faults::default() });
    let error = wal.append_blocking(rows(b"refused")).unwrap_err();
    assert!(matches!(error, WalError::Disk(_)) && error.took_nothing(), "{error}");
    let power_losses = (0..50).map(|seed| disk.after_power_loss(&mut Dice::new(seed)));
    for found in power_losses.chain([disk.after_kill()]) {
        let (_, seen, _) = open(&found, 1 << 16);
        assert_eq!(payloads(&seen), ["record 0", "record 1"]);
    }
    wal.append_blocking(rows(b"taken")).unwrap();
    drop(wal);
    let (_, seen, damage) = open(&disk, 1 << 16);
    assert_eq!(
        (payloads(&seen), damage),
        (["record 0", "record 1", "taken"].map(String::from).into(), Damage::default())
    );
}

#[test]
fn what_a_start_has_read_is_there_after_a_loss_of_power() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 3);
    drop(wal);
    let name = disk.list().unwrap().remove(0);
    let content = disk.content(&name);
    // The same segment behind a sync that failed, and a process that was killed before it said so.
    disk.remove(&name).unwrap();
    let file = disk.create(&name).unwrap();
    disk.sync().unwrap();
    disk.set_faults(Faults { syncs: 1, ..Faults::default() });
    file.write_at(&content, 0).unwrap();
    file.sync().unwrap_err();
    let found = disk.after_kill();
    let (_, seen, _) = open(&found, 1 << 16);
    assert_eq!(seen.len(), 3, "the system shows it");
    for seed in 0..50 {
        let (_, again, damage) = open(&found.after_power_loss(&mut Dice::new(seed)), 1 << 16);
        assert_eq!((again.len(), damage), (3, Damage::default()), "seed {seed}");
    }
}

#[test]
fn a_log_starts_on_a_disk_that_has_no_room_to_write_it_once_more() {
    let disk = SimulatedDisk::default();
    let (wal, _, _) = open(&disk, 1 << 16);
    fill(&wal, 3);
    drop(wal);
    disk.set_faults(Faults { room: Some(0), ..Faults::default() });
    let (_, seen, damage) = open(&disk, 1 << 16);
    assert_eq!((seen.len(), damage), (3, Damage::default()));
}

/// What the log has told, by the number in each payload.
#[derive(Debug, Clone, Default)]
struct Told {
    kept: BTreeMap<u64, Bytes>,
    refused: BTreeSet<Bytes>,
}

/// One life of a log: appends and cuts, with faults, until the power goes.
struct Life {
    wal: Wal,
    dice: Dice,
    told: Arc<Mutex<Told>>,
    cut: u64,
}

impl Life {
    fn step(&mut self, disk: &SimulatedDisk) {
        let fault = |faults| disk.set_faults(faults);
        match self.dice.below(16) {
            0 => {
                let next = self.wal.next_sequence().get();
                self.cut = self.cut.max(self.dice.below(next + 1));
                self.wal.cut(Sequence::new(self.cut));
            }
            1 => fault(Faults { syncs: 1, ..Faults::default() }),
            2 => fault(Faults { room: Some(self.dice.below(600)), ..Faults::default() }),
            3 => fault(Faults { writes: 1, ..Faults::default() }),
            4 => fault(Faults::default()),
            _ => self.append(),
        }
    }

    fn append(&mut self) {
        let mut payload = self.dice.below(u64::MAX).to_le_bytes().to_vec();
        payload.resize(8 + usize::try_from(self.dice.below(120)).unwrap(), 1);
        let entry = if self.dice.one_in(4) { control(&payload) } else { rows(&payload) };
        let payload = Bytes::from(payload);
        let told = Arc::clone(&self.told);
        let note = move |outcome: Result<Appended, WalError>| {
            let mut told = told.lock().unwrap();
            match outcome {
                Ok(appended) => drop(told.kept.insert(appended.sequence.get(), payload)),
                Err(error) if error.took_nothing() => drop(told.refused.insert(payload)),
                Err(_) => {}
            }
        };
        self.wal.append_then(entry, Box::new(note));
    }
}

/// Runs lives with a kill or a loss of power between them.
fn crashes(seed: u64, lives: u64) {
    let mut dice = Dice::new(seed + 1);
    let mut disk = SimulatedDisk::default();
    let mut told = Told::default();
    let mut cut = 0;
    for life in 0..lives {
        let (wal, found, damage) = open(&disk, 300);
        let there: BTreeMap<u64, Bytes> =
            found.into_iter().map(|(number, _, payload)| (number, payload)).collect();
        for (number, payload) in told.kept.range(cut..) {
            assert_eq!(there.get(number), Some(payload), "seed {seed}, life {life}: {number} ({damage:?})");
        }
        for (number, payload) in &there {
            assert!(!told.refused.contains(payload), "seed {seed}, life {life}: {number} was refused");
        }
        // What nobody was told about may be there; from now on it is as good as the rest.
        told.kept.extend(there);
        let shared = Arc::new(Mutex::new(told));
        let mut running = Life { wal, dice: Dice::new(dice.below(u64::MAX)), told: Arc::clone(&shared), cut };
        for _ in 0..dice.below(30) {
            running.step(&disk);
        }
        cut = running.cut;
        // The power goes at any moment of the writer's work: what it tells after this line may be
        // on the disk that is found, or not.
        told = shared.lock().unwrap().clone();
        disk = if dice.one_in(4) { disk.after_kill() } else { disk.after_power_loss(&mut dice) };
    }
}

#[test]
fn no_loss_of_power_loses_what_was_told() {
    // 2,000 losses of power; 10⁵ with ROOST_TORTURE=50.
    (0..100 * effort()).for_each(|seed| crashes(seed, 20));
}
