//! Any bytes as a note's argument string, for every CPU: no panic, and what is printed reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpytrace_arch::{AARCH64, Arch, ArgSpec, Bytes, Registers, X86_64};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let cpus: [&dyn Arch; 2] = [&X86_64, &AARCH64];
    for cpu in cpus {
        let whole = cpu.parse_args(&text);
        let Ok(each) = cpu.parse_each(&text) else {
            assert!(whole.is_err());
            continue;
        };
        assert_eq!(whole.is_ok(), each.iter().all(Result::is_ok));
        for found in each {
            match found {
                Ok(spec) => check(cpu, &spec),
                Err(error) => assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
            }
        }
        cpu.nop_len(input);
        cpu.hook_step(input);
    }
});

fn check(cpu: &dyn Arch, spec: &ArgSpec) {
    let shown = spec.to_string();
    let again = cpu.parse_args(&shown);
    let mut same = spec.clone();
    same.text = shown.clone().into();
    assert_eq!(again, Ok(vec![same]), "{shown}");
    let nothing = Bytes {
        base: 0,
        bytes: &[],
    };
    let fetched = spec.fetch(&Registers::default(), &nothing);
    assert!(fetched.is_err() || !spec.needs_memory(), "{shown}");
    let resolved = spec.resolve(&|_| Some(u64::MAX));
    assert!(resolved.is_ok_and(|it| it.symbols().next().is_none()));
}
