//! What can be decided where an event happens, from captured values alone: plain data, so that any engine can carry
//! it out, in the tracer or in the traced process.

use super::Names;

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
    /// Where the marker is one of a function: that function is wanted by its names. Else it holds.
    Names(Names),
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
    /// Whether it is a function's marker ([`super::OF_FUNCTIONS`]): the first two arguments are the names of its file and
    /// its own.
    fn is_of_function(&self) -> bool;
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
            Test::Names(names) => {
                let known = captured.text(0).zip(captured.text(1));
                let function = known.filter(|_| captured.is_of_function());
                function.is_none_or(|(file, function)| names.want(file, function))
            }
        }
    }

    /// What must hold at a marker of a function so that this may hold at some marker of that function: what
    /// [`Test::rules_function_out`] decides, for whoever decides it elsewhere. `None`: nothing need.
    pub fn of_function(&self) -> Option<Test> {
        match self {
            Test::All(tests) => {
                let parts: Vec<Test> = tests.iter().filter_map(Test::of_function).collect();
                (!parts.is_empty()).then_some(Test::All(parts))
            }
            Test::Any(tests) => {
                let parts: Option<Vec<Test>> = tests.iter().map(Test::of_function).collect();
                parts.map(Test::Any)
            }
            Test::Text(Subject::Argument(0 | 1), ..) | Test::Names(_) => Some(self.clone()),
            Test::Text(..) | Test::Numbers(..) => None,
        }
    }

    /// Whether it cannot hold at any marker of the same function, whoever calls it and whichever line it is.
    pub fn rules_function_out(&self, captured: &dyn Captured) -> bool {
        match self {
            Test::All(tests) => tests.iter().any(|test| test.rules_function_out(captured)),
            Test::Any(tests) => tests.iter().all(|test| test.rules_function_out(captured)),
            Test::Text(Subject::Argument(0 | 1), ..) | Test::Names(_) => {
                captured.is_of_function() && !self.holds(captured)
            }
            Test::Text(..) | Test::Numbers(..) => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::glob::Glob;

    struct Function(i64);

    impl Captured for Function {
        fn argument(&self, _: u8) -> i64 {
            self.0
        }
        fn text(&self, index: u8) -> Option<&[u8]> {
            [b"a.py".as_slice(), b"f"].get(usize::from(index)).copied()
        }
        fn is_of_function(&self) -> bool {
            true
        }
        fn pid(&self) -> i32 {
            1
        }
        fn tid(&self) -> i32 {
            2
        }
        fn target(&self) -> i32 {
            0
        }
        fn thread_name(&self) -> &[u8] {
            b"name"
        }
    }

    #[test]
    fn only_what_is_the_same_for_a_function_rules_it_out() {
        let text = |subject, constant: &[u8]| Test::Text(subject, Compare::Equal, constant.into());
        let other = || text(Subject::Argument(1), b"g");
        let own = || text(Subject::Argument(1), b"f");
        let line = || Test::Numbers(Operand::Argument(2), Compare::Equal, Operand::Constant(9));
        let only = vec![Glob::literal("g")];
        let names = Test::Names(Names {
            only,
            ..Names::default()
        });
        let table = [
            (other(), true),
            (own(), false),
            (names, true),
            (line(), false),
            (text(Subject::ThreadName, b"x"), false),
            (Test::All(vec![line(), other()]), true),
            (Test::All(vec![line(), own()]), false),
            (Test::Any(vec![line(), other()]), false),
            (Test::Any(vec![other(), other()]), true),
        ];
        for (test, expected) in table {
            assert_eq!(test.rules_function_out(&Function(3)), expected, "{test:?}");
        }
    }
}
