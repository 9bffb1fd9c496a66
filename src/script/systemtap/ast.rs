//! What a SystemTap script is parsed to.

use crate::script::source::Span;

/// A script or a tapset file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its declarations, in order.
    pub items: Vec<Item>,
}

/// A declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `probe POINTS { … }`
    Probe(Probe),
    /// `probe NAMES = POINTS { … }`
    Alias(Alias),
    /// `function NAME(…) { … }`
    Function(Function),
    /// `global NAMES`
    Global(Global),
    /// `%{ … %}`
    Embedded(Span),
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Where.
    pub points: Vec<Point>,
    /// What it does.
    pub body: Vec<Stmt>,
    /// Where it stands.
    pub span: Span,
}

/// An alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Its names.
    pub names: Vec<Point>,
    /// True: `+=`, the body runs behind those of its users.
    pub epilogue: bool,
    /// What it stands for.
    pub points: Vec<Point>,
    /// What it does.
    pub body: Vec<Stmt>,
    /// Seen in its own file only.
    pub private: bool,
    /// Where it stands.
    pub span: Span,
}

/// A probe point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What stands between its dots.
    pub components: Vec<Component>,
    /// `?`: it may match nothing.
    pub optional: bool,
    /// `!`: as `?`, and when it matches something then those behind it are not tried.
    pub sufficient: bool,
    /// `if (…)`
    pub condition: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// A part of a probe point.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its name; may have wildcards.
    pub name: String,
    /// Its argument.
    pub argument: Option<Argument>,
    /// Where it stands.
    pub span: Span,
}

/// The argument of a part of a probe point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number.
    Number(i64),
    /// A string.
    Text(String),
}

/// A type as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// `long`
    Long,
    /// `string`
    Str,
}

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// The type of its result, where that is written.
    pub result: Option<Declared>,
    /// Its parameters.
    pub parameters: Vec<(Name, Option<Declared>)>,
    /// What it does; `None`: embedded C.
    pub body: Option<Vec<Stmt>>,
    /// Seen in its own file only.
    pub private: bool,
    /// Where it stands.
    pub span: Span,
}

/// A global variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Global {
    /// Its name.
    pub name: Name,
    /// The most entries.
    pub limit: Option<i64>,
    /// `%`: a full array forgets its oldest entries.
    pub wraps: bool,
    /// What it begins as.
    pub initial: Option<Expr>,
    /// Seen in its own file only.
    pub private: bool,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where it stands.
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// An expression.
    Expr(Expr),
    /// `{ … }`
    Block(Vec<Stmt>),
    /// `if (…) … else …`
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `while (…) …`
    While(Expr, Vec<Stmt>),
    /// `for (…; …; …) …`
    For {
        /// Before all.
        first: Option<Expr>,
        /// Before each round.
        condition: Option<Expr>,
        /// After each round.
        step: Option<Expr>,
        /// A round.
        body: Vec<Stmt>,
    },
    /// `foreach (…) …`
    ForEach(Box<ForEach>),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `next`
    Next,
    /// `return …`
    Return(Option<Expr>),
    /// `delete …`
    Delete(Expr),
    /// `try { … } catch (…) { … }`
    Try {
        /// What may fail.
        body: Vec<Stmt>,
        /// Gets the error's text.
        message: Option<Name>,
        /// What then runs.
        handler: Vec<Stmt>,
    },
    /// `%{ … %}`
    Embedded,
}

/// A loop over an array.
#[derive(Clone, Debug, PartialEq)]
pub struct ForEach {
    /// Gets the value.
    pub value: Option<Name>,
    /// Get the keys.
    pub keys: Vec<Name>,
    /// The array.
    pub array: Name,
    /// What the keys must be.
    pub slice: Vec<Key>,
    /// The order.
    pub order: Option<Order>,
    /// The most rounds.
    pub limit: Option<Expr>,
    /// A round.
    pub body: Vec<Stmt>,
}

/// The order of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// 0: by the value; else by that key, from 1.
    pub column: usize,
    /// By a statistic of the value.
    pub statistic: Option<Statistic>,
    /// The largest first.
    pub descending: bool,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where the token stands that says what it is: the operator, the name.
    pub span: Span,
    /// How deep the tree is; at least 1.
    pub depth: usize,
}

