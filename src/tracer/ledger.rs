//! The books: how often each probe fired, what it cost, where it is armed, what was lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::address::FileAddress;
use crate::event::ProbeInfo;

/// What is known at the end of the probes of one provider and name.
#[derive(Clone, Debug)]
pub struct Row {
    /// The first of them.
    pub probe: Arc<ProbeInfo>,
    /// How often it fired.
    pub fired: u64,
    /// How long the tracer worked on it, in nanoseconds.
    pub nanoseconds: u64,
    /// Its sites, each once for a file.
    pub sites: Vec<SiteRecord>,
}

/// A site that was armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRecord {
    /// The file, as the process names it.
    pub path: PathBuf,
    /// The site's address in the file.
    pub location: FileAddress,
    /// The argument specs.
    pub arguments: String,
    /// How it was armed at the end, in the process in which that happened last.
    pub way: &'static str,
    /// Why not in a better way.
    pub why: Vec<String>,
}

/// The rows, and what else is counted.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    rows: Vec<Row>,
    /// Rows by provider and name.
    by_name: FxHashMap<(String, String), usize>,
    /// Probes by provider, name, module and function.
    probes: FxHashMap<[String; 4], Vec<Arc<ProbeInfo>>>,
    last_id: u32,
    known_sites: FxHashSet<(usize, PathBuf, u64)>,
    /// Processes in which at least one probe was armed.
    pub processes: u64,
}

impl Ledger {
    /// The one record of a probe, and its row. The number that the probe comes with is replaced by its own.
    pub fn enter(&mut self, mut probe: ProbeInfo) -> (usize, Arc<ProbeInfo>) {
        let name = (probe.provider.clone(), probe.name.clone());
        let key = [&name.0, &name.1, &probe.module, &probe.function].map(Clone::clone);
        let probes = self.probes.entry(key).or_default();
        let known = probes.iter().find(|known| {
            probe.id = known.id;
            ***known == probe
        });
        let probe = match known {
            Some(known) => Arc::clone(known),
            None => {
                self.last_id = self.last_id.saturating_add(1);
                probe.id = self.last_id;
                let probe = Arc::new(probe);
                probes.push(Arc::clone(&probe));
                probe
            }
        };
        let rows = &mut self.rows;
        let row = *self.by_name.entry(name).or_insert_with(|| {
            rows.push(Row {
                probe: Arc::clone(&probe),
                fired: 0,
                nanoseconds: 0,
                sites: Vec::new(),
            });
            rows.len().saturating_sub(1)
        });
        (row, probe)
    }

    /// Notes where a probe is armed.
    pub fn armed(&mut self, row: usize, site: SiteRecord) {
        let key = (row, site.path.clone(), site.location.0);
        if let Some(row) = self.rows.get_mut(row)
            && self.known_sites.insert(key)
        {
            row.sites.push(site);
        }
    }

    /// Notes how a site is armed, and why not better; the file and the address in it say which.
    pub fn way(
        &mut self,
        row: usize,
        (path, location): (&Path, u64),
        (way, why): (&'static str, Vec<String>),
    ) {
        let sites = self.rows.get_mut(row).map(|row| &mut row.sites);
        let mut sites = sites.into_iter().flatten();
        if let Some(site) = sites.find(|it| it.location.0 == location && it.path == path) {
            (site.way, site.why) = (way, why);
        }
    }

    /// Counts a hit.
    pub fn fired(&mut self, row: usize, nanoseconds: u64) {
        if let Some(row) = self.rows.get_mut(row) {
            row.fired = row.fired.saturating_add(1);
            row.nanoseconds = row.nanoseconds.saturating_add(nanoseconds);
        }
    }

    /// All rows, in the order in which the markers were found.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(name: &str, function: &str, requests: &[usize]) -> ProbeInfo {
        ProbeInfo {
            provider: "python".to_owned(),
            name: name.to_owned(),
            args: Vec::new(),
            module: "python3.9".to_owned(),
            function: function.to_owned(),
            requests: requests.to_vec(),
            id: 77,
        }
    }

    #[test]
    fn probes_are_told_apart_and_counted_by_name() {
        let mut ledger = Ledger::default();
        let all = [
            (probe("line", "a", &[0]), 0, 1),
            (probe("line", "b", &[0]), 0, 2),
            (probe("audit", "a", &[0]), 1, 3),
            (probe("line", "a", &[0]), 0, 1),
            (probe("line", "a", &[0, 1]), 0, 4),
        ];
        for (probe, row, id) in all {
            let (found, probe) = ledger.enter(probe);
            assert_eq!((found, probe.id), (row, id), "{probe:?}");
        }
        ledger.fired(0, 3);
        ledger.fired(0, 4);
        let rows: Vec<_> = ledger
            .rows()
            .iter()
            .map(|row| (row.fired, row.nanoseconds))
            .collect();
        assert_eq!(rows, [(2, 7), (0, 0)]);
    }
}
