//! `TYPE` of a node, and the attributes that each type allows.

use super::super::directive::Directive;
use super::super::name::NodeName;
use super::super::problems::Problems;
use super::super::raw::{RawDatafile, RawDirective};
use super::super::secrets::Secrets;
use super::copy::{self, CopyJob};
use super::materialization::{self, Materialization};
use super::sink::{self, Sink};

/// What is done with the result of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// Other nodes read it.
    Standard,
    /// It is published as an HTTP endpoint.
    Endpoint,
    /// It is kept up to date in a data source while rows come in.
    Materialized(Materialization),
    /// It is copied into a data source now and then.
    Copy(CopyJob),
    /// It is exported.
    Sink(Sink),
}

/// The node of which the attributes are read.
pub(super) struct Attributes<'a> {
    pub(super) node: &'a NodeName,
    pub(super) file: &'a RawDatafile,
    /// The `TYPE` line.
    pub(super) line: &'a RawDirective,
}

/// Reads what is done with a node; reports attributes that do not belong there.
pub(super) fn read(
    node: &NodeName,
    file: &RawDatafile,
    secrets: &Secrets,
    problems: &mut Problems,
) -> Option<NodeKind> {
    let Some(line) = file.last(Directive::Type) else { return read_standard(node, file, problems) };
    let attributes = Attributes { node, file, line };
    match type_word(line).as_str() {
        "" | "standard" => read_standard(node, file, problems),
        "stream" => {
            problems.warn(
                "no-effect",
                line.span(),
                "stream nodes are not supported: the node is read as a standard node",
            );
            read_standard(node, file, problems)
        }
        "endpoint" => {
            attributes.warn_of_ignored(problems);
            Some(NodeKind::Endpoint)
        }
        "materialized" => materialization::read(&attributes, problems).map(NodeKind::Materialized),
        "copy" => copy::read(&attributes, problems).map(NodeKind::Copy),
        "sink" => sink::read(&attributes, secrets, problems).map(NodeKind::Sink),
        other => {
            let message = format!(
                "Invalid node '{node}' of type ({other}). Allowed node types: endpoint, materialized, copy, sink, standard"
            );
            problems.error("type", line.span(), message);
            None
        }
    }
}

/// True where a `TYPE` line makes a plain node.
pub(super) fn is_standard(line: &RawDirective) -> bool {
    matches!(type_word(line).as_str(), "" | "standard" | "stream")
}

fn type_word(line: &RawDirective) -> String {
    line.text().trimmed().unquoted().as_str().to_ascii_lowercase()
}

fn read_standard(node: &NodeName, file: &RawDatafile, problems: &mut Problems) -> Option<NodeKind> {
    let mut clean = true;
    for line in file.directives.iter().filter(|line| is_attribute(line)) {
        let name = line.rule.name.to_ascii_lowercase();
        problems.error(
            "attribute",
            line.keyword,
            format!("Standard node '{node}' has an invalid attribute ({name})"),
        );
        problems.help("add a TYPE to the node, or remove the line");
        clean = false;
    }
    clean.then_some(NodeKind::Standard)
}

/// True for lines that only nodes of some type have.
fn is_attribute(line: &RawDirective) -> bool {
    !matches!(
        line.directive(),
        Directive::Description
            | Directive::Sql
            | Directive::Type
            | Directive::Token
            | Directive::Tags
            | Directive::Version
    )
}

impl<'a> Attributes<'a> {
    /// The lines that only nodes of some type have.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a RawDirective> {
        self.file.directives.iter().filter(|line| is_attribute(line))
    }

    /// Reports attributes beyond `allowed`; `label` is what messages call the type.
    pub(super) fn report_others(&self, label: &str, allowed: &[Directive], problems: &mut Problems) {
        for line in self.lines().filter(|line| !allowed.contains(&line.directive())) {
            let name = line.rule.name.to_ascii_lowercase();
            let message = format!("{label} node '{}' has an invalid attribute ({name})", self.node);
            problems.error("attribute", line.keyword, message);
        }
    }

    fn warn_of_ignored(&self, problems: &mut Problems) {
        for line in self.lines() {
            problems.warn(
                "no-effect",
                line.keyword,
                format!("{} has no effect on an endpoint", line.rule.name),
            );
        }
    }
}
