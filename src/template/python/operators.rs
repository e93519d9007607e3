//! Operators: how they are written, how strongly they bind, and what Python's tree calls them.

use super::tree::{Binary, Comparison, Unary};

/// The binary operator that `symbol` is, and its binding power (more binds stronger).
pub(super) fn binary(symbol: &str) -> Option<(Binary, u8)> {
    Some(match symbol {
        "|" => (Binary::Or, 1),
        "^" => (Binary::Xor, 2),
        "&" => (Binary::And, 3),
        "<<" => (Binary::ShiftLeft, 4),
        ">>" => (Binary::ShiftRight, 4),
        "+" => (Binary::Add, 5),
        "-" => (Binary::Subtract, 5),
        "*" => (Binary::Multiply, 6),
        "/" => (Binary::Divide, 6),
        "//" => (Binary::FloorDivide, 6),
        "%" => (Binary::Modulo, 6),
        "@" => (Binary::MatrixMultiply, 6),
        _ => return None,
    })
}

/// The operator of an augmented assignment such as `+=`.
pub(super) fn augmented(symbol: &str) -> Option<Binary> {
    match symbol.strip_suffix('=')? {
        "**" => Some(Binary::Power),
        plain => binary(plain).map(|(operator, _)| operator),
    }
}

/// The comparison that `symbol` is, if it is not written as words.
pub(super) fn comparison(symbol: &str) -> Option<Comparison> {
    Some(match symbol {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// The prefix operator that `symbol` is.
pub(super) fn unary(symbol: &str) -> Option<Unary> {
    Some(match symbol {
        "+" => Unary::Plus,
        "-" => Unary::Minus,
        "~" => Unary::Invert,
        _ => return None,
    })
}

impl Binary {
    /// The name in Python's tree.
    pub(in crate::template) fn node_name(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Subtract => "Sub",
            Self::Multiply => "Mult",
            Self::Divide => "Div",
            Self::FloorDivide => "FloorDiv",
            Self::Modulo => "Mod",
            Self::Power => "Pow",
            Self::MatrixMultiply => "MatMult",
            Self::Or => "BitOr",
            Self::Xor => "BitXor",
            Self::And => "BitAnd",
            Self::ShiftLeft => "LShift",
            Self::ShiftRight => "RShift",
        }
    }

    /// How messages write it.
    pub(in crate::template) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "** or pow()",
            Self::MatrixMultiply => "@",
            Self::Or => "|",
            Self::Xor => "^",
            Self::And => "&",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
        }
    }
}

impl Unary {
    /// The name in Python's tree.
    pub(in crate::template) fn node_name(self) -> &'static str {
        match self {
            Self::Plus => "UAdd",
            Self::Minus => "USub",
            Self::Invert => "Invert",
            Self::Not => "Not",
        }
    }

    /// How messages write it.
    pub(in crate::template) fn symbol(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Invert => "~",
            Self::Not => "not",
        }
    }
}

impl Comparison {
    /// How messages write it.
    pub(in crate::template) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Is => "is",
            Self::IsNot => "is not",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }
}
