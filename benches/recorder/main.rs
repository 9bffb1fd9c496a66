//! What a recorder costs the program, piece by piece, in one process and without any diversion.
//!
//!     cargo bench --bench recorder [-- [ROUNDS] [PART OF A NAME]]
//!
//! The code of a site is called as a function. Shown are the medians of the rounds in ns a call above a function that
//! only returns, and beside them the fastest round: other people's load only makes things slower.

#[cfg(target_arch = "x86_64")]
mod machine;
#[cfg(target_arch = "x86_64")]
mod pieces;
#[cfg(target_arch = "x86_64")]
mod sites;

/// Rounds when none are asked for.
#[cfg(target_arch = "x86_64")]
const ROUNDS: usize = 15;

#[cfg(target_arch = "x86_64")]
fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = words.iter().find_map(|word| word.parse().ok());
    let part = words
        .iter()
        .find(|word| !word.starts_with('-') && word.parse::<usize>().is_err());
    let mut contestants = pieces::all()?;
    contestants.extend(sites::all()?);
    let wanted = |name: &str| part.is_none_or(|part| name.contains(part.as_str()));
    let floor = contestants.first().map_or("", |it| it.name);
    contestants.retain(|it| it.name == floor || wanted(it.name));
    let mut samples = vec![Vec::new(); contestants.len()];
    for _ in 0..asked.unwrap_or(ROUNDS) {
        for (contestant, samples) in contestants.iter_mut().zip(&mut samples) {
            samples.push((contestant.run)());
        }
    }
    let floor = samples.first_mut().map_or(0.0, |it| median(it));
    println!("{:>8} {:>8}", "ns", "fastest");
    for (contestant, samples) in contestants.iter().zip(&mut samples) {
        let middle = median(samples) - floor;
        let fastest = samples.first().copied().unwrap_or_default() - floor;
        println!("{middle:8.1} {fastest:8.1}  {}", contestant.name);
    }
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("recorders are made for x86-64 only");
}

/// Something to measure: ns a call.
#[cfg(target_arch = "x86_64")]
struct Contestant {
    name: &'static str,
    run: Box<dyn FnMut() -> f64>,
}

/// Sorts.
#[cfg(target_arch = "x86_64")]
fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}
