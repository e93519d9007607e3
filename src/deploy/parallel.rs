//! The same work on many items, on all cores. Pure where the work is.

use std::num::NonZeroUsize;
use std::thread;

/// Fewer items than these are not worth a thread.
const WORTH_A_THREAD: usize = 32;

/// What `work` makes of each item, in the order of the items.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = items.len().div_ceil(cores).max(WORTH_A_THREAD);
    let work = &work;
    thread::scope(|scope| {
        let mut shares = items.chunks(share);
        // The first share is this thread's own.
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<R>>())).collect();
        let mut made: Vec<R> = own.iter().map(work).collect();
        for other in others {
            match other.join() {
                Ok(more) => made.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        made
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_is_kept_whatever_the_number() {
        for count in [0_u64, 1, 31, 32, 33, 64, 1000] {
            let items: Vec<u64> = (0..count).collect();
            assert_eq!(
                super::map(&items, |item| item * 2),
                (0..count).map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }
}
