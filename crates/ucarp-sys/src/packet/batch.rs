//! Room for many received frames.

/// How many frames go with one call: a system call costs a tenth of what the kernel does for so many frames.
pub(super) const MOST: usize = 32;

/// Room for received frames, kept from one call to the next.
pub struct Batch {
    memory: Vec<u8>,
    longest: usize,
    /// The lengths of the frames that were received last.
    lengths: Vec<usize>,
}

impl Batch {
    /// How many frames fit.
    pub const MOST: usize = MOST;

    /// Room for frames of up to `longest` octets. Memory is used only where frames have been.
    ///
    /// # Panics
    ///
    /// If `longest` is 0.
    #[must_use]
    pub fn new(longest: usize) -> Batch {
        assert!(longest > 0, "frames have octets");
        Batch { memory: vec![0; longest * MOST], longest, lengths: Vec::with_capacity(MOST) }
    }

    /// The frames that were received last, in order. What did not fit is cut off.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.memory.chunks_exact(self.longest).zip(&self.lengths).map(|(room, length)| &room[..*length])
    }

    /// The rooms, of which none has a frame any more.
    pub(super) fn rooms(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.lengths.clear();
        self.memory.chunks_exact_mut(self.longest)
    }

    /// The first rooms have frames of these lengths, at most.
    pub(super) fn filled(&mut self, lengths: impl IntoIterator<Item = usize>) {
        let longest = self.longest;
        self.lengths.extend(lengths.into_iter().take(MOST).map(|length| length.min(longest)));
    }
}
