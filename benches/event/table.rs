//! The table of an interpreter: medians, and how they compare with the peers.

use super::contestants::{BASELINE, Contestant, UNTRACED};
use super::runs::Sample;
use super::{peers, probes};

/// Whom the others are compared with, and the titles of those columns.
const PEERS: [(&str, &str); 5] = [
    ("/int3", BASELINE),
    ("/count()", probes::COUNT),
    ("/trace0", peers::TRACE0),
    ("/viztrc", peers::VIZTRACER),
    ("/cProf", peers::CPROFILE),
];

/// A contestant, with its rounds or with what kept it from them.
#[derive(Debug)]
pub struct Row {
    pub contestant: Contestant,
    pub samples: Vec<Sample>,
}

/// Prints it.
pub fn print(name: &str, rows: &[Row]) {
    let costs: Vec<Option<Cost>> = rows.iter().map(|row| Cost::of(&row.samples)).collect();
    let find = |name: &str| {
        let mut pairs = rows.iter().zip(&costs);
        *pairs.find(|(row, _)| row.contestant.name == name)?.1
    };
    let untraced = find(UNTRACED).unwrap_or_default();
    let present = PEERS.iter().filter_map(|(title, peer)| {
        let cost = find(peer)?.above(untraced);
        Some((*title, cost.elapsed))
    });
    let peers: Vec<(&str, f64)> = present.collect();
    let rounds = rows.iter().map(|row| row.samples.len()).max().unwrap_or(0);
    println!("\n{name}: ns an event above the untraced run; medians of {rounds} rounds");
    print!("{:43} {:>8} {:>8} {:>8}", "", "elapsed", "fastest", "CPU");
    peers.iter().for_each(|(title, _)| print!(" {title:>8}"));
    println!(" {:>8}", "printed");
    for (row, cost) in rows.iter().zip(&costs) {
        match (&row.contestant.command, cost) {
            (Ok(_), Some(cost)) => line(&row.contestant.name, *cost, untraced, &peers),
            (why, _) => {
                let why = why.as_ref().err().map_or("no round", String::as_str);
                println!("{:43} {why}", row.contestant.name);
            }
        }
    }
}

fn line(name: &str, cost: Cost, untraced: Cost, peers: &[(&str, f64)]) {
    if name == UNTRACED {
        let Cost {
            elapsed,
            fastest,
            cpu,
            ..
        } = cost;
        return println!("{name:43} {elapsed:8.1} {fastest:8.1} {cpu:8.1}");
    }
    let above = cost.above(untraced);
    print!(
        "{name:43} {:8.1} {:8.1} {:8.1}",
        above.elapsed, above.fastest, above.cpu
    );
    for (_, peer) in peers {
        print!(" {:8.3}", above.elapsed / peer);
    }
    let printed = cost.printed.map(|share| format!("{:.1} %", share * 100.0));
    println!(" {:>8}", printed.unwrap_or_default());
}

/// Medians of one contestant, ns an event.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    elapsed: f64,
    /// Elapsed in the fastest round.
    fastest: f64,
    cpu: f64,
    printed: Option<f64>,
}

impl Cost {
    fn of(samples: &[Sample]) -> Option<Cost> {
        let all = |part: fn(&Sample) -> f64| samples.iter().map(part).collect::<Vec<f64>>();
        let printed: Option<Vec<f64>> = samples.iter().map(|sample| sample.printed).collect();
        let elapsed = all(|sample| sample.elapsed);
        Some(Cost {
            fastest: elapsed.iter().copied().reduce(f64::min)?,
            elapsed: median(elapsed)?,
            cpu: median(all(|sample| sample.cpu))?,
            printed: printed.and_then(median),
        })
    }

    fn above(self, untraced: Cost) -> Cost {
        Cost {
            elapsed: self.elapsed - untraced.elapsed,
            fastest: self.fastest - untraced.fastest,
            cpu: self.cpu - untraced.cpu,
            printed: self.printed,
        }
    }
}

/// The one in the middle; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(match values.len() % 2 {
        0 => (upper + values[middle - 1]) / 2.0,
        _ => upper,
    })
}
