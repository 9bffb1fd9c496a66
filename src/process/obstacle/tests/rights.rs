//! Whose process it is, and with which rights it runs.

use super::*;

#[test]
fn another_users_process() {
    let bob = Caller {
        uid: Ids::all(1001),
        ..caller()
    };
    let start = "cannot attach to process 4711 (python3.9): it belongs to user";
    let expected = "alice (uid 1000), and ptpytrace runs as user bob (uid 1001). Run ptpytrace as that user (`sudo -u \
                    alice ptpytrace …`), or run it as root: `sudo ptpytrace …`.";
    assert_eq!(refused(&facts(), &bob), format!("{start} {expected}"));
    // Yama would be the next to say no, and root the answer to both.
    assert_eq!(
        refused(
            &Facts {
                ptrace_scope: Some(1),
                ..facts()
            },
            &bob
        ),
        format!("{start} {expected}")
    );

    let nameless = Facts {
        names: Names::default(),
        ..facts()
    };
    let expected = "id 1000, and ptpytrace runs as user id 1001. Run ptpytrace as that user (`sudo -u '#1000' ptpytrace \
                    …`), or run it as root: `sudo ptpytrace …`.";
    assert_eq!(refused(&nameless, &bob), format!("{start} {expected}"));

    let mut of_root = with_status(|status| status.uid = Ids::all(0));
    of_root.names.user = Some("root".into());
    let expected = "root (uid 0), and ptpytrace runs as user bob (uid 1001). Run ptpytrace as root: `sudo ptpytrace …`.";
    assert_eq!(refused(&of_root, &bob), format!("{start} {expected}"));
}

#[test]
fn the_way_to_more_rights_depends_on_who_asks() {
    let remedy =
        |caller: &Caller| explain(4711, Attempt::Seize, libc::EPERM, &facts(), caller).remedy();
    let weak_root = Caller {
        uid: Ids::all(0),
        ..caller()
    };
    let in_container = Caller {
        in_container: true,
        ..weak_root.clone()
    };
    let locked = Caller {
        uid: Ids::all(1001),
        no_new_privileges: true,
        ..caller()
    };
    let cases = [
        (
            &weak_root,
            "Run ptpytrace with the capability CAP_SYS_PTRACE, which this root lacks.",
        ),
        (
            &in_container,
            "Run ptpytrace in a container that may trace: `docker run --cap-add=SYS_PTRACE`, or in Kubernetes \
             `securityContext: {capabilities: {add: [SYS_PTRACE]}}`.",
        ),
        (
            &locked,
            "Run ptpytrace as root from another shell: `sudo` has no effect in this one (NoNewPrivs is set).",
        ),
    ];
    for (caller, expected) in cases {
        assert_eq!(remedy(caller).as_deref(), Some(expected));
    }
}

#[test]
fn a_program_with_rights_of_its_own() {
    let as_root = " Run ptpytrace as root: `sudo ptpytrace …`.";
    let start = "cannot attach to process 4711 (python3.9): it";
    let mut setuid = with_status(|status| status.uid.effective = 0);
    setuid.names.user = Some("root".into());
    let expected = "has, or can take, the rights of user root (uid 0): a setuid program.";
    assert_eq!(
        refused(&setuid, &caller()),
        format!("{start} {expected}{as_root}")
    );
    let saved = with_status(|status| status.uid.saved = 7);
    assert_eq!(
        cause_of(libc::EPERM, &saved, &caller()),
        Cause::SetUser { uid: 7, user: None }
    );

    let setgid = with_status(|status| status.gid.saved = 7);
    let expected = "runs in group users (gid 100), and ptpytrace does not: a setgid program, or one started after \
                    `newgrp`.";
    assert_eq!(
        refused(&setgid, &caller()),
        format!("{start} {expected}{as_root}")
    );

    let capable = with_status(|status| status.permitted = Capabilities(1 << 10));
    let expected = "has capabilities that ptpytrace lacks.";
    assert_eq!(
        refused(&capable, &caller()),
        format!("{start} {expected}{as_root}")
    );

    let silent = Facts {
        files_owner: Some(0),
        ..facts()
    };
    let expected = "is not dumpable: its program file has rights of its own or cannot be read, it has changed its \
                    user, or it has asked for this with prctl(PR_SET_DUMPABLE).";
    assert_eq!(
        refused(&silent, &caller()),
        format!("{start} {expected}{as_root}")
    );
}

#[test]
fn memory_is_opened_with_the_ids_for_files_and_traced_with_the_real_ones() {
    let mut split = caller();
    split.uid = Ids {
        real: 1001,
        effective: 1000,
        saved: 1000,
        filesystem: 1000,
    };
    let quiet = Facts {
        files_owner: Some(0),
        ..facts()
    };
    let cause = |attempt| explain(4711, attempt, libc::EACCES, &quiet, &split).cause;
    assert!(matches!(
        cause(Attempt::Seize),
        Cause::OtherUser {
            uid: 1000,
            own_uid: 1001,
            ..
        }
    ));
    assert_eq!(cause(Attempt::OpenMemory), Cause::NotDumpable);
}
