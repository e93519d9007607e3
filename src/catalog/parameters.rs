//! The parameters of a pipe, for people and machines that want to call it. Pure.
//!
//! In: what the templates of its nodes mention, once for every tag.  Out: one [`PipeParameter`] for
//! each name, in the order of the text.  Tinybird leaves open how mentions are put together; here
//! the first one with a type counts, and the first default and the first word of the author on each
//! matter.

use serde_json::{Map, Value};

use super::{Node, Pipe};
use crate::template::{Parameter, Template};

/// A parameter that requests may send.
#[derive(Debug, Clone, PartialEq)]
pub struct PipeParameter {
    /// The name in requests.
    pub name: String,
    /// The type in the template's words: `String`, `Int32`, `Array(Date)`.
    pub kind: String,
    /// The value that stands in for a missing one.
    pub default: Option<Value>,
    /// Whether a request has to send it.
    pub presence: Presence,
    /// What the author says about it.
    pub description: Option<String>,
    /// A value to show.
    pub example: Option<Value>,
    /// How the value is written, in the author's words.
    pub format: Option<String>,
    /// The values that are meant; empty where any is.
    pub choices: Vec<Value>,
}

/// Whether a request has to send a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Without it the call fails.
    Required,
    /// It may be left out.
    Optional,
}

impl Pipe {
    /// What requests may send to this pipe: the parameters of all its nodes.
    pub fn parameters(&self) -> Vec<PipeParameter> {
        let mentions: Vec<_> = self.nodes.iter().flat_map(mentions).collect();
        let mut names: Vec<&str> = Vec::new();
        for mention in &mentions {
            if !names.contains(&mention.name.as_str()) {
                names.push(&mention.name);
            }
        }
        let of =
            |name: &str| mentions.iter().copied().filter(|mention| mention.name == name).collect::<Vec<_>>();
        names.into_iter().map(|name| self.parameter(name, &of(name))).collect()
    }

    fn parameter(&self, name: &str, mentions: &[&Parameter]) -> PipeParameter {
        let typed = mentions.iter().find(|mention| mention.used_in.is_none() && !is_bare(mention));
        let kind = typed.or(mentions.first()).map_or("String", |mention| mention.kind.as_str());
        let default = mentions.iter().map(|mention| &mention.default).find(|default| !default.is_null());
        let said = |attribute: &str| said(mentions, attribute);
        let text = |attribute| said(attribute).and_then(Value::as_str).map(str::to_owned);
        // A missing Boolean or JSON is a value of its own.
        let does_no_harm = default.is_some() || self.examines(name) || matches!(kind, "Boolean" | "JSON");
        let is_required = said("required").and_then(Value::as_bool).unwrap_or(!does_no_harm);
        PipeParameter {
            name: name.to_owned(),
            kind: kind.to_owned(),
            default: default.cloned(),
            presence: if is_required { Presence::Required } else { Presence::Optional },
            description: text("description"),
            example: said("example").cloned(),
            format: text("format"),
            choices: said("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        }
    }

    /// True for a parameter that some node looks at before it uses it.
    fn examines(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.template.examines(name))
    }
}

/// The mentions of a node, without the template's own variables.
fn mentions(node: &Node) -> impl Iterator<Item = &Parameter> {
    let is_own = |mention: &Parameter| is_bare(mention) && node.template.assigns(&mention.name);
    Template::parameters(&node.template).iter().filter(move |mention| !is_own(mention))
}

/// True for a name that stands alone, without a type or a word about it.
fn is_bare(mention: &Parameter) -> bool {
    mention.kind == "String" && mention.default.is_null() && mention.attributes.is_empty()
}

/// What the author says on one matter, where it is said first.
fn said<'a>(mentions: &[&'a Parameter], attribute: &str) -> Option<&'a Value> {
    let attributes = mentions.iter().map(|mention| -> &'a Map<String, Value> { &mention.attributes });
    attributes.filter_map(|attributes| attributes.get(attribute)).find(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::model::Publication;
    use crate::catalog::{NodeName, ResourceName};

    fn pipe(nodes: &[&str]) -> Pipe {
        let node = |(number, sql): (usize, &&str)| Node {
            name: NodeName::parse(&format!("n{number}")).unwrap(),
            description: None,
            template: Template::compile(sql).unwrap(),
        };
        let name = ResourceName::parse("p").unwrap();
        let nodes: Vec<Node> = nodes.iter().enumerate().map(node).collect();
        Pipe { name, description: None, output: nodes.len() - 1, nodes, publication: Publication::Endpoint }
    }

    fn shown(nodes: &[&str]) -> Vec<String> {
        let one = |it: PipeParameter| {
            let mark = if it.presence == Presence::Required { "!" } else { "" };
            format!("{}{mark}: {} = {}", it.name, it.kind, it.default.unwrap_or_default())
        };
        pipe(nodes).parameters().into_iter().map(one).collect()
    }

    #[test]
    fn a_name_is_told_once_with_its_type_and_its_first_default() {
        let nodes = [
            "%SELECT {{String(a)}} {% if defined(b) %}{{DateTime(b)}}{% end %}",
            "%SELECT {{Int8(c, 1)}} {{String(a, 'later')}} {{Int8(c, 2)}}",
        ];
        assert_eq!(shown(&nodes), ["a: String = \"later\"", "b: DateTime = null", "c: Int8 = 1"]);
    }

    #[test]
    fn a_parameter_is_required_where_a_call_without_it_fails() {
        let node = "%SELECT {{String(a)}} {{Int8(b)}} {{Boolean(c)}} {{JSON(d)}} {{Date(e, required=False)}} \
                    {{String(f, 'x', required=True)}} {{column(g, 'h')}} {% if defined(i) %}{{Int8(i)}}{% end %}";
        assert_eq!(
            shown(&[node]),
            [
                "a!: String = null",
                "b!: Int8 = null",
                "c: Boolean = null",
                "d: JSON = null",
                "e: Date = null",
                "f!: String = \"x\"",
                "g: String = null",
                "i: Int8 = null"
            ]
        );
    }

    #[test]
    fn variables_of_the_template_are_no_parameters() {
        let node = "%{% set total = 1 %}{% for item in Array(ids, 'Int32', '1') %}{{item}}{{total}}{% end %}";
        assert_eq!(shown(&[node]), ["ids: Array(Int32) = \"1\""]);
    }

    #[test]
    fn the_first_word_of_the_author_counts() {
        let nodes = [
            "%{{Int8(a, description='The first', example=3)}}",
            "%{{Int8(a, 1, description='The second', enum=[1, 2], format='int')}}",
        ];
        let parameter = pipe(&nodes).parameters().remove(0);
        assert_eq!(parameter.description.as_deref(), Some("The first"));
        assert_eq!((parameter.example, parameter.default), (Some(json!(3)), Some(json!(1))));
        assert_eq!((parameter.choices, parameter.format.as_deref()), (vec![json!(1), json!(2)], Some("int")));
    }
}
