//! The table: medians, and how many times the baseline they are.

use super::contestants::Contestant;
use super::runs::Sample;

/// Prints it; the baseline is the contestant with that name.
pub fn print(contestants: &[Contestant], samples: &[Vec<Sample>]) {
    let costs: Vec<Option<Cost>> = samples.iter().map(|samples| Cost::of(samples)).collect();
    let untraced = find(contestants, &costs, "untraced").unwrap_or_default();
    let baseline = find(contestants, &costs, "baseline, one CPU")
        .unwrap_or_default()
        .above(untraced);
    println!(
        "\nns an event above the untraced run; medians of {} rounds",
        samples.iter().map(Vec::len).max().unwrap_or(0)
    );
    println!(
        "{:44} {:>9} {:>6} {:>9} {:>6} {:>8}",
        "", "elapsed", "ratio", "CPU time", "ratio", "printed"
    );
    for (contestant, cost) in contestants.iter().zip(&costs) {
        let name = &contestant.name;
        match cost {
            None => println!("{name:44} {}", contestant.missing),
            Some(cost) if name == "untraced" => {
                println!("{name:44} {:9.1} {:6} {:9.1}", cost.elapsed, "", cost.cpu);
            }
            Some(cost) => {
                let above = cost.above(untraced);
                let printed = cost
                    .printed
                    .map_or(String::new(), |share| format!("{:.1} %", share * 100.0));
                println!(
                    "{name:44} {:9.1} {:6.3} {:9.1} {:6.3} {printed:>8}",
                    above.elapsed,
                    above.elapsed / baseline.elapsed,
                    above.cpu,
                    above.cpu / baseline.cpu,
                );
            }
        }
    }
    println!("printed: lines in the output for each event; below 100 % the peer lost some");
}

fn find(contestants: &[Contestant], costs: &[Option<Cost>], name: &str) -> Option<Cost> {
    let mut pairs = contestants.iter().zip(costs);
    *pairs.find(|(contestant, _)| contestant.name == name)?.1
}

/// Medians of one contestant.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    elapsed: f64,
    cpu: f64,
    printed: Option<f64>,
}

impl Cost {
    fn of(samples: &[Sample]) -> Option<Cost> {
        let median_of = |part: fn(&Sample) -> f64| median(samples.iter().map(part).collect());
        let printed: Option<Vec<f64>> = samples.iter().map(|sample| sample.printed).collect();
        Some(Cost {
            elapsed: median_of(|sample| sample.elapsed)?,
            cpu: median_of(|sample| sample.cpu)?,
            printed: printed.and_then(median),
        })
    }

    fn above(self, untraced: Cost) -> Cost {
        Cost {
            elapsed: self.elapsed - untraced.elapsed,
            cpu: self.cpu - untraced.cpu,
            printed: self.printed,
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(match values.len() % 2 {
        0 => (upper + values[middle - 1]) / 2.0,
        _ => upper,
    })
}
