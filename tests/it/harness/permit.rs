//! Two engines of tests' own at a time: each takes 200 MB and a core while it starts.

use std::sync::{Condvar, Mutex};

const PERMITS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static RETURNED: Condvar = Condvar::new();

/// The right to run an engine of one's own.
pub(crate) struct Permit(());

impl Permit {
    /// Waits for its turn.
    pub(crate) fn take() -> Self {
        let taken = TAKEN.lock().unwrap();
        *RETURNED.wait_while(taken, |taken| *taken >= PERMITS).unwrap() += 1;
        Self(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap() -= 1;
        RETURNED.notify_one();
    }
}
