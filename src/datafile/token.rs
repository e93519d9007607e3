//! `TOKEN` lines: who may read a resource or append to it.

use super::Kind;
use super::name::TokenName;
use super::problems::Problems;
use super::raw::RawDirective;
use crate::syntax::Span;

/// A token that a datafile asks for; it is made where it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant {
    /// The name of the token.
    pub token: TokenName,
    /// What it allows on the resource of the file.
    pub permission: Permission,
    /// Where the line stands in the file.
    pub span: Span,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Reading: `DATASOURCES:READ`, `PIPES:READ`.
    Read,
    /// Sending rows: `DATASOURCES:APPEND`.
    Append,
}

/// Reads the `TOKEN` lines of a file; reports all problems.
pub(super) fn read<'a>(
    kind: Kind,
    lines: impl Iterator<Item = &'a RawDirective>,
    problems: &mut Problems,
) -> Vec<TokenGrant> {
    let mut grants: Vec<TokenGrant> = Vec::new();
    for line in lines {
        let Some(grant) = read_line(kind, line, problems) else { continue };
        let twice = grants
            .iter()
            .find(|earlier| earlier.token == grant.token && earlier.permission == grant.permission);
        if let Some(earlier) = twice {
            problems.warn(
                "token-twice",
                grant.span,
                format!("token {} is given the same permission twice", grant.token),
            );
            problems.point(earlier.span, "first here");
            continue;
        }
        grants.push(grant);
    }
    grants
}

fn read_line(kind: Kind, line: &RawDirective, problems: &mut Problems) -> Option<TokenGrant> {
    let (name, permission) = match (kind, line.words()) {
        (_, [name, permission]) => (name, permission),
        (_, [] | [_]) => {
            let message =
                "TOKEN takes two params: token name and permission e.g TOKEN \"read api token\" READ";
            problems.error("token", line.span(), message);
            return None;
        }
        (_, words) => {
            let count = words.len();
            problems.error(
                "token",
                line.span(),
                format!("Invalid number of arguments for TOKEN command: {count}. Expected 2 arguments: token name and permission"),
            );
            problems.help("put a name that holds blanks in quotes");
            return None;
        }
    };
    let token = match TokenName::parse(name.unquoted().as_str()) {
        Ok(token) => token,
        Err(error) => {
            problems.error("token", name.span(), error.to_string());
            return None;
        }
    };
    let written = permission.unquoted();
    let permission = match (kind, written.as_str().to_ascii_uppercase().as_str()) {
        (_, "READ") => Permission::Read,
        (Kind::Datasource, "APPEND") => Permission::Append,
        (_, other) => {
            let message = match kind {
                Kind::Pipe => {
                    format!("Invalid permission {other} for token {token}. Only READ is allowed for pipes")
                }
                _ => format!("Invalid permission: {other}. Only READ and APPEND are supported"),
            };
            problems.error("token", written.span(), message);
            return None;
        }
    };
    Some(TokenGrant { token, permission, span: line.span() })
}
