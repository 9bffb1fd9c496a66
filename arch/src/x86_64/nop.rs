//! Which instructions do nothing at all: marker sites are nops, and nothing else may be covered by a breakpoint
//! without being executed afterwards.

use iced_x86::{Decoder, DecoderOptions, Mnemonic};

/// The length of the nop at `code[0]`: `90` and `0F 1F /0` with operand-size, address-size, segment and REX prefixes
/// (Intel SDM volume 2, NOP). `F3 90` is `pause`; other forms with `F2` or `F3` are reserved for new instructions.
pub(super) fn length(code: &[u8]) -> Option<usize> {
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return None;
    }
    let instruction = decoder.decode();
    let nop = instruction.mnemonic() == Mnemonic::Nop
        && !instruction.has_rep_prefix()
        && !instruction.has_repne_prefix();
    nop.then_some(instruction.len())
}
