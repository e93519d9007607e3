//! How numbers become durations, counts and bytes, for `#[serde(deserialize_with)]`.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// A day: longer waits are typing errors, and sums of them stay far from the end of the clock.
const LONGEST: i64 = 86_400;

/// 10^15: no count or size of one machine is larger.
const LARGEST: i64 = 1_000_000_000_000_000;

/// 1 to 86400 seconds.
pub(super) fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    number(input, 1..=LONGEST).map(Duration::from_secs)
}

/// 1 to 86400 seconds; `None` for 0.
pub(super) fn seconds_if_any<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    let seconds = number(input, 0..=LONGEST)?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// 1 to 86400 milliseconds.
pub(super) fn milliseconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    number(input, 1..=LONGEST).map(Duration::from_millis)
}

/// A TCP port; 0 stands for any free one.
pub(super) fn port<'de, D: Deserializer<'de>>(input: D) -> Result<u16, D::Error> {
    let port = number(input, 0..=u16::MAX.into())?;
    port.try_into().map_err(Error::custom)
}

/// At least one.
pub(super) fn count<'de, D: Deserializer<'de>>(input: D) -> Result<NonZeroUsize, D::Error> {
    let count = number(input, 1..=LARGEST)?.try_into().map_err(Error::custom)?;
    NonZeroUsize::new(count).ok_or_else(|| Error::custom("expected at least 1"))
}

/// A count; `None`, any number, for 0.
pub(super) fn count_if_any<'de, D: Deserializer<'de>>(input: D) -> Result<Option<NonZeroUsize>, D::Error> {
    count_or_zero(input).map(NonZeroUsize::new)
}

/// Any number, 0 included.
pub(super) fn count_or_zero<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    number(input, 0..=LARGEST)?.try_into().map_err(Error::custom)
}

/// Nesting of JSON: the parser itself goes no deeper than 128.
pub(super) fn depth<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    number(input, 1..=128)?.try_into().map_err(Error::custom)
}

/// A niceness that asks for no right: 0 to 19.
pub(super) fn niceness<'de, D: Deserializer<'de>>(input: D) -> Result<u8, D::Error> {
    number(input, 0..=19)?.try_into().map_err(Error::custom)
}

/// Bytes, at least one.
pub(super) fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<NonZeroU64, D::Error> {
    let bytes = number(input, 1..=LARGEST)?;
    NonZeroU64::new(bytes).ok_or_else(|| Error::custom("expected at least 1"))
}

/// Bytes, 0 included.
pub(super) fn bytes_or_zero<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    number(input, 0..=LARGEST)
}

/// Names with commas between them.
pub(super) fn names<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeSet<String>, D::Error> {
    let text = String::deserialize(input)?;
    Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// A limit; `None`, no limit, for 0.
pub(super) fn limit<'de, D: Deserializer<'de>>(input: D) -> Result<Option<NonZeroU64>, D::Error> {
    number(input, 0..=LARGEST).map(NonZeroU64::new)
}

/// Requests a second; `None`, no limit, for 0.
pub(super) fn pace<'de, D: Deserializer<'de>>(input: D) -> Result<Option<NonZeroU32>, D::Error> {
    let pace = number(input, 0..=1_000_000)?.try_into().map_err(Error::custom)?;
    Ok(NonZeroU32::new(pace))
}

/// A count; 0 stands for four per processor core that this process may use.
pub(super) fn count_or_four_per_core<'de, D: Deserializer<'de>>(input: D) -> Result<NonZeroUsize, D::Error> {
    let count = count_or_zero(input)?;
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(NonZeroUsize::new(count)
        .unwrap_or_else(|| cores().saturating_mul(NonZeroUsize::MIN.saturating_add(3))))
}

/// Bytes of memory; 0 stands for 60 % of what this machine, or its container, has.
pub(super) fn memory_or_share<'de, D: Deserializer<'de>>(input: D) -> Result<NonZeroU64, D::Error> {
    let bytes = limit(input)?;
    bytes
        .or_else(|| NonZeroU64::new(machine_memory()? / 10 * 6))
        .ok_or_else(|| Error::custom("expected a number of bytes: the memory of this machine is unknown"))
}

fn machine_memory() -> Option<u64> {
    let mut machine = sysinfo::System::new().ok()?;
    machine.refresh_memory();
    let container = machine.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
    Some(machine.total_memory().min(container))
}

fn number<'de, D: Deserializer<'de>>(input: D, range: RangeInclusive<i64>) -> Result<u64, D::Error> {
    let number = i64::deserialize(input)?;
    let (least, most) = (range.start(), range.end());
    match u64::try_from(number) {
        Ok(positive) if range.contains(&number) => Ok(positive),
        _ => Err(Error::custom(format!("expected {least} to {most}, found {number}"))),
    }
}
