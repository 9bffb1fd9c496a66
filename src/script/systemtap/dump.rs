//! A tree as text: one line a node, indented by two blanks a level. For tests, and to look at.

use super::ast::{
    Argument, Component, Declared, Expr, ExprKind, File, Item, Key, Point, Stmt, StmtKind,
};
use super::points;

/// A file as text.
pub fn dump(file: &File) -> String {
    let mut out = Dump {
        text: String::new(),
        level: 0,
    };
    for item in &file.items {
        out.item(item);
    }
    out.text
}

struct Dump {
    text: String,
    level: usize,
}

impl Dump {
    fn line(&mut self, text: &str) {
        self.text.push_str(&"  ".repeat(self.level));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn inner(&mut self, inner: impl FnOnce(&mut Dump)) {
        self.level += 1;
        inner(self);
        self.level -= 1;
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Probe(probe) => {
                self.line("probe");
                self.inner(|it| {
                    it.points(&probe.points);
                    it.body("do", &probe.body);
                });
            }
            Item::Alias(alias) => {
                let private = if alias.private { "private " } else { "" };
                let kind = if alias.epilogue {
                    "epilogue"
                } else {
                    "prologue"
                };
                self.line(&format!("{private}alias {kind}"));
                self.inner(|it| {
                    it.points(&alias.names);
                    it.line("=");
                    it.points(&alias.points);
                    it.body("do", &alias.body);
                });
            }
            Item::Function(function) => {
                let parameters: Vec<String> = function
                    .parameters
                    .iter()
                    .map(|(name, ty)| format!("{}{}", name.text, declared(*ty)))
                    .collect();
                let private = if function.private { "private " } else { "" };
                let head = format!(
                    "{private}function {}{} ({})",
                    function.name.text,
                    declared(function.result),
                    parameters.join(", ")
                );
                self.line(&head);
                self.inner(|it| match &function.body {
                    Some(body) => it.body("do", body),
                    None => it.line("embedded"),
                });
            }
            Item::Global(global) => {
                let private = if global.private { "private " } else { "" };
                let limit = global
                    .limit
                    .map_or(String::new(), |it| format!(" limit {it}"));
                let wraps = if global.wraps { " wraps" } else { "" };
                self.line(&format!(
                    "{private}global {}{limit}{wraps}",
                    global.name.text
                ));
                self.inner(|it| it.exprs(&global.initial));
            }
            Item::Embedded(_) => self.line("embedded"),
        }
    }

    fn points(&mut self, points: &[Point]) {
        for point in points {
            let mark = match (point.optional, point.sufficient) {
                (_, true) => " !",
                (true, _) => " ?",
                _ => "",
            };
            let text: Vec<String> = point.components.iter().map(component).collect();
            self.line(&format!("at {}{mark}", text.join(".")));
            self.inner(|it| it.exprs(&point.condition));
        }
    }

    fn body(&mut self, name: &str, body: &[Stmt]) {
        self.line(name);
        self.inner(|it| {
            for stmt in body {
                it.stmt(stmt);
            }
        });
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(expr) => return self.expr(expr),
            StmtKind::ForEach(each) => {
                let keys: Vec<&str> = each.keys.iter().map(|it| it.text.as_str()).collect();
                let value = each
                    .value
                    .as_ref()
                    .map_or(String::new(), |it| format!("{} = ", it.text));
                let order = each.order.map_or(String::new(), |it| {
                    let direction = if it.descending { "-" } else { "+" };
                    let statistic = it.statistic.map_or(String::new(), |it| format!(" {it:?}"));
                    format!(" order {}{statistic}{direction}", it.column)
                });
                self.line(&format!(
                    "foreach {value}[{}] in {}{order}",
                    keys.join(", "),
                    each.array.text
                ));
                self.inner(|it| {
                    it.keys(&each.slice);
                    if let Some(limit) = &each.limit {
                        it.line("limit");
                        it.inner(|it| it.expr(limit));
                    }
                    it.body("do", &each.body);
                });
                return;
            }
            StmtKind::Block(_) => self.line("block"),
            StmtKind::If(..) => self.line("if"),
            StmtKind::While(..) => self.line("while"),
            StmtKind::For { .. } => self.line("for"),
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Next => self.line("next"),
            StmtKind::Return(_) => self.line("return"),
            StmtKind::Delete(_) => self.line("delete"),
            StmtKind::Try { message, .. } => {
                let message = message.as_ref().map_or("", |it| it.text.as_str());
                self.line(format!("try {message}").trim_end());
            }
            StmtKind::Embedded => self.line("embedded"),
        }
        let (exprs, blocks) = stmt.parts();
        self.inner(|it| {
            it.exprs(exprs);
            for block in blocks {
                it.body("do", block);
            }
        });
    }

    fn keys(&mut self, keys: &[Key]) {
        for key in keys {
            match key {
                Key::Any => self.line("*"),
                Key::Is(expr) => self.expr(expr),
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let head = match &expr.kind {
            ExprKind::Number(number) => number.to_string(),
            ExprKind::Text(text) => {
                points::quoted(&String::from_utf8_lossy(text)).replace('\n', "\\n")
            }
            ExprKind::Name(name) => name.clone(),
            ExprKind::Index(name, keys) => {
                self.line(&format!("{name}[]"));
                self.inner(|it| it.keys(keys));
                return;
            }
            ExprKind::In(keys, array) => {
                self.line(&format!("in {}", array.text));
                self.inner(|it| it.keys(keys));
                return;
            }
            ExprKind::Target(target) => {
                let address = if target.address { "&" } else { "" };
                format!("{address}{}", target.text)
            }
            ExprKind::Call(name, _) => format!("{name}()"),
            ExprKind::Unary(unary, _) => format!("{unary:?}"),
            ExprKind::Binary(binary, ..) => format!("{binary:?}"),
            ExprKind::Matches(_, _, negated) => {
                if *negated { "MatchesNot" } else { "Matches" }.to_owned()
            }
            ExprKind::Choose(..) => "Choose".to_owned(),
            ExprKind::Assign(assignment, ..) => format!("{assignment:?}"),
            ExprKind::Step { down, postfix, .. } => {
                let step = if *down { "Decrement" } else { "Increment" };
                format!("{step}{}", if *postfix { " after" } else { "" })
            }
            ExprKind::Statistic(statistic, _) => format!("@{statistic:?}"),
            ExprKind::Histogram(histogram, _) => format!("@hist {histogram:?}"),
            ExprKind::Print(print) => {
                let text = |bytes: &[u8]| {
                    points::quoted(&String::from_utf8_lossy(bytes)).replace('\n', "\\n")
                };
                let format = print.format.as_ref().map(|(format, _)| text(format));
                let shape = format.or_else(|| print.delimiter.as_ref().map(|it| text(it)));
                format!("{} {}", print.name, shape.unwrap_or_default())
                    .trim_end()
                    .to_owned()
            }
            ExprKind::Defined(_) => "@defined".to_owned(),
            ExprKind::Embedded => "embedded".to_owned(),
        };
        self.line(&head);
        let children = expr.children();
        self.inner(|it| it.exprs(children));
    }
}

fn component(component: &Component) -> String {
    match &component.argument {
        None => component.name.clone(),
        Some(Argument::Number(number)) => format!("{}({number})", component.name),
        Some(Argument::Text(text)) => format!("{}({})", component.name, points::quoted(text)),
    }
}

fn declared(ty: Option<Declared>) -> &'static str {
    match ty {
        None => "",
        Some(Declared::Long) => ":long",
        Some(Declared::Str) => ":string",
    }
}
