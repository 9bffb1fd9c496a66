//! What a D program is parsed to: names, not meanings. The manual is the "Dynamic Tracing Guide", chapters "D Program
//! Structure" and "Types, Operators, and Expressions".

use crate::script::source::Span;

/// A program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Clauses and declarations, in order.
    pub items: Vec<Item>,
    /// `#pragma D …` lines, in order.
    pub pragmas: Vec<Pragma>,
}

/// A `#pragma D` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pragma {
    /// What stands behind `#pragma D`, by words; a word may be `name=value`.
    pub words: Vec<String>,
    /// The line.
    pub span: Span,
}

/// What stands on the outermost level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Probes, and what is done there.
    Clause(Clause),
    /// A declared variable.
    Variable(Declaration),
    /// `inline TYPE NAME = VALUE;`
    Inline(Inline),
    /// `typedef TYPE NAME;`
    Typedef(Typedef),
    /// `enum NAME { A, B = 2 };`
    Enum(Vec<Enumerator>),
}

/// Probes, and what is done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The probes' descriptions; at least one.
    pub probes: Vec<Description>,
    /// What stands between `/` and `/`.
    pub predicate: Option<Expr>,
    /// What stands between `{` and `}`; `None`: there are no braces.
    pub body: Option<Vec<Stmt>>,
    /// The descriptions and the predicate.
    pub span: Span,
}

/// A probe's description as written, `provider:module:function:name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The text; macro arguments are not replaced.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// How long a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Without a prefix: one for all.
    Global,
    /// `self->`: one a thread.
    Thread,
    /// `this->`: one a firing.
    Clause,
}

/// A declared variable or associative array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// How long it lives.
    pub scope: Scope,
    /// Its type.
    pub ty: TypeName,
    /// Its name.
    pub name: String,
    /// The types of an array's keys; `None`: a scalar.
    pub keys: Option<Vec<TypeName>>,
    /// Where its name stands.
    pub span: Span,
}

/// A named constant expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline {
    /// Its type.
    pub ty: TypeName,
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub value: Expr,
    /// Where its name stands.
    pub span: Span,
}

/// A name for a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typedef {
    /// The type.
    pub ty: TypeName,
    /// The name.
    pub name: String,
}

/// A constant of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumerator {
    /// Its name.
    pub name: String,
    /// Its value; `None`: one more than the one before.
    pub value: Option<Expr>,
    /// Where its name stands.
    pub span: Span,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// Its words, with one space between (`unsigned long`); `const` and `volatile` are left out.
    pub name: String,
    /// How many `*` follow.
    pub pointers: u8,
    /// Where.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where.
    pub span: Span,
}

/// Kinds of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// An expression or action.
    Expr(Expr),
    /// `if (condition) then else otherwise`
    If(Expr, Vec<Stmt>, Vec<Stmt>),
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
    /// How many expressions are nested in it, itself included.
    pub height: u16,
}

/// Kinds of expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// An integer constant.
    Int(Int),
    /// A string constant.
    Str(Vec<u8>),
    /// A variable, function or constant by its name.
    Name(String),
    /// `self->NAME` or `this->NAME`.
    Scoped(Scope, String),
    /// A symbol of the kernel: ``module`name``.
    Symbol(String),
    /// `$NAME`, without the `$`.
    Macro(String),
    /// `@NAME[keys]`; `None`: without brackets.
    Aggregation(String, Option<Vec<Expr>>),
    /// `base[keys]`
    Index(Box<Expr>, Vec<Expr>),
    /// `base.NAME` or `base->NAME`
    Member(Box<Expr>, String),
    /// `NAME(arguments)`
    Call(String, Vec<Expr>),
    /// One operand.
    Unary(UnaryOp, Box<Expr>),
    /// `++` and `--`.
    Update {
        /// Before the operand: the value is the new one.
        prefix: bool,
        /// `++`.
        increment: bool,
        /// The operand.
        operand: Box<Expr>,
    },
    /// Two operands.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a && b && c`, or with `||` or `^^`.
    Chain(ChainOp, Vec<Expr>),
    /// `to = value`; with an operator `to += value`.
    Assign(Option<BinaryOp>, Box<Expr>, Box<Expr>),
    /// `condition ? then : otherwise`
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `(TYPE)value`
    Cast(TypeName, Box<Expr>),
    /// `sizeof (TYPE)`
    SizeOfType(TypeName),
    /// `sizeof value`
    SizeOf(Box<Expr>),
    /// `stringof value`
    StringOf(Box<Expr>),
    /// `first, second`
    Comma(Box<Expr>, Box<Expr>),
}

/// An integer constant: its value, and what decides its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    /// The value.
    pub value: u64,
    /// It is decimal: unsigned types are not tried unless it has a `u`.
    pub decimal: bool,
    /// It has a `u`.
    pub unsigned: bool,
    /// It has an `l`.
    pub long: bool,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `+`
    Plus,
    /// `!`
    Not,
    /// `~`
    Complement,
    /// `*`
    Dereference,
    /// `&`
    Address,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Operators that take any number of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainOp {
    /// `&&`
    All,
    /// `||`
    Any,
    /// `^^`
    Odd,
}

impl UnaryOp {
    /// As written.
    pub fn text(self) -> &'static str {
        match self {
            UnaryOp::Negate => "-",
            UnaryOp::Plus => "+",
            UnaryOp::Not => "!",
            UnaryOp::Complement => "~",
            UnaryOp::Dereference => "*",
            UnaryOp::Address => "&",
        }
    }
}

impl BinaryOp {
    /// As written.
    pub fn text(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::And => "&",
            BinaryOp::Or => "|",
            BinaryOp::Xor => "^",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
        }
    }
}

impl ChainOp {
    /// As written.
    pub fn text(self) -> &'static str {
        match self {
            ChainOp::All => "&&",
            ChainOp::Any => "||",
            ChainOp::Odd => "^^",
        }
    }
}
