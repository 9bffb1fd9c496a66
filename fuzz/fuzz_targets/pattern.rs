//! Reads arbitrary text as a marker pattern and matches it against arbitrary names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpytrace::probe::MarkerPattern;

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, provider, name) = input;
    if let Ok(pattern) = MarkerPattern::parse(text) {
        let matched = pattern.matches(provider, name);
        let again = MarkerPattern::parse(&pattern.to_string()).expect("it was parsed before");
        assert_eq!(matched, again.matches(provider, name));
    }
});
