//! `roost wal ls`, `check` and `export`: what lies in the log of accepted rows.
//!
//! The log is read and never written, also while a server runs on it: then its newest record may look
//! half written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::config::{Config, Flags};
use crate::ingest::delivery::export::{self, NativeRows};
use crate::ingest::wal::{self, Damage, FolderDisk, Record};

use super::ServerFlags;
use super::console::{remark, say};

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(super) enum WalCommand {
    /// Lists its records, one line each
    Ls(ServerFlags),
    /// Reads all of it; fails where something is damaged
    Check(ServerFlags),
    /// Writes its rows as files that ClickHouse reads: <table>/<number>.native
    Export {
        /// Directory for the files; made where it is missing
        #[arg(value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        flags: ServerFlags,
    },
}

/// Runs a command; fails where the log is damaged.
pub(super) fn run(command: WalCommand) -> anyhow::Result<ExitCode> {
    let mut records = 0_u64;
    let damage = match command {
        WalCommand::Ls(flags) => read(flags, |record| {
            say(export::line(&record));
            Ok(())
        }),
        WalCommand::Check(flags) => read(flags, |_| {
            records += 1;
            Ok(())
        }),
        WalCommand::Export { to, flags } => read(flags, |record| write(&to, &record)),
    }?;
    if records > 0 {
        remark(format_args!("{records} records"));
    }
    Ok(if report(&damage) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(flags: ServerFlags, mut visit: impl FnMut(Record) -> anyhow::Result<()>) -> anyhow::Result<Damage> {
    let flags: Flags = flags.into();
    let folder = Config::load(&flags)?.data.directory.join("wal");
    let unreadable = || format!("cannot read the log in {}", folder.display());
    let disk = FolderDisk::existing(&folder).with_context(unreadable)?;
    let mut failed = None;
    let damage = wal::inspect(&disk, |record, _| {
        if failed.is_none() {
            failed = visit(record).err();
        }
    });
    match failed {
        Some(error) => Err(error),
        None => damage.with_context(unreadable),
    }
}

/// Writes the rows of a record, one file for each block.
fn write(to: &Path, record: &Record) -> anyhow::Result<()> {
    for (place, NativeRows { table, rows, block }) in export::native_rows(record)?.into_iter().enumerate() {
        let folder = to.join(&table);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join(format!("{:020}-{place}.native", record.sequence.get()));
        fs::write(&file, block).with_context(|| format!("cannot write {}", file.display()))?;
        say(format_args!("{}  {rows} rows", file.display()));
    }
    Ok(())
}

/// Says what is damaged; true where rows are lost.
fn report(damage: &Damage) -> bool {
    if damage.torn_bytes > 0 {
        remark(format_args!(
            "the newest record is half written ({} bytes): a server was stopped in the middle, or is writing",
            damage.torn_bytes
        ));
    }
    let is_damaged = damage.lost_records + damage.lost_segments > 0;
    if is_damaged {
        remark(format_args!(
            "damaged: {} records and {} segments cannot be read",
            damage.lost_records, damage.lost_segments
        ));
    }
    is_damaged
}
