//! The reference documentation against the tables that names are looked up in: it cannot say anything else than they do.
//!
//! In `docs/dtrace.md` and `docs/systemtap.md` stands, between `<!-- table: KIND -->` and `<!-- end -->`, a table of all
//! names of that kind. With `PTPYTRACE_WRITE_GOLDEN=1` the tables are written instead of compared.

use std::fs;
use std::path::Path;

use ptpytrace::script::builtin::Status;
use ptpytrace::script::{dtrace, systemtap};

#[test]
fn the_reference_of_d_is_its_table() {
    use dtrace::builtins::{self, Kind};
    let kinds = [
        ("variables", Kind::Variable),
        ("functions", Kind::Function),
        ("actions", Kind::Action),
        ("aggregating functions", Kind::Aggregating),
        ("options", Kind::Option),
        ("providers", Kind::Provider),
    ];
    let tables = kinds.map(|(title, kind)| {
        let rows = builtins::rows().filter(|row| row.kind == kind);
        let rows = rows.map(|row| line(row.name, row.doc, row.status));
        (title, rows.collect::<Vec<_>>())
    });
    let all: usize = tables.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(all, builtins::rows().count(), "a kind without a table");
    compare("docs/dtrace.md", &tables);
}

#[test]
fn the_reference_of_systemtap_is_its_table() {
    use systemtap::builtins::{self, Kind};
    let kinds = [
        ("probe points", Kind::Point),
        ("operators", Kind::Operator),
        ("functions", Kind::Function),
        ("limits", Kind::Limit),
    ];
    let tables = kinds.map(|(title, kind)| {
        let rows = builtins::rows().filter(|row| row.kind == kind);
        let rows = rows.map(|row| line(row.signature, row.doc, row.status));
        (title, rows.collect::<Vec<_>>())
    });
    let all: usize = tables.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(all, builtins::rows().count(), "a kind without a table");
    compare("docs/systemtap.md", &tables);
}

/// A row of a table in Markdown.
fn line(name: &str, doc: &str, status: Status) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let (word, more) = match status {
        Status::Supported => ("supported", ""),
        Status::Emulated(how) => ("emulated", how),
        Status::Refused(why) => ("refused", why),
    };
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(": {}", cell(more))
    };
    format!("| `{}` | {} | {word}{more} |", cell(name), cell(doc))
}

/// Compares the tables of a file row by row with these, or writes them.
fn compare(file: &str, tables: &[(&str, Vec<String>)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut text = fs::read_to_string(&path).expect("the reference");
    let writes = std::env::var_os("PTPYTRACE_WRITE_GOLDEN").is_some();
    for (title, rows) in tables {
        let begin = format!("<!-- table: {title} -->\n");
        let head = "| name | what it is | here |\n| --- | --- | --- |\n";
        let from = text.find(&begin).expect(title) + begin.len();
        let to = from + text[from..].find("<!-- end -->").expect(title);
        if writes {
            text.replace_range(from..to, &format!("{head}{}\n", rows.join("\n")));
            continue;
        }
        let said = &text[from..to];
        let said = said
            .strip_prefix(head)
            .unwrap_or_else(|| panic!("{file}, {title}: {head}"));
        let said: Vec<&str> = said.lines().collect();
        for (row, said) in rows.iter().zip(&said) {
            assert_eq!(row, said, "{file}, {title}");
        }
        assert_eq!(rows.len(), said.len(), "{file}, {title}");
    }
    if writes {
        fs::write(&path, text).expect("written");
    }
}
