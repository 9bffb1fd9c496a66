//! The books: how often each marker fired, what it cost, where it is armed, what was lost.

use std::path::PathBuf;
use std::sync::Arc;

use crate::address::FileAddress;
use crate::event::ProbeInfo;

/// What is known of one marker at the end.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which marker.
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
}

/// The rows, and what else is counted.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    rows: Vec<Row>,
    /// Processes in which at least one marker was armed.
    pub processes: u64,
}

impl Ledger {
    /// The row of a marker, made if need be.
    pub fn row(&mut self, probe: ProbeInfo) -> (usize, Arc<ProbeInfo>) {
        if let Some((index, row)) = self
            .rows
            .iter()
            .enumerate()
            .find(|(_, row)| *row.probe == probe)
        {
            return (index, Arc::clone(&row.probe));
        }
        let probe = Arc::new(probe);
        self.rows.push(Row {
            probe: Arc::clone(&probe),
            fired: 0,
            nanoseconds: 0,
            sites: Vec::new(),
        });
        (self.rows.len() - 1, probe)
    }

    /// Notes where a marker is armed.
    pub fn armed(&mut self, row: usize, site: SiteRecord) {
        if let Some(row) = self.rows.get_mut(row)
            && !row.sites.contains(&site)
        {
            row.sites.push(site);
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
