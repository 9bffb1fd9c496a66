use std::collections::BTreeSet;

use super::*;

#[test]
fn every_name_is_there_once_and_says_what_it_is() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert((row.kind, row.name)), "{row:?}");
        assert!(!row.doc.is_empty() && !row.doc.ends_with('.'), "{row:?}");
        match row.status {
            Status::Supported => {}
            Status::Emulated(text) | Status::Refused(text) => {
                assert!(!text.is_empty() && !text.ends_with('.'), "{row:?}");
            }
        }
        let refused = matches!(row.status, Status::Refused(_));
        let nothing = matches!(
            row.meaning,
            Meaning::None | Meaning::Provider(Provider::Kernel)
        );
        assert_eq!(refused, nothing, "{row:?}");
    }
}

/// Variables and subroutines as the Dynamic Tracing Guide lists them, but for those of other systems.
#[test]
fn what_the_manual_lists_is_known() {
    let variables = "arg0 arg9 args caller cwd epid errno execname id ipl pid ppid probefunc probemod probename \
                     probeprov root stackdepth tid timestamp uid uregs vtimestamp walltimestamp curthread curpsinfo";
    for name in variables.split_whitespace() {
        assert!(find(&[Kind::Variable], name).is_some(), "{name}");
    }
    let functions = "alloca basename bcopy cleanpath copyin copyinstr copyinto dirname inet_ntoa msgdsize \
                     mutex_owned progenyof rand rw_iswriter speculation strjoin strlen strchr strtok substr toupper \
                     ustack jstack stack trace printf printa tracemem stop raise copyout copyoutstr system breakpoint \
                     panic chill exit commit discard speculate normalize denormalize clear trunc";
    for name in functions.split_whitespace() {
        assert!(
            find(&[Kind::Function, Kind::Action], name).is_some(),
            "{name}"
        );
    }
    for name in "count sum avg min max stddev quantize lquantize llquantize".split_whitespace() {
        assert!(find(&[Kind::Aggregating], name).is_some(), "{name}");
    }
    for name in "aggrate aggsize bufsize bufpolicy cleanrate destructive dynvarsize flowindent nspec quiet specsize \
                 statusrate strsize switchrate ustackframes jstackframes jstackstrsize defaultargs"
        .split_whitespace()
    {
        assert!(find(&[Kind::Option], name).is_some(), "{name}");
    }
}

#[test]
fn slips_are_recognised() {
    let guess = |name| {
        similar(
            &[Kind::Variable, Kind::Function],
            name,
            ["cctbx"].into_iter(),
        )
    };
    assert_eq!(guess("timestmp").as_deref(), Some("timestamp"));
    assert_eq!(guess("TimeStamp").as_deref(), Some("timestamp"));
    assert_eq!(guess("basenmae").as_deref(), Some("basename"));
    assert_eq!(guess("cctbz").as_deref(), Some("cctbx"));
    assert_eq!(guess("ab"), None);
    assert_eq!(guess("entirely_different"), None);
    assert_eq!(guess(&"x".repeat(100_000)), None);
    assert_eq!(distance("", "abc"), 3);
    assert_eq!(distance("kitten", "sitting"), 3);
}