/// A key of an array's element.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// `*`
    Any,
    /// That.
    Is(Expr),
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number.
    Number(i64),
    /// A string.
    Text(Vec<u8>),
    /// A variable.
    Name(String),
    /// `a[…]`
    Index(String, Vec<Key>),
    /// `$x`, `@var(…)`, `@cast(…)`, with what follows it (`->y[0]`, `$`).
    Target(Target),
    /// `f(…)`
    Call(String, Vec<Expr>),
    /// `-x`
    Unary(Unary, Box<Expr>),
    /// `x + y`
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `x =~ "…"`, and whether it is `!~`. The pattern is a literal.
    Matches(Box<Expr>, Box<Expr>, bool),
    /// `x in a`, `[x, y] in a`
    In(Vec<Key>, Name),
    /// `x ? y : z`
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `x = y`, `x += y`
    Assign(Assignment, Box<Expr>, Box<Expr>),
    /// `x++`
    Step {
        /// What is changed.
        of: Box<Expr>,
        /// `--`
        down: bool,
        /// `x++`: the value is the one before.
        postfix: bool,
    },
    /// `@count(x)`
    Statistic(Statistic, Box<Expr>),
    /// `@hist_log(x)`
    Histogram(Histogram, Box<Expr>),
    /// `printf(…)` and its relatives.
    Print(Box<Print>),
    /// `@defined(…)`
    Defined(Box<Expr>),
    /// `%{ … %}`
    Embedded,
}

/// A variable of the traced program.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The name with its `$`, or `@var`, `@cast`, …
    pub name: String,
    /// Its text as it is written, for messages.
    pub text: String,
    /// Something follows the name.
    pub path: bool,
    /// `&` before it.
    pub address: bool,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `!`
    Not,
    /// `~`
    Complement,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `.`
    Concat,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `>>>`
    ShiftRightLogical,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `&`
    BitAnd,
    /// `^`
    BitXor,
    /// `|`
    BitOr,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// How something is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// `=`
    Set,
    /// `<<<`
    Record,
    /// `+=`, `.=` and so on.
    Combine(Binary),
}

/// What a statistic tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// `@count`
    Count,
    /// `@sum`
    Sum,
    /// `@min`
    Min,
    /// `@max`
    Max,
    /// `@avg`
    Avg,
    /// `@variance`, and its number of bits.
    Variance(u8),
}

/// A histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Histogram {
    /// `@hist_log`
    Log,
    /// `@hist_linear` and low, high, step.
    Linear(i64, i64, i64),
}

/// A call of `printf` or a relative.
#[derive(Clone, Debug, PartialEq)]
pub struct Print {
    /// Its name.
    pub name: String,
    /// It gives a string (`sprintf`).
    pub to_string: bool,
    /// A newline is added (`println`).
    pub newline: bool,
    /// The format, for `printf` and `sprintf`.
    pub format: Option<(Vec<u8>, Span)>,
    /// What stands between the arguments (`printd`).
    pub delimiter: Option<Vec<u8>>,
    /// The arguments.
    pub arguments: Vec<Expr>,
}

impl Expr {
    /// The expressions that it is made of.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_)
            | ExprKind::Text(_)
            | ExprKind::Name(_)
            | ExprKind::Target(_)
            | ExprKind::Embedded => Vec::new(),
            ExprKind::Index(_, keys) | ExprKind::In(keys, _) => exprs(keys).collect(),
            ExprKind::Call(_, arguments) => arguments.iter().collect(),
            ExprKind::Unary(_, of)
            | ExprKind::Step { of, .. }
            | ExprKind::Statistic(_, of)
            | ExprKind::Histogram(_, of)
            | ExprKind::Defined(of) => vec![of],
            ExprKind::Binary(_, left, right)
            | ExprKind::Matches(left, right, _)
            | ExprKind::Assign(_, left, right) => vec![left, right],
            ExprKind::Choose(condition, then, otherwise) => vec![condition, then, otherwise],
            ExprKind::Print(print) => print.arguments.iter().collect(),
        }
    }
}

/// The expressions among keys.
pub fn exprs(keys: &[Key]) -> impl Iterator<Item = &Expr> {
    keys.iter().filter_map(|key| match key {
        Key::Any => None,
        Key::Is(expr) => Some(expr),
    })
}

impl Stmt {
    /// The expressions of the statement itself, and the lists of statements within it.
    pub fn parts(&self) -> (Vec<&Expr>, Vec<&[Stmt]>) {
        match &self.kind {
            StmtKind::Expr(expr) | StmtKind::Delete(expr) => (vec![expr], Vec::new()),
            StmtKind::Block(body) => (Vec::new(), vec![body]),
            StmtKind::If(condition, then, otherwise) => (vec![condition], vec![then, otherwise]),
            StmtKind::While(condition, body) => (vec![condition], vec![body]),
            StmtKind::For {
                first,
                condition,
                step,
                body,
            } => {
                let exprs = [first, condition, step].into_iter().flatten();
                (exprs.collect(), vec![body])
            }
            StmtKind::ForEach(each) => {
                let exprs = exprs(&each.slice).chain(&each.limit);
                (exprs.collect(), vec![&each.body])
            }
            StmtKind::Return(value) => (value.iter().collect(), Vec::new()),
            StmtKind::Try { body, handler, .. } => (Vec::new(), vec![body, handler]),
            StmtKind::Break | StmtKind::Continue | StmtKind::Next | StmtKind::Embedded => {
                (Vec::new(), Vec::new())
            }
        }
    }
}
