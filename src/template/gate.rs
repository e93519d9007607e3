//! The two gate-keepers: what `{{ }}` may say at all, and what `{% %}` may not say.

use super::error::{ErrorKind, TemplateError};
use super::fault::TEMPLATE_PREFIX;
use super::names;
use super::python::tree::{Call, Child, Constant, Expression, Kind, Piece};
use crate::syntax::Span;

/// Why a tag is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Invalid function name: {0}")]
    FunctionName(String),
    #[error("Invalid method name: {0}")]
    MethodName(String),
    #[error("Invalid BinOp: {0}()")]
    BinaryOperator(&'static str),
    #[error("Invalid UnaryOp: {0}()")]
    UnaryOperator(&'static str),
    #[error("Invalid name: {0}")]
    Name(String),
    #[error("Invalid attribute: {0}")]
    Attribute(String),
    #[error("Invalid Constant: Constant()")]
    Constant,
    #[error("Invalid Slice expression: {0}()")]
    Slice(&'static str),
    #[error("Invalid function: {0}()")]
    Function(&'static str),
    #[error("Invalid expression type: {0}()")]
    Expression(&'static str),
    #[error("Invalid control block: {0}")]
    ControlBlock(String),
    #[error("Invalid set statement: {0}")]
    SetStatement(String),
}

impl Refusal {
    pub(super) fn at(&self, span: Span) -> TemplateError {
        TemplateError::new(ErrorKind::Template, format!("{TEMPLATE_PREFIX}{self}"), Some(span))
    }
}

type Judgement = Result<(), Refusal>;

/// Lets an expression of `{{ }}` pass if everything in it is on the list.
pub(super) fn allow(expression: &Expression) -> Judgement {
    match &expression.kind {
        Kind::Constant(Constant::Bytes(_) | Constant::Ellipsis | Constant::Imaginary) => {
            Err(Refusal::Constant)
        }
        Kind::Constant(_) => Ok(()),
        Kind::Name(name) => allow_name(name),
        Kind::List(_)
        | Kind::Tuple(_)
        | Kind::Set(_)
        | Kind::Dict(_)
        | Kind::Conditional { .. }
        | Kind::Slice(_) => allow_below(expression),
        Kind::Formatted(pieces) => pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(_) => Ok(()),
            Piece::Field { value, format, .. } => {
                allow(value)?;
                format.as_ref().map_or(Ok(()), allow)
            }
        }),
        Kind::Unary(operator, operand) => match operator.node_name() {
            "USub" | "Not" => allow(operand),
            other => Err(Refusal::UnaryOperator(other)),
        },
        Kind::Binary(left, operator, right) => match operator.node_name() {
            "Add" | "Sub" | "Mult" => allow(left).and_then(|()| allow(right)),
            other => Err(Refusal::BinaryOperator(other)),
        },
        Kind::Subscript(value, index) => {
            allow(value)?;
            match &index.kind {
                Kind::Constant(_) | Kind::Subscript(..) | Kind::Slice(_) => allow(index),
                _ => Err(Refusal::Slice(node_name(index))),
            }
        }
        Kind::Call(call) => allow_call(call),
        _ => Err(Refusal::Expression(node_name(expression))),
    }
}

fn allow_below(expression: &Expression) -> Judgement {
    expression.children().into_iter().try_for_each(|child| match child {
        Child::Expression(expression) => allow(expression),
        Child::Wrapper(inside) => inside.into_iter().try_for_each(allow),
    })
}

fn allow_name(name: &str) -> Judgement {
    if names::is_dunder(name) { Err(Refusal::Name(name.to_owned())) } else { Ok(()) }
}

fn allow_call(call: &Call) -> Judgement {
    match &call.function.kind {
        Kind::Name(name) if names::EXPRESSION_FUNCTIONS.contains(&&**name) => {}
        Kind::Name(name) => return Err(Refusal::FunctionName(name.to_string())),
        Kind::Attribute(owner, name) => {
            if !names::EXPRESSION_METHODS.contains(&&**name) {
                return Err(Refusal::MethodName(name.to_string()));
            }
            allow(owner)?;
        }
        Kind::Call(inner) if matches!(inner.function.kind, Kind::Name(_) | Kind::Attribute(..)) => {
            allow_call(inner)?;
        }
        _ => return Err(Refusal::Function("Call")),
    }
    call.positional.iter().try_for_each(allow)?;
    // As in Tinybird, the values of keywords may be any expression that `{% %}` could hold.
    call.keywords.iter().try_for_each(|keyword| deny(&keyword.value))
}

/// Lets an expression of `{% %}` pass if nothing in it is forbidden.
pub(super) fn deny(expression: &Expression) -> Judgement {
    match &expression.kind {
        Kind::Name(name) | Kind::Walrus(name, _) => allow_name(name)?,
        Kind::Attribute(_, name)
            if name.starts_with('_') || names::FORBIDDEN_ATTRIBUTES.contains(&&**name) =>
        {
            return Err(Refusal::Attribute(name.to_string()));
        }
        Kind::Call(call) => match &call.function.kind {
            Kind::Name(name) if names::FORBIDDEN_FUNCTIONS.contains(&&**name) => {
                return Err(Refusal::FunctionName(name.to_string()));
            }
            _ => {}
        },
        Kind::Yield(_) | Kind::Await(_) => return Err(Refusal::Expression(node_name(expression))),
        _ => {}
    }
    expression.children().into_iter().try_for_each(|child| match child {
        Child::Expression(expression) => deny(expression),
        Child::Wrapper(inside) => inside.into_iter().try_for_each(deny),
    })
}

/// What Python's tree calls the node.
fn node_name(expression: &Expression) -> &'static str {
    use super::python::tree::Collects;
    match &expression.kind {
        Kind::Constant(_) => "Constant",
        Kind::Name(_) => "Name",
        Kind::List(_) => "List",
        Kind::Tuple(_) => "Tuple",
        Kind::Set(_) => "Set",
        Kind::Dict(_) => "Dict",
        Kind::Formatted(_) => "JoinedStr",
        Kind::Unary(..) => "UnaryOp",
        Kind::Binary(..) => "BinOp",
        Kind::Logical(..) => "BoolOp",
        Kind::Compare(..) => "Compare",
        Kind::Conditional { .. } => "IfExp",
        Kind::Call(_) => "Call",
        Kind::Attribute(..) => "Attribute",
        Kind::Subscript(..) => "Subscript",
        Kind::Slice(_) => "Slice",
        Kind::Comprehension(comprehension) => match comprehension.collects {
            Collects::List => "ListComp",
            Collects::Set => "SetComp",
            Collects::Dict => "DictComp",
            Collects::Iterator => "GeneratorExp",
        },
        Kind::Lambda(_) => "Lambda",
        Kind::Walrus(..) => "NamedExpr",
        Kind::Starred(_) => "Starred",
        Kind::Yield(_) => "Yield",
        Kind::Await(_) => "Await",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::python::statement::{self, Condition, Snippet};

    fn allowed(text: &str) -> String {
        match statement::snippet(text).unwrap() {
            Snippet::Expression(expression) => {
                allow(&expression).map_or_else(|r| r.to_string(), |()| "ok".into())
            }
            Snippet::Statement(node) => node.into(),
        }
    }

    fn denied(text: &str) -> String {
        match statement::condition(text).unwrap() {
            Condition::Expression(expression) => {
                deny(&expression).map_or_else(|r| r.to_string(), |()| "ok".into())
            }
            Condition::Smuggled => "smuggled".into(),
        }
    }

    #[test]
    fn expressions_say_only_what_is_on_the_list() {
        assert_eq!(allowed("String(x, default=y or 'z')"), "ok");
        assert_eq!(allowed("x.split(',')[0]"), "ok");
        assert_eq!(allowed("String(x, y or 'z')"), "Invalid expression type: BoolOp()");
        assert_eq!(allowed("x[-1]"), "Invalid Slice expression: UnaryOp()");
        assert_eq!(allowed("'a'.lower()"), "Invalid method name: lower");
        assert_eq!(allowed("(lambda: 1)()"), "Invalid function: Call()");
        assert_eq!(allowed("String(x, default=x.__class__)"), "Invalid attribute: __class__");
    }

    #[test]
    fn statements_say_anything_that_is_not_forbidden() {
        assert_eq!(denied("any(v == a for v in b)"), "ok");
        assert_eq!(denied("[eval(v) for v in b]"), "Invalid function name: eval");
        assert_eq!(denied("f'{x.gi_frame}'"), "Invalid attribute: gi_frame");
        assert_eq!(denied("(lambda: __builtins__)"), "Invalid name: __builtins__");
        assert_eq!(denied("x: pass\nimport os\nif y"), "smuggled");
    }
}
