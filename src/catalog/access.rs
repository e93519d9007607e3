//! What one caller may read, and which rows of it. Pure.
//!
//! In: the rights of a token, collected by `auth`.  Out: answers to the questions that composition
//! asks: may this text name that resource, and which condition joins every read of a table.
//! Promise: a filter holds wherever its data source is read on behalf of the caller, inside pipes
//! too; several filters of one data source all hold.

use std::collections::{BTreeMap, BTreeSet};

use super::ResourceName;
use crate::sql::RowFilter;

/// The readable part of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Access {
    reach: Reach,
    filters: BTreeMap<ResourceName, RowFilter>,
}

/// The resources that a caller's own text may name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Reach {
    Everything,
    Listed { data_sources: BTreeSet<ResourceName>, pipes: BTreeSet<ResourceName> },
}

impl Default for Reach {
    fn default() -> Self {
        Self::Listed { data_sources: BTreeSet::new(), pipes: BTreeSet::new() }
    }
}

impl Access {
    /// Every resource, every row.
    pub fn everything() -> Self {
        Self { reach: Reach::Everything, filters: BTreeMap::new() }
    }

    /// Nothing; rights are added one by one.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds a data source with its quarantine.
    #[must_use]
    pub fn with_data_source(mut self, name: ResourceName) -> Self {
        if let Reach::Listed { data_sources, .. } = &mut self.reach {
            data_sources.insert(name);
        }
        self
    }

    /// Adds a pipe. What it reads need not be added.
    #[must_use]
    pub fn with_pipe(mut self, name: ResourceName) -> Self {
        if let Reach::Listed { pipes, .. } = &mut self.reach {
            pipes.insert(name);
        }
        self
    }

    /// Narrows every read of a data source, however it is reached.
    #[must_use]
    pub fn with_filter(mut self, data_source: ResourceName, filter: RowFilter) -> Self {
        let both = match self.filters.remove(&data_source) {
            Some(other) => other.and(filter),
            None => filter,
        };
        self.filters.insert(data_source, both);
        self
    }

    /// The same filters, with this pipe alone to be named by a caller who may not read everything.
    #[must_use]
    pub fn narrowed_to(&self, pipe: ResourceName) -> Self {
        if self.reaches_everything() {
            return self.clone();
        }
        Self { filters: self.filters.clone(), ..Self::nothing() }.with_pipe(pipe)
    }

    /// True where the caller's own text may name this data source.
    pub fn reaches_data_source(&self, name: &ResourceName) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Listed { data_sources, .. } => data_sources.contains(name),
        }
    }

    /// True where the caller's own text may name this pipe.
    pub fn reaches_pipe(&self, name: &ResourceName) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Listed { pipes, .. } => pipes.contains(name),
        }
    }

    /// True where the caller may read every resource, so that a name that is not found may be said
    /// not to exist.
    pub fn reaches_everything(&self) -> bool {
        self.reach == Reach::Everything
    }

    /// About the bytes of its names and conditions in memory.
    pub fn bytes(&self) -> usize {
        const NAME: usize = 2 * size_of::<ResourceName>();
        let of_name = |name: &ResourceName| NAME + name.as_str().len();
        let listed: usize = match &self.reach {
            Reach::Everything => 0,
            Reach::Listed { data_sources, pipes } => data_sources.iter().chain(pipes).map(of_name).sum(),
        };
        let of_filter =
            |(name, filter): (&ResourceName, &RowFilter)| of_name(name) + 2 * filter.as_str().len();
        listed + self.filters.iter().map(of_filter).sum::<usize>()
    }

    /// True where some data source is read through a condition.
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The condition that every read of a data source carries.
    pub fn filter(&self, data_source: &ResourceName) -> Option<&RowFilter> {
        self.filters.get(data_source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ResourceName {
        ResourceName::parse(text).unwrap()
    }

    #[test]
    fn what_was_not_added_is_out_of_reach() {
        let access = Access::nothing().with_data_source(name("a")).with_pipe(name("b"));
        assert!(access.reaches_data_source(&name("a")) && access.reaches_pipe(&name("b")));
        assert!(!access.reaches_data_source(&name("b")) && !access.reaches_pipe(&name("a")));
        assert!(!access.reaches_everything());
    }

    #[test]
    fn a_narrowed_access_reaches_one_pipe_and_keeps_its_filters() {
        let filter = RowFilter::parse("tenant = 1").unwrap();
        let wide = Access::nothing().with_data_source(name("a")).with_filter(name("a"), filter.clone());
        let narrow = wide.narrowed_to(name("b"));
        assert!(narrow.reaches_pipe(&name("b")) && !narrow.reaches_data_source(&name("a")));
        assert_eq!(narrow.filter(&name("a")), Some(&filter));
        assert!(Access::everything().narrowed_to(name("b")).reaches_data_source(&name("a")));
    }

    #[test]
    fn a_filter_stays_where_everything_may_be_read() {
        let filter = RowFilter::parse("tenant = 1").unwrap();
        let access = Access::everything().with_filter(name("a"), filter.clone());
        assert!(access.reaches_everything() && access.reaches_data_source(&name("x")));
        assert_eq!(access.filter(&name("a")), Some(&filter));
        assert_eq!(access.filter(&name("x")), None);
        assert!(access.is_filtered() && !Access::everything().is_filtered());
    }
}
