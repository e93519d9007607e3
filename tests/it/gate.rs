//! The gate: hostile SQL of callers, on the real engine without its outer walls.
//!
//! Behind the gate stand the walls of the sandbox; here they are down, so that a canary which is not
//! seen was kept back by the gate alone. `ROOST_TORTURE` multiplies how much is tried.

mod bypass;
mod filters;
mod grammar;
mod injection;
mod world;

use world::World;

/// A number that the environment gives.
#[expect(clippy::disallowed_methods, reason = "tests are told from outside how much to try")]
fn given(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How many times as much as usual is tried: 1, or what `ROOST_TORTURE` says.
pub(crate) fn effort() -> u64 {
    given("ROOST_TORTURE").unwrap_or(1)
}

/// The seed of what is random: told, so that a failure can be had again.
pub(crate) fn seed() -> u64 {
    let seed = given("ROOST_SEED").unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    tell(format_args!("ROOST_SEED={seed}"));
    seed
}

#[expect(clippy::print_stdout, reason = "a test's own words are kept with its failure")]
pub(crate) fn tell(what: std::fmt::Arguments<'_>) {
    println!("{what}");
}

/// A small generator of random numbers: xorshift64*.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % sides
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}
