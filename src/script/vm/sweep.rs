//! Which of the kept strings are referred to.

use super::interner::{Marks, Symbol};
use super::machine::Machine;
use super::routes::Routes;
use super::table::Table;
use crate::script::ir::{Array, Type};

/// Which words of an array are strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    keys: Vec<Type>,
    value: Type,
}

impl Words {
    /// Those of an array.
    pub fn of(array: &Array) -> Words {
        Words {
            keys: array.keys.clone(),
            value: array.value,
        }
    }
}

/// Forgets the strings that nothing refers to. `arrays` describes the arrays, the threads' included.
pub fn sweep(m: &mut Machine, routes: &Routes, arrays: &[Words]) {
    let mut marks = m.interner.marks();
    m.global_strs.iter().for_each(|symbol| marks.mark(*symbol));
    mark_tables(&m.arrays, arrays, &mut marks);
    for thread in m.threads.iter() {
        thread.strs.iter().for_each(|symbol| marks.mark(*symbol));
        thread.python.mark(&mut marks);
        mark_tables(&thread.arrays, arrays, &mut marks);
    }
    for aggregation in &m.aggregations {
        let table = &aggregation.table;
        for key in table.positions().filter_map(|it| table.key(it)) {
            mark_key(key, &aggregation.keys, &mut marks);
        }
    }
    routes.mark(&mut marks);
    m.interner.sweep(&marks);
}

fn mark_tables(tables: &[Table<i64>], arrays: &[Words], marks: &mut Marks) {
    for (table, words) in tables.iter().zip(arrays) {
        if words.value != Type::Str && !words.keys.contains(&Type::Str) {
            continue;
        }
        for position in table.positions() {
            let key = table.key(position).unwrap_or_default();
            mark_key(key, &words.keys, marks);
            if words.value == Type::Str
                && let Some(word) = table.get(position)
            {
                marks.mark(Symbol::of_word(word.cast_unsigned()));
            }
        }
    }
}

fn mark_key(key: &[u64], types: &[Type], marks: &mut Marks) {
    for (word, ty) in key.iter().zip(types) {
        if *ty == Type::Str {
            marks.mark(Symbol::of_word(*word));
        }
    }
}
