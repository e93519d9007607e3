//! The syntax tree of a Python expression.
//!
//! A node knows its height, and no node is higher than [`MAX_HEIGHT`]: whatever walks a tree may
//! recurse without fear for the stack.

use std::sync::Arc;

use num_bigint::BigInt;

use super::SyntaxError;

/// The highest tree that the parser builds.
pub(in crate::template) const MAX_HEIGHT: usize = 120;

/// A name, shared by everything that mentions it.
pub(in crate::template) type Name = Arc<str>;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::template) enum Constant {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Ellipsis,
    Imaginary,
}

/// One node with everything below it.
#[derive(Debug)]
pub(in crate::template) struct Expression {
    pub(in crate::template) kind: Kind,
    height: usize,
}

/// What a node is.
#[derive(Debug)]
pub(in crate::template) enum Kind {
    Constant(Constant),
    Name(Name),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Set(Vec<Expression>),
    /// An entry without a key is a `**spread`.
    Dict(Vec<(Option<Expression>, Expression)>),
    /// An f-string.
    Formatted(Vec<Piece>),
    Unary(Unary, Box<Expression>),
    Binary(Box<Expression>, Binary, Box<Expression>),
    Logical(Logical, Vec<Expression>),
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    Conditional {
        test: Box<Expression>,
        body: Box<Expression>,
        otherwise: Box<Expression>,
    },
    Call(Box<Call>),
    Attribute(Box<Expression>, Name),
    Subscript(Box<Expression>, Box<Expression>),
    Slice(Box<[Option<Expression>; 3]>),
    Comprehension(Arc<Comprehension>),
    Lambda(Arc<Lambda>),
    /// `name := value`
    Walrus(Name, Box<Expression>),
    Starred(Box<Expression>),
    Yield(Option<Box<Expression>>),
    Await(Box<Expression>),
}

/// A part of an f-string.
#[derive(Debug)]
pub(in crate::template) enum Piece {
    Text(Arc<str>),
    Field { value: Expression, conversion: Option<char>, format: Option<Expression> },
}

#[derive(Debug)]
pub(in crate::template) struct Call {
    pub(in crate::template) function: Expression,
    /// May contain [`Kind::Starred`].
    pub(in crate::template) positional: Vec<Expression>,
    pub(in crate::template) keywords: Vec<Keyword>,
}

/// `name=value`, or `**value` where there is no name.
#[derive(Debug)]
pub(in crate::template) struct Keyword {
    pub(in crate::template) name: Option<Name>,
    pub(in crate::template) value: Expression,
}

#[derive(Debug)]
pub(in crate::template) struct Comprehension {
    pub(in crate::template) collects: Collects,
    pub(in crate::template) element: Expression,
    /// The value of a dict comprehension, whose key is `element`.
    pub(in crate::template) value: Option<Expression>,
    pub(in crate::template) clauses: Vec<Clause>,
}

/// What a comprehension makes of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Collects {
    List,
    Set,
    Dict,
    Iterator,
}

/// `for target in iterable if condition …`
#[derive(Debug)]
pub(in crate::template) struct Clause {
    pub(in crate::template) target: Expression,
    pub(in crate::template) iterable: Expression,
    pub(in crate::template) conditions: Vec<Expression>,
}

#[derive(Debug)]
pub(in crate::template) struct Lambda {
    pub(in crate::template) parameters: Vec<(Name, Option<Expression>)>,
    pub(in crate::template) body: Expression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Unary {
    Plus,
    Minus,
    Invert,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    MatrixMultiply,
    Or,
    Xor,
    And,
    ShiftLeft,
    ShiftRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Logical {
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Is,
    IsNot,
    In,
    NotIn,
}

/// What stands below a node in Python's own tree.
///
/// Python has nodes which are no expressions (keyword, comprehension clause, formatted value, the
/// parameters of a lambda); breadth-first walks have to see them as a level of their own.
#[derive(Debug, Clone)]
pub(in crate::template) enum Child<'a> {
    Expression(&'a Expression),
    Wrapper(Vec<&'a Expression>),
}

impl Expression {
    /// The node; an error where the tree would become too high.
    pub(in crate::template) fn new(kind: Kind) -> Result<Self, SyntaxError> {
        let below = kind.children().into_iter().map(|child| match child {
            Child::Expression(expression) => expression.height,
            Child::Wrapper(inside) => inside.iter().map(|e| e.height).max().unwrap_or(0),
        });
        let height = 1 + below.max().unwrap_or(0);
        if height > MAX_HEIGHT { Err(SyntaxError::TooDeep) } else { Ok(Self { kind, height }) }
    }

    /// The nodes right below, in the order of Python's tree.
    pub(in crate::template) fn children(&self) -> Vec<Child<'_>> {
        self.kind.children()
    }

    /// The name, where the expression is nothing but one.
    pub(in crate::template) fn as_name(&self) -> Option<&Name> {
        match &self.kind {
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }
}

impl Kind {
    fn children(&self) -> Vec<Child<'_>> {
        use Child::Expression as One;
        match self {
            Self::Constant(_) | Self::Name(_) => Vec::new(),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::Logical(_, items) => {
                items.iter().map(One).collect()
            }
            Self::Dict(entries) => {
                let keys = entries.iter().filter_map(|(key, _)| key.as_ref());
                keys.chain(entries.iter().map(|(_, value)| value)).map(One).collect()
            }
            Self::Formatted(pieces) => pieces.iter().filter_map(Piece::child).collect(),
            Self::Unary(_, inside)
            | Self::Attribute(inside, _)
            | Self::Walrus(_, inside)
            | Self::Starred(inside)
            | Self::Await(inside) => vec![One(inside)],
            Self::Binary(left, _, right) | Self::Subscript(left, right) => vec![One(left), One(right)],
            Self::Compare(first, rest) => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, operand)| operand)).map(One).collect()
            }
            Self::Conditional { test, body, otherwise } => vec![One(test), One(body), One(otherwise)],
            Self::Call(call) => call.children(),
            Self::Slice(parts) => parts.iter().flatten().map(One).collect(),
            Self::Comprehension(comprehension) => comprehension.children(),
            Self::Lambda(lambda) => {
                let defaults = lambda.parameters.iter().filter_map(|(_, default)| default.as_ref());
                vec![Child::Wrapper(defaults.collect()), One(&lambda.body)]
            }
            Self::Yield(inside) => inside.iter().map(|inside| One(inside)).collect(),
        }
    }
}

impl Piece {
    fn child(&self) -> Option<Child<'_>> {
        match self {
            Self::Text(_) => None,
            Self::Field { value, format, .. } => {
                Some(Child::Wrapper(std::iter::once(value).chain(format.as_ref()).collect()))
            }
        }
    }
}

impl Call {
    fn children(&self) -> Vec<Child<'_>> {
        let plain = std::iter::once(&self.function).chain(&self.positional).map(Child::Expression);
        plain.chain(self.keywords.iter().map(|keyword| Child::Wrapper(vec![&keyword.value]))).collect()
    }
}

impl Comprehension {
    fn children(&self) -> Vec<Child<'_>> {
        let elements = std::iter::once(&self.element).chain(self.value.as_ref()).map(Child::Expression);
        elements.chain(self.clauses.iter().map(|clause| Child::Wrapper(clause.expressions()))).collect()
    }
}

impl Clause {
    fn expressions(&self) -> Vec<&Expression> {
        [&self.target, &self.iterable].into_iter().chain(&self.conditions).collect()
    }
}
