//! One right of a token, read and printed in Tinybird's grammar `SCOPE:TYPE[:resource][:filter]`. Pure.
//!
//! In: texts like `DATASOURCES:READ:events:tenant = 'a'`, or their parts from JSON.  Out: [`Scope`].
//! Promise: what is printed reads back as the same scope; a filter is a [`RowFilter`], so it can
//! neither leave its parentheses nor read another table.

use std::fmt;

use super::ResourceName;
use crate::datafile::NameError;
use crate::sql::{RowFilter, SqlError};

/// One right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Admin,
    /// Manage tokens.
    Tokens,
    /// Read every data source and pipe.
    ReadAll,
    /// Deploy projects.
    Deploy,
    /// Read the organization's service data sources.
    ReadOrganization,
    /// Create data sources, and append to all of them.
    CreateDataSources,
    /// Append rows to a data source.
    AppendDataSource(ResourceName),
    /// Read a data source and its quarantine; with a filter, the rows that it lets through.
    ReadDataSource(ResourceName, Option<RowFilter>),
    /// Delete a data source.
    DropDataSource(ResourceName),
    /// Create pipes.
    CreatePipes,
    /// Read a pipe's endpoint.
    ReadPipe(ResourceName),
    /// Delete a pipe.
    DropPipe(ResourceName),
}

/// Why a text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// No scope is called so.
    #[error("there is no scope `{0}`: the scopes are {all}", all = KNOWN.join(", "))]
    Unknown(String),
    /// The scope is about one resource, and none is named.
    #[error("the scope `{0}` needs a resource, as in `{0}:my_resource`")]
    ResourceMissing(&'static str),
    /// The scope is about no resource, and one is named.
    #[error("the scope `{0}` takes no resource")]
    ResourceUnexpected(&'static str),
    /// The resource's name is none.
    #[error("the scope `{kind}` names no resource: {reason}")]
    Resource {
        /// The scope's type.
        kind: &'static str,
        /// What is wrong with the name.
        reason: NameError,
    },
    /// Only reads of data sources are filtered.
    #[error(
        "the scope `{0}` takes no filter: filter the data sources, as in `DATASOURCES:READ:events:a = 1`"
    )]
    FilterUnexpected(&'static str),
    /// The filter is no condition over the data source's columns.
    #[error("the filter of a scope cannot be used: {0}")]
    Filter(SqlError),
}

/// A scope taken apart, as the API's JSON shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeParts<'a> {
    /// `DATASOURCES:READ` and the like.
    pub kind: &'static str,
    /// The resource that it is about.
    pub resource: Option<&'a str>,
    /// The condition on rows.
    pub filter: Option<&'a str>,
}

const ADMIN: &str = "ADMIN";
const TOKENS: &str = "TOKENS";
const READ_ALL: &str = "WORKSPACE:READ_ALL";
const DEPLOY: &str = "WORKSPACE:DEPLOY";
const READ_ORGANIZATION: &str = "ORG_DATASOURCES:READ";
const CREATE_DATA_SOURCES: &str = "DATASOURCES:CREATE";
const APPEND_DATA_SOURCE: &str = "DATASOURCES:APPEND";
const READ_DATA_SOURCE: &str = "DATASOURCES:READ";
const DROP_DATA_SOURCE: &str = "DATASOURCES:DROP";
const CREATE_PIPES: &str = "PIPES:CREATE";
const READ_PIPE: &str = "PIPES:READ";
const DROP_PIPE: &str = "PIPES:DROP";

/// The types that people choose from, in the order of Tinybird's documentation.
const KNOWN: [&str; 12] = [
    ADMIN,
    TOKENS,
    READ_ALL,
    DEPLOY,
    READ_ORGANIZATION,
    CREATE_DATA_SOURCES,
    APPEND_DATA_SOURCE,
    READ_DATA_SOURCE,
    DROP_DATA_SOURCE,
    CREATE_PIPES,
    READ_PIPE,
    DROP_PIPE,
];

/// Names of Tinybird's people: a personal admin, and a viewer.
const SYNONYMS: [(&str, &str); 2] = [("ADMIN_USER", ADMIN), ("READ_ONLY", READ_ALL)];

