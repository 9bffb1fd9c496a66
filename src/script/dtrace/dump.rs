//! A program's tree as text, for tests and for whoever wants to see how a program was understood: parentheses around
//! each operator and its operands, a line for each statement.

use super::ast::{
    Clause, Declaration, Expr, ExprKind, Item, Scope, Script, Stmt, StmtKind, TypeName,
};

/// The tree of a program.
pub fn dump(script: &Script) -> String {
    let mut text = String::new();
    for pragma in &script.pragmas {
        text.push_str(&format!("(pragma {})\n", pragma.words.join(" ")));
    }
    for item in &script.items {
        match item {
            Item::Clause(it) => clause(&mut text, it),
            Item::Variable(it) => variable(&mut text, it),
            Item::Inline(it) => {
                let (ty, value) = (type_name(&it.ty), expr(&it.value));
                text.push_str(&format!("(inline {ty} {} {value})\n", it.name));
            }
            Item::Typedef(it) => {
                text.push_str(&format!("(typedef {} {})\n", type_name(&it.ty), it.name));
            }
            Item::Enum(all) => {
                text.push_str("(enum");
                for it in all {
                    match &it.value {
                        Some(value) => text.push_str(&format!(" ({} {})", it.name, expr(value))),
                        None => text.push_str(&format!(" {}", it.name)),
                    }
                }
                text.push_str(")\n");
            }
        }
    }
    text
}

fn clause(text: &mut String, clause: &Clause) {
    text.push_str("(clause\n");
    for probe in &clause.probes {
        text.push_str(&format!("  (probe {})\n", probe.text));
    }
    if let Some(predicate) = &clause.predicate {
        text.push_str(&format!("  (predicate {})\n", expr(predicate)));
    }
    match &clause.body {
        None => text.push_str("  (default)"),
        Some(body) => {
            text.push_str("  (body");
            statements(text, body, 4);
            text.push(')');
        }
    }
    text.push_str(")\n");
}

/// Each statement on a line of its own, behind what is there.
fn statements(text: &mut String, all: &[Stmt], indent: usize) {
    for statement in all {
        text.push_str(&format!("\n{:indent$}", ""));
        match &statement.kind {
            StmtKind::Expr(value) => text.push_str(&expr(value)),
            StmtKind::If(condition, then, otherwise) => {
                let inner = indent.saturating_add(2);
                text.push_str(&format!("(if {}\n{:inner$}(then", expr(condition), ""));
                statements(text, then, inner.saturating_add(2));
                text.push(')');
                if !otherwise.is_empty() {
                    text.push_str(&format!("\n{:inner$}(else", ""));
                    statements(text, otherwise, inner.saturating_add(2));
                    text.push(')');
                }
                text.push(')');
            }
        }
    }
}

fn variable(text: &mut String, variable: &Declaration) {
    let keys = variable.keys.as_ref().map_or(String::new(), |keys| {
        let keys: Vec<String> = keys.iter().map(type_name).collect();
        format!(" ({})", keys.join(" "))
    });
    let scope = scope(variable.scope);
    let ty = type_name(&variable.ty);
    text.push_str(&format!("(variable {scope}{} {ty}{keys})\n", variable.name));
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Global => "",
        Scope::Thread => "self->",
        Scope::Clause => "this->",
    }
}

/// A type, in quotes when it has several words.
fn type_name(ty: &TypeName) -> String {
    let text = ty.text();
    if text.contains(' ') {
        format!("{text:?}")
    } else {
        text
    }
}

fn list(head: &str, all: &[Expr]) -> String {
    let mut text = format!("({head}");
    for it in all {
        text.push(' ');
        text.push_str(&expr(it));
    }
    text.push(')');
    text
}

fn pair(head: &str, left: &Expr, right: &Expr) -> String {
    format!("({head} {} {})", expr(left), expr(right))
}

fn expr(value: &Expr) -> String {
    match &value.kind {
        ExprKind::Int(int) => int.value.to_string(),
        ExprKind::Str(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        ExprKind::Name(name) | ExprKind::Symbol(name) => name.clone(),
        ExprKind::Scoped(own, name) => format!("{}{name}", scope(*own)),
        ExprKind::Macro(name) => format!("${name}"),
        ExprKind::Aggregation(name, None) => format!("@{name}"),
        ExprKind::Aggregation(name, Some(keys)) => list(&format!("index @{name}"), keys),
        ExprKind::Index(base, keys) => list(&format!("index {}", expr(base)), keys),
        ExprKind::Member(base, name) => format!("(member {} {name})", expr(base)),
        ExprKind::Call(name, arguments) => list(&format!("call {name}"), arguments),
        ExprKind::Unary(op, operand) => format!("({} {})", op.text(), expr(operand)),
        ExprKind::Update {
            prefix,
            increment,
            operand,
        } => {
            let op = if *increment { "++" } else { "--" };
            let place = if *prefix { "before" } else { "after" };
            format!("({op}{place} {})", expr(operand))
        }
        ExprKind::Binary(op, left, right) => pair(op.text(), left, right),
        ExprKind::Chain(op, operands) => list(op.text(), operands),
        ExprKind::Assign(None, to, value) => pair("=", to, value),
        ExprKind::Assign(Some(op), to, value) => pair(&format!("{}=", op.text()), to, value),
        ExprKind::Choose(condition, then, otherwise) => {
            format!("(? {} {} {})", expr(condition), expr(then), expr(otherwise))
        }
        ExprKind::Cast(ty, operand) => format!("(cast {} {})", type_name(ty), expr(operand)),
        ExprKind::SizeOfType(ty) => format!("(sizeof {})", type_name(ty)),
        ExprKind::SizeOf(operand) => format!("(sizeof {})", expr(operand)),
        ExprKind::StringOf(operand) => format!("(stringof {})", expr(operand)),
        ExprKind::Comma(first, second) => pair(",", first, second),
    }
}
