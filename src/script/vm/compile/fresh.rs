//! Whether a handler has to find the variables of its firing as they begin. Most handlers set theirs before they look at
//! them, and then need not wait for all to be set back.

use crate::script::ir::visit::{self, Node};
use crate::script::ir::{Expr, Handler, IntExpr, Scope, Stmt, StrExpr, Yields};

/// Whether it may look at a variable of the firing that it has not set itself.
pub fn needs_fresh(handler: &Handler) -> bool {
    let mut set = Vec::new();
    let predicate = handler.predicate.as_ref();
    if predicate.is_some_and(|it| looks(|see| visit::int(it, see), &set)) {
        return true;
    }
    for statement in &handler.body {
        if looks(|see| visit::stmt(statement, see), &set) {
            return true;
        }
        set.extend(sets(statement));
    }
    false
}

/// The variable of the firing that a statement sets, whatever happens.
fn sets(statement: &Stmt) -> Option<usize> {
    let (scope, index) = match statement {
        Stmt::Evaluate(Expr::Int(IntExpr::Assign { to, .. })) => (to.scope, to.index),
        Stmt::Evaluate(Expr::Str(StrExpr::Assign { to, .. })) => (to.scope, to.index),
        _ => return None,
    };
    (scope == Scope::Firing).then_some(index)
}

/// Whether one of these nodes may look at a variable of the firing that is not among those that were set.
fn looks<'a>(nodes: impl FnOnce(&mut dyn FnMut(Node<'a>)), set: &[usize]) -> bool {
    let mut looks = false;
    nodes(&mut |node| {
        looks |= match node {
            Node::Int(IntExpr::Load(var)) => is_unset(var.scope, var.index, set),
            Node::Str(StrExpr::Load(var)) => is_unset(var.scope, var.index, set),
            Node::Int(IntExpr::Assign { to, op, yields, .. }) => {
                let old = op.is_some() || *yields != Yields::New;
                old && is_unset(to.scope, to.index, set)
            }
            // They name variables, too, and functions have code of their own.
            Node::Stmt(Stmt::ForEach(_) | Stmt::Try { .. } | Stmt::Reset(_))
            | Node::Int(IntExpr::Invoke(_))
            | Node::Str(StrExpr::Invoke(_)) => true,
            _ => false,
        };
    });
    looks
}

fn is_unset(scope: Scope, index: usize, set: &[usize]) -> bool {
    scope == Scope::Firing && !set.contains(&index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::dtrace;
    use crate::script::source::Sources;

    /// Of any clause.
    fn of(text: &str) -> bool {
        let mut sources = Sources::default();
        let id = sources.add("script.d", text.as_bytes()).unwrap();
        let (compiled, diagnostics) = dtrace::compile(&sources, id, &dtrace::Settings::default());
        assert!(
            compiled.is_some(),
            "{}",
            diagnostics.render(&sources, false)
        );
        let program = compiled.unwrap().program;
        program.handlers.iter().any(needs_fresh)
    }

    #[test]
    fn what_is_set_first_needs_nothing() {
        assert!(!of("BEGIN { @ = count(); x = 1; }"));
        assert!(!of(
            "BEGIN { this->a = arg0; this->b = this->a; this->b++; @ = sum(this->b); }"
        ));
        assert!(!of(
            "BEGIN { this->s = execname; printf(\"%s\", this->s); }"
        ));
        // Whatever else an expression sets, it does not look at it.
        assert!(!of("BEGIN { x = (this->a = 1); }"));
    }

    #[test]
    fn what_is_looked_at_first_does() {
        assert!(of("BEGIN { this->a = 1; } END { trace(this->a); }"));
        assert!(of("BEGIN { this->a = 1; } END /this->a/ { this->a = 2; }"));
        assert!(of("BEGIN { this->a = this->a + 1; }"));
        assert!(of("BEGIN { this->a++; }"));
        assert!(of("BEGIN { this->a += 1; }"));
        assert!(of(
            "BEGIN { this->s = \"x\"; } END { @[this->s] = count(); this->s = \"y\"; }"
        ));
        // It may not have been set.
        assert!(of(
            "BEGIN { x = arg0 ? (this->a = 1) : 0; trace(this->a); }"
        ));
    }
}
