//! Paths that lead from one place of the crate to another.

use super::tokens::Token;

/// A use of something of this crate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    /// The path from the crate's root, as far as it is written out.
    pub(super) path: Vec<String>,
    /// Where it stands.
    pub(super) line: usize,
}

/// All arrows of a file that is the module `module`.
pub(super) fn arrows(module: &[String], tokens: &[Token]) -> Vec<Arrow> {
    let mut reader = Reader { module: module.to_vec(), inner: Vec::new(), depth: 0, found: Vec::new() };
    let mut at = 0;
    while at < tokens.len() {
        at += reader.read(tokens, at);
    }
    reader.found
}

struct Reader {
    /// The module that is being read, with the inline modules around the present place.
    module: Vec<String>,
    /// The depth of braces at which each inline module began.
    inner: Vec<usize>,
    depth: usize,
    found: Vec<Arrow>,
}

impl Reader {
    /// Reads what stands at a place and says how many tokens it was.
    fn read(&mut self, tokens: &[Token], at: usize) -> usize {
        let after_colons = at.checked_sub(1).is_some_and(|before| tokens[before].text == "::");
        match tokens[at].text.as_str() {
            "{" => self.depth += 1,
            "}" => self.close(),
            "mod" if word(tokens, at + 2) == "{" => {
                self.inner.push(self.depth);
                self.module.push(word(tokens, at + 1).to_owned());
            }
            "crate" if !after_colons && word(tokens, at + 1) == "::" => {
                return 1 + self.path(tokens, at + 1, &[]);
            }
            "super" if !after_colons => return self.climb(tokens, at),
            _ => {}
        }
        1
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.inner.last() == Some(&self.depth) {
            self.inner.pop();
            self.module.pop();
        }
    }

    /// Follows `super::super::…` up from the present module.
    fn climb(&mut self, tokens: &[Token], at: usize) -> usize {
        let mut base = self.module.clone();
        let mut next = at;
        while word(tokens, next) == "super" {
            base.pop();
            next += 1;
            if word(tokens, next) == "::" && word(tokens, next + 1) == "super" {
                next += 1;
            }
        }
        next - at + self.path(tokens, next, &base)
    }

    /// Reads `::a::b` or `::{a, b::c}` behind `base`; says how many tokens that was.
    fn path(&mut self, tokens: &[Token], at: usize, base: &[String]) -> usize {
        let mut path = base.to_vec();
        let mut next = at;
        while word(tokens, next) == "::" {
            match word(tokens, next + 1) {
                "{" => return next + 1 - at + self.group(tokens, next + 1, &path),
                segment => path.push(segment.to_owned()),
            }
            next += 2;
        }
        self.add(tokens, at, path);
        next - at
    }

    /// Reads `{a, b::c, d::{e, f}}`; says how many tokens that was.
    fn group(&mut self, tokens: &[Token], at: usize, base: &[String]) -> usize {
        let mut next = at + 1;
        while next < tokens.len() && word(tokens, next) != "}" {
            if word(tokens, next) == "," {
                next += 1;
                continue;
            }
            let mut path = base.to_vec();
            if word(tokens, next) != "self" {
                path.push(word(tokens, next).to_owned());
            }
            next += 1;
            next += self.path(tokens, next, &path);
            while !matches!(word(tokens, next), "," | "}" | "") {
                // `as name`
                next += 1;
            }
        }
        next + 1 - at
    }

    /// A path that ends at the root itself (`use super::*` in `lib.rs`) leads nowhere.
    fn add(&mut self, tokens: &[Token], at: usize, path: Vec<String>) {
        let line = tokens.get(at.saturating_sub(1)).map_or(0, |token| token.line);
        if !path.is_empty() {
            self.found.push(Arrow { path, line });
        }
    }
}

/// The text of a token; empty behind the end.
fn word(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}
