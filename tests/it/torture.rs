//! Delivery under strikes: a server that dies again and again while writers write, at random moments
//! and at counted calls, inside recovery too; and a machine that loses what it had not synced.
//!
//! The writers' own ledger says what was acknowledged, refused or left open; the check compares it
//! with every table and every view. `ROOST_TORTURE` multiplies the strikes.

mod check;
mod fillings;
mod freshness;
mod losses;
mod strikes;
mod world;
mod writers;

use crate::gate::{Dice, effort, seed, tell};
