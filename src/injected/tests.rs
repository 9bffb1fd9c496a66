use iced_x86::{Decoder, DecoderOptions};

use super::*;

#[test]
fn the_agent_is_assembled_where_it_is_wanted() {
    let displaced = Displaced {
        instruction: vec![0x55],
        behind: 0x7fff_1234_5678,
    };
    let assembled = Agent::assemble(Some(&displaced)).unwrap();
    for data in [0x7f00_0000_0000, 0x10_000] {
        let agent = assembled.at(data);
        let at = data + DATA_LENGTH;
        let byte = |address: u64| agent.code[(address - at) as usize];
        for (marker, site) in &agent.sites {
            assert_eq!(byte(*site), 0x90, "{marker:?}");
        }
        assert_eq!(byte(agent.landing), 0xcc);
        assert_eq!(agent.springboard, at);
    }
}

#[test]
fn the_agent_refers_to_nothing_but_its_own_code_and_data() {
    let agent = Agent::assemble(None).unwrap();
    let (length, mut to_data) = (agent.code.len() as u64, 0);
    let code = DATA_LENGTH..DATA_LENGTH + length;
    // Behind the instructions are texts.
    let text = |bytes: &[u8]| {
        bytes
            .iter()
            .all(|it| it.is_ascii_graphic() || matches!(it, 0 | b' '))
    };
    let texts = agent.code.windows(32).position(text).unwrap();
    let instructions = &agent.code[..texts];
    for at in [0, 0x7f12_3456_7000] {
        let mut decoder =
            Decoder::with_ip(64, instructions, at + DATA_LENGTH, DecoderOptions::NONE);
        for instruction in &mut decoder {
            if instruction.is_ip_rel_memory_operand() {
                let to = instruction.ip_rel_memory_address() - at;
                to_data += u32::from(to == 0);
                assert!(to == 0 || code.contains(&to), "{to:#x}");
            }
            let target = instruction.near_branch_target();
            if target != 0 {
                assert!(code.contains(&(target - at)), "{target:#x}");
            }
        }
    }
    assert!(to_data > 10, "{to_data}");
}
