//! One JSON object a line for every site, for programs that read the listing.

use std::io::{self, Write};

use serde_json::json;

use super::{Row, argument_specs};
use crate::elf::Note;
use crate::probe::argument_names;

/// Writes the sites of one row. Names are as in the note, with `__`; addresses are numbers, as they stand in the
/// note, but `address` and `semaphore_address`, which are those in the process. An injected marker has no place yet.
pub(super) fn row(row: &Row<'_>, out: &mut dyn Write) -> io::Result<()> {
    for site in &row.sites {
        serde_json::to_writer(&mut *out, &object(row, site))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn object(row: &Row<'_>, site: &Note) -> serde_json::Value {
    let specs = argument_specs(&site.arguments);
    let names: Vec<_> = argument_names(&site.provider, &site.name, specs.len())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut object = json!({
        "provider": site.provider,
        "module": row.target.module(),
        "path": row.target.path.to_string_lossy(),
        "function": row.function,
        "name": site.name,
        "location": site.raw.location,
        "base": site.raw.base,
        "semaphore": site.raw.semaphore,
        "arguments": specs,
        "argument_names": names,
        "injected": row.injected,
    });
    if row.injected
        && let Some(fields) = object.as_object_mut()
    {
        for place in ["location", "base", "semaphore"] {
            fields.insert(place.to_owned(), serde_json::Value::Null);
        }
        if let Some(place) = row.target.place {
            fields.insert("pid".to_owned(), json!(place.pid));
        }
        return object;
    }
    if let (Some(place), Some(fields)) = (row.target.place, object.as_object_mut()) {
        let semaphore = site.semaphore.map(|at| place.address(at).0);
        fields.insert("pid".to_owned(), json!(place.pid));
        fields.insert("address".to_owned(), json!(place.address(site.location).0));
        fields.insert("semaphore_address".to_owned(), json!(semaphore));
    }
    object
}
