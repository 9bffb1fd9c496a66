//! What can be decided where an event happens, from captured values alone: plain data, so that any engine can carry
//! it out, in the tracer or in the traced process.

/// A condition on captured values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// All of them hold.
    All(Vec<Test>),
    /// One of them holds.
    Any(Vec<Test>),
    /// Two 64-bit values compare so.
    Numbers(Operand, Compare, Operand),
    /// A string compares so with a constant, byte by byte as strcmp(3). A string that cannot be read passes: the
    /// consumer then finds the error.
    Text(Subject, Compare, Vec<u8>),
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A constant.
    Constant(i64),
    /// An argument's value, sign-extended by its spec; 0 when there is none.
    Argument(u8),
    /// The process id.
    Pid,
    /// The thread id.
    Tid,
    /// The id of the target; 0 when there is none.
    Target,
    /// The bits of a value that a mask has.
    And(Box<Operand>, i64),
}

/// A string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The string that an argument points to, as far as it is captured.
    Argument(u8),
    /// The thread's name.
    ThreadName,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`, signed.
    Less,
    /// `<=`, signed.
    LessOrEqual,
    /// `>`, signed.
    Greater,
    /// `>=`, signed.
    GreaterOrEqual,
}

impl Compare {
    /// Whether values that are ordered so compare so.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Compare::Equal => order.is_eq(),
            Compare::NotEqual => order.is_ne(),
            Compare::Less => order.is_lt(),
            Compare::LessOrEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// What a [`Test`] looks at.
pub trait Captured {
    /// The value of an argument, sign-extended; 0 when there is none.
    fn argument(&self, index: u8) -> i64;
    /// The string that an argument points to; `None` when it could not be read.
    fn text(&self, index: u8) -> Option<&[u8]>;
    /// The process id.
    fn pid(&self) -> i32;
    /// The thread id.
    fn tid(&self) -> i32;
    /// The id of the target; 0 when there is none.
    fn target(&self) -> i32;
    /// The thread's name.
    fn thread_name(&self) -> &[u8];
}

impl Test {
    /// Whether it holds.
    pub fn holds(&self, captured: &dyn Captured) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|test| test.holds(captured)),
            Test::Any(tests) => tests.iter().any(|test| test.holds(captured)),
            Test::Numbers(left, compare, right) => {
                compare.holds(left.value(captured).cmp(&right.value(captured)))
            }
            Test::Text(subject, compare, constant) => {
                let text = match subject {
                    Subject::Argument(index) => captured.text(*index),
                    Subject::ThreadName => Some(captured.thread_name()),
                };
                text.is_none_or(|text| compare.holds(text.cmp(constant)))
            }
        }
    }
}

impl Operand {
    fn value(&self, captured: &dyn Captured) -> i64 {
        match self {
            Operand::Constant(value) => *value,
            Operand::Argument(index) => captured.argument(*index),
            Operand::Target => i64::from(captured.target()),
            Operand::Pid => i64::from(captured.pid()),
            Operand::Tid => i64::from(captured.tid()),
            Operand::And(operand, mask) => operand.value(captured) & mask,
        }
    }
}
