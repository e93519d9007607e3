//! UUIDs and IP addresses, from strings.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Misfit;
use crate::ingest::json::JsonValue;

/// Appends a `UUID`, given with hyphens or without: its two halves, each lowest byte first.
pub(super) fn write_uuid(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let bytes = parse_uuid(text(value)?).ok_or(Misfit)?.to_le_bytes();
    let (low, high) = bytes.split_at(8);
    out.extend_from_slice(high);
    out.extend_from_slice(low);
    Ok(())
}

fn parse_uuid(text: &str) -> Option<u128> {
    let hyphens: &[usize] = match text.len() {
        32 => &[],
        36 => &[8, 13, 18, 23],
        _ => return None,
    };
    text.bytes().enumerate().try_fold(0, |number: u128, (at, byte)| {
        if hyphens.contains(&at) {
            return (byte == b'-').then_some(number);
        }
        let digit = char::from(byte).to_digit(16)?;
        Some(number << 4 | u128::from(digit))
    })
}

/// Appends an `IPv4`.
pub(super) fn write_ipv4(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let address: Ipv4Addr = text(value)?.parse().map_err(|_| Misfit)?;
    out.extend_from_slice(&u32::from(address).to_le_bytes());
    Ok(())
}

/// Appends an `IPv6`; an IPv4 address becomes the one that is mapped to it.
pub(super) fn write_ipv6(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let text = text(value)?;
    let address: Ipv6Addr = match text.parse::<Ipv4Addr>() {
        Ok(address) => address.to_ipv6_mapped(),
        Err(_) => text.parse().map_err(|_| Misfit)?,
    };
    out.extend_from_slice(&address.octets());
    Ok(())
}

fn text<'v>(value: &'v JsonValue<'_>) -> Result<&'v str, Misfit> {
    match value {
        JsonValue::Text(text) => Ok(text),
        _ => Err(Misfit),
    }
}
