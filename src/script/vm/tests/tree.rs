//! Integer expressions against a plain evaluator that walks the tree in 128 bits and cuts the result.

use proptest::prelude::*;

use super::*;

fn operator() -> impl Strategy<Value = BinaryOp> {
    prop_oneof![
        Just(BinaryOp::Add),
        Just(BinaryOp::Subtract),
        Just(BinaryOp::Multiply),
        Just(BinaryOp::Divide),
        Just(BinaryOp::DivideUnsigned),
        Just(BinaryOp::Remainder),
        Just(BinaryOp::RemainderUnsigned),
        Just(BinaryOp::And),
        Just(BinaryOp::Or),
        Just(BinaryOp::Xor),
        Just(BinaryOp::ShiftLeft),
        Just(BinaryOp::ShiftRight),
        Just(BinaryOp::ShiftRightUnsigned),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
        Just(Comparison::Below),
        Just(Comparison::BelowOrEqual),
        Just(Comparison::Above),
        Just(Comparison::AboveOrEqual),
    ]
}

fn number_strategy() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -3_i64..70,
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0)
    ]
}

fn expression() -> impl Strategy<Value = IntExpr> {
    let leaf = prop_oneof![
        number_strategy().prop_map(IntExpr::Constant),
        (0_usize..3).prop_map(|index| load(Scope::Global, index)),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            (operator(), boxed(), boxed()).prop_map(|(op, a, b)| IntExpr::Binary(
                op,
                a,
                b,
                Span::default()
            )),
            (comparison(), boxed(), boxed()).prop_map(|(how, a, b)| IntExpr::Compare(how, a, b)),
            (boxed(), boxed()).prop_map(|(a, b)| IntExpr::And(a, b)),
            (boxed(), boxed()).prop_map(|(a, b)| IntExpr::Or(a, b)),
            (boxed(), boxed(), boxed()).prop_map(|(c, a, b)| IntExpr::Choose(c, a, b)),
            boxed().prop_map(|a| IntExpr::Unary(UnaryOp::Negate, a)),
            boxed().prop_map(|a| IntExpr::Unary(UnaryOp::Not, a)),
            boxed().prop_map(|a| IntExpr::Unary(UnaryOp::Complement, a)),
            (
                prop_oneof![Just(8_u8), Just(16), Just(32)],
                any::<bool>(),
                boxed()
            )
                .prop_map(|(bits, signed, value)| IntExpr::Convert {
                    bits,
                    signed,
                    value
                }),
        ]
    })
}

fn cut(value: i128) -> i64 {
    let low = u128::try_from(value.rem_euclid(1 << 64)).expect("not negative");
    let low = u64::try_from(low).expect("64 bits");
    i64::from_ne_bytes(low.to_ne_bytes())
}

fn unsigned(value: i64) -> i128 {
    i128::from(value).rem_euclid(1 << 64)
}

/// `None`: division by 0.
fn walk_binary(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    let (sa, sb) = (i128::from(a), i128::from(b));
    let shift = 1_i128 << (unsigned(b) % 64);
    let result = match op {
        BinaryOp::Add => sa + sb,
        BinaryOp::Subtract => sa - sb,
        BinaryOp::Multiply => sa * sb,
        BinaryOp::Divide => sa.checked_div(sb)?,
        BinaryOp::DivideUnsigned => unsigned(a).checked_div(unsigned(b))?,
        BinaryOp::Remainder => sa.checked_rem(sb)?,
        BinaryOp::RemainderUnsigned => unsigned(a).checked_rem(unsigned(b))?,
        BinaryOp::And => sa & sb,
        BinaryOp::Or => sa | sb,
        BinaryOp::Xor => sa ^ sb,
        BinaryOp::ShiftLeft => sa.wrapping_mul(shift),
        BinaryOp::ShiftRight => sa.div_euclid(shift),
        BinaryOp::ShiftRightUnsigned => unsigned(a).div_euclid(shift),
    };
    Some(cut(result))
}

fn walk_compare(how: Comparison, a: i64, b: i64) -> bool {
    match how {
        Comparison::Equal => a == b,
        Comparison::NotEqual => a != b,
        Comparison::Less => a < b,
        Comparison::LessOrEqual => a <= b,
        Comparison::Greater => a > b,
        Comparison::GreaterOrEqual => a >= b,
        Comparison::Below => unsigned(a) < unsigned(b),
        Comparison::BelowOrEqual => unsigned(a) <= unsigned(b),
        Comparison::Above => unsigned(a) > unsigned(b),
        Comparison::AboveOrEqual => unsigned(a) >= unsigned(b),
    }
}

fn walk(expr: &IntExpr, variables: &[i64]) -> Option<i64> {
    let value = |expr: &IntExpr| walk(expr, variables);
    Some(match expr {
        IntExpr::Constant(value) => *value,
        IntExpr::Load(var) => *variables.get(var.index)?,
        IntExpr::Binary(op, a, b, _) => walk_binary(*op, value(a)?, value(b)?)?,
        IntExpr::Compare(how, a, b) => walk_compare(*how, value(a)?, value(b)?).into(),
        IntExpr::And(a, b) => (value(a)? != 0 && value(b)? != 0).into(),
        IntExpr::Or(a, b) => (value(a)? != 0 || value(b)? != 0).into(),
        IntExpr::Choose(c, a, b) => value(if value(c)? != 0 { a } else { b })?,
        IntExpr::Unary(UnaryOp::Negate, a) => cut(-i128::from(value(a)?)),
        IntExpr::Unary(UnaryOp::Not, a) => (value(a)? == 0).into(),
        IntExpr::Unary(UnaryOp::Complement, a) => cut(-1 - i128::from(value(a)?)),
        IntExpr::Convert {
            bits,
            signed,
            value: inner,
        } => {
            let span = 1_i128 << bits;
            let low = i128::from(value(inner)?).rem_euclid(span);
            cut(match *signed && low >= span / 2 {
                true => low - span,
                false => low,
            })
        }
        _ => return None,
    })
}

proptest! {
    #[test]
    fn integers_are_as_a_walk_through_the_tree(
        expr in expression(),
        variables in prop::array::uniform3(number_strategy()),
    ) {
        let expected = match walk(&expr, &variables) {
            Some(value) => (format!("{value} "), String::new()),
            None => (String::new(), "ERROR in 0: division by 0\n".to_owned()),
        };
        let mut it = program(vec![begin(vec![show(vec![expr])])]);
        it.globals = variables.iter().map(|value| int_var("v", *value)).collect();
        prop_assert_eq!(outcome(it), expected);
    }
}
