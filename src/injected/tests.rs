use super::*;

#[test]
fn the_agent_is_assembled_where_it_is_wanted() {
    for data in [0x7f00_0000_0000, 0x10_000] {
        let agent = Agent::assemble(data, None).unwrap();
        let at = data + DATA_LENGTH;
        let byte = |address: u64| agent.code[(address - at) as usize];
        for (marker, site) in &agent.sites {
            assert_eq!(byte(*site), 0x90, "{marker:?}");
        }
        assert_eq!(byte(agent.landing), 0xcc);
        assert_eq!(agent.springboard, at);
    }
}
