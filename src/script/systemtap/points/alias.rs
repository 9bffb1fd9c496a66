//! Aliases, and which of them a point means.

use super::super::ast::{Alias, Argument, Component};
use crate::probe::glob::Glob;
use crate::script::source::Span;

/// Where an alias is defined: what a user defines hides what is shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the script or in a folder of `-I`.
    User,
    /// In the program itself.
    Shipped,
}

/// All aliases.
#[derive(Default)]
pub struct Aliases<'a> {
    all: Vec<(&'a Alias, Origin)>,
}

impl<'a> Aliases<'a> {
    /// Adds one.
    pub fn add(&mut self, alias: &'a Alias, origin: Origin) {
        self.all.push((alias, origin));
    }

    /// The first parts of their names.
    pub fn names(&self) -> Vec<String> {
        let names = self.all.iter().flat_map(|(alias, _)| &alias.names);
        names
            .filter_map(|name| name.components.first())
            .map(|first| first.name.clone())
            .collect()
    }

    /// The whole names that a pattern of points matches, as `stap -l` lists them.
    pub fn matching(&self, components: &[Component], at: Span) -> Vec<String> {
        let found = self.find(components, at);
        let names = found.iter().flat_map(|(alias, _)| &alias.names);
        names.map(|name| super::text(&name.components)).collect()
    }

    /// Those that a point means, and what of it stands behind their names.
    pub fn find(&self, components: &[Component], at: Span) -> Vec<(&'a Alias, Vec<Component>)> {
        for origin in [Origin::User, Origin::Shipped] {
            let own = self.all.iter().filter(|(_, it)| *it == origin);
            let mut found = Vec::new();
            for (alias, _) in own {
                if alias.private && alias.span.source != at.source {
                    continue;
                }
                let lengths = alias.names.iter().filter_map(|name| {
                    is_prefix(&name.components, components).then_some(name.components.len())
                });
                if let Some(length) = lengths.max() {
                    let suffix = components.get(length..).unwrap_or(&[]).to_vec();
                    found.push((*alias, suffix));
                }
            }
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }
}

/// Whether a point begins with the name of an alias. A last `*` stands for all that may follow it.
fn is_prefix(name: &[Component], point: &[Component]) -> bool {
    let open = point
        .last()
        .is_some_and(|last| last.name == "*" && last.argument.is_none());
    if name.len() > point.len() && !open {
        return false;
    }
    let pairs = name.iter().zip(point);
    pairs.into_iter().all(|(own, wanted)| {
        let names = own.name == wanted.name
            || Glob::parse(&wanted.name)
                .is_some_and(|glob| wanted.name.contains('*') && glob.matches(&own.name));
        names && arguments(own.argument.as_ref(), wanted.argument.as_ref())
    })
}

fn arguments(own: Option<&Argument>, wanted: Option<&Argument>) -> bool {
    own == wanted
}
