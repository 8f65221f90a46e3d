//! Values that stand in the source: read from the syntax tree, never executed.

use std::collections::BTreeMap;

use rhai::{Dynamic, Expr, Position as At};

/// A literal with its place.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    pub(super) at: At,
    pub(super) value: Constant,
}

/// What a literal can be.
#[derive(Clone, Debug)]
pub(super) enum Constant {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Literal>),
    Map(Vec<(String, At, Literal)>),
}

/// What is wrong with an expression that should be a literal.
#[derive(Debug)]
pub(super) struct NotLiteral {
    pub(super) at: At,
    pub(super) message: String,
}

impl Literal {
    /// Reads an expression; a name must be one of the constants that came before it.
    pub(super) fn of(
        expression: &Expr,
        constants: &BTreeMap<String, Literal>,
    ) -> Result<Self, NotLiteral> {
        let at = expression.position();
        let value = match expression {
            Expr::Unit(_) => Constant::Unit,
            Expr::BoolConstant(flag, _) => Constant::Bool(*flag),
            Expr::IntegerConstant(int, _) => Constant::Int(*int),
            Expr::FloatConstant(float, _) => Constant::Float(**float),
            Expr::CharConstant(letter, _) => Constant::Text(letter.to_string()),
            Expr::StringConstant(text, _) => Constant::Text(text.to_string()),
            Expr::Array(items, _) => Constant::List(
                items
                    .iter()
                    .map(|item| Self::of(item, constants))
                    .collect::<Result<_, _>>()?,
            ),
            Expr::Map(content, _) => Constant::Map(
                content
                    .0
                    .iter()
                    .map(|(key, value)| {
                        Ok((key.name.to_string(), key.pos, Self::of(value, constants)?))
                    })
                    .collect::<Result<_, NotLiteral>>()?,
            ),
            Expr::Variable(variable, _, _) if variable.2.is_empty() => {
                let name = variable.1.as_str();
                let known = constants.get(name).ok_or_else(|| NotLiteral {
                    at,
                    message: format!(
                        "`{name}` is no constant of this file that stands before this line"
                    ),
                })?;
                known.value.clone()
            }
            Expr::FnCall(call, _) if call.name == "-" && call.args.len() == 1 => {
                negative(&call.args[0], constants, at)?
            }
            _ => {
                let message = "only literals and this file's constants can stand here, no functions and no calculations";
                return Err(NotLiteral {
                    at,
                    message: message.to_owned(),
                });
            }
        };
        Ok(Self { at, value })
    }

    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Constant::Unit => "nothing",
            Constant::Bool(_) => "true/false",
            Constant::Int(_) => "a whole number",
            Constant::Float(_) => "a decimal number",
            Constant::Text(_) => "a text",
            Constant::List(_) => "a list",
            Constant::Map(_) => "a map",
        }
    }

    /// The value as scripts see it.
    pub(super) fn to_dynamic(&self) -> Dynamic {
        match &self.value {
            Constant::Unit => Dynamic::UNIT,
            Constant::Bool(flag) => (*flag).into(),
            Constant::Int(int) => (*int).into(),
            Constant::Float(float) => (*float).into(),
            Constant::Text(text) => text.clone().into(),
            Constant::List(items) => {
                Dynamic::from_array(items.iter().map(Self::to_dynamic).collect())
            }
            Constant::Map(fields) => Dynamic::from_map(
                fields
                    .iter()
                    .map(|(key, _, value)| (key.as_str().into(), value.to_dynamic()))
                    .collect(),
            ),
        }
    }
}

fn negative(
    inner: &Expr,
    constants: &BTreeMap<String, Literal>,
    at: At,
) -> Result<Constant, NotLiteral> {
    match Literal::of(inner, constants)?.value {
        Constant::Int(int) => int.checked_neg().map(Constant::Int).ok_or(NotLiteral {
            at,
            message: "this number has no negative: it is the smallest one".to_owned(),
        }),
        Constant::Float(float) => Ok(Constant::Float(-float)),
        _ => Err(NotLiteral {
            at,
            message: "only a number can be negative".to_owned(),
        }),
    }
}