impl Scope {
    /// Reads a scope. A filter may hold colons: the text is split at the first three.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut parts = text.splitn(4, ':');
        let family = parts.next().unwrap_or_default();
        let Some(action) = parts.next() else { return Self::from_parts(family, None, None) };
        Self::from_parts(&format!("{family}:{action}"), parts.next(), parts.next())
    }

    /// Puts a scope together from its parts.
    pub fn from_parts(kind: &str, resource: Option<&str>, filter: Option<&str>) -> Result<Self, ScopeError> {
        let kind = SYNONYMS.iter().find(|(synonym, _)| *synonym == kind).map_or(kind, |(_, meant)| meant);
        let known = KNOWN.into_iter().find(|known| *known == kind);
        let kind = known.ok_or_else(|| ScopeError::Unknown(kind.to_owned()))?;
        if filter.is_some() && kind != READ_DATA_SOURCE {
            return Err(ScopeError::FilterUnexpected(kind));
        }
        let general = Self::general(kind);
        match (general, resource) {
            (Some(scope), None) => Ok(scope),
            (Some(_), Some(_)) => Err(ScopeError::ResourceUnexpected(kind)),
            (None, None) => Err(ScopeError::ResourceMissing(kind)),
            (None, Some(resource)) => Self::particular(kind, resource, filter),
        }
    }

    /// The scope of a type that is about no resource.
    fn general(kind: &str) -> Option<Self> {
        Some(match kind {
            ADMIN => Self::Admin,
            TOKENS => Self::Tokens,
            READ_ALL => Self::ReadAll,
            DEPLOY => Self::Deploy,
            READ_ORGANIZATION => Self::ReadOrganization,
            CREATE_DATA_SOURCES => Self::CreateDataSources,
            CREATE_PIPES => Self::CreatePipes,
            _ => return None,
        })
    }

    /// The scope of a type that is about one resource.
    fn particular(kind: &'static str, resource: &str, filter: Option<&str>) -> Result<Self, ScopeError> {
        let name = ResourceName::parse(resource).map_err(|reason| ScopeError::Resource { kind, reason })?;
        let filter = filter.map(RowFilter::parse).transpose().map_err(ScopeError::Filter)?;
        Ok(match kind {
            APPEND_DATA_SOURCE => Self::AppendDataSource(name),
            DROP_DATA_SOURCE => Self::DropDataSource(name),
            READ_PIPE => Self::ReadPipe(name),
            DROP_PIPE => Self::DropPipe(name),
            _ => Self::ReadDataSource(name, filter),
        })
    }

    /// Takes the scope apart.
    pub fn parts(&self) -> ScopeParts<'_> {
        let general = |kind| ScopeParts { kind, resource: None, filter: None };
        let particular =
            |kind, name| ScopeParts { kind, resource: Some(ResourceName::as_str(name)), filter: None };
        match self {
            Self::Admin => general(ADMIN),
            Self::Tokens => general(TOKENS),
            Self::ReadAll => general(READ_ALL),
            Self::Deploy => general(DEPLOY),
            Self::ReadOrganization => general(READ_ORGANIZATION),
            Self::CreateDataSources => general(CREATE_DATA_SOURCES),
            Self::CreatePipes => general(CREATE_PIPES),
            Self::AppendDataSource(name) => particular(APPEND_DATA_SOURCE, name),
            Self::DropDataSource(name) => particular(DROP_DATA_SOURCE, name),
            Self::ReadPipe(name) => particular(READ_PIPE, name),
            Self::DropPipe(name) => particular(DROP_PIPE, name),
            Self::ReadDataSource(name, filter) => ScopeParts {
                filter: filter.as_ref().map(RowFilter::as_str),
                ..particular(READ_DATA_SOURCE, name)
            },
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScopeParts { kind, resource, filter } = self.parts();
        formatter.write_str(kind)?;
        for part in resource.into_iter().chain(filter) {
            write!(formatter, ":{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_reads_back_as_it_is_printed() {
        for text in [
            "ADMIN",
            "TOKENS",
            "WORKSPACE:READ_ALL",
            "WORKSPACE:DEPLOY",
            "ORG_DATASOURCES:READ",
            "DATASOURCES:CREATE",
            "DATASOURCES:APPEND:events",
            "DATASOURCES:READ:events",
            "DATASOURCES:READ:other.events",
            "DATASOURCES:DROP:events",
            "PIPES:CREATE",
            "PIPES:READ:top_pages",
            "PIPES:DROP:top_pages",
            "DATASOURCES:READ:events:tenant = 'a:b' AND at < '10:00:00'",
        ] {
            let scope = Scope::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(scope.to_string(), text);
        }
    }

    #[test]
    fn a_filter_keeps_its_colons_and_loses_its_comments() {
        let scope = Scope::parse("DATASOURCES:READ:events:a = '::' -- all of it").unwrap();
        let ScopeParts { kind, resource, filter } = scope.parts();
        assert_eq!((kind, resource, filter), ("DATASOURCES:READ", Some("events"), Some("a = '::'")));
    }

    #[test]
    fn the_scopes_of_people_mean_what_they_may() {
        assert_eq!(Scope::parse("ADMIN_USER"), Ok(Scope::Admin));
        assert_eq!(Scope::parse("READ_ONLY"), Ok(Scope::ReadAll));
    }

    #[test]
    fn a_text_that_is_no_scope_says_why() {
        for (text, reason) in [
            ("", "there is no scope ``"),
            ("admin", "there is no scope `admin`"),
            ("DATASOURCE:READ:x", "there is no scope `DATASOURCE:READ`"),
            ("ADMIN:x", "there is no scope `ADMIN:x`"),
            ("WORKSPACE:READ_ALL:x", "takes no resource"),
            ("PIPES:READ", "the scope `PIPES:READ` needs a resource, as in `PIPES:READ:my_resource`"),
            ("PIPES:READ:", "names no resource"),
            ("PIPES:READ:a b", "names no resource"),
            ("PIPES:READ:p:a = 1", "the scope `PIPES:READ` takes no filter"),
            ("DATASOURCES:APPEND:d:a = 1", "takes no filter"),
            ("DATASOURCES:READ:d:", "expected an expression"),
            ("DATASOURCES:READ:d:1) OR (1", "expected the end of the filter"),
            ("DATASOURCES:READ:d:a IN (SELECT b FROM secrets)", "cannot read 'secrets'"),
        ] {
            let error = Scope::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
