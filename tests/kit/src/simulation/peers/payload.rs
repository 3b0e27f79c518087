//! What peers have to say: texts that nobody else says, of all sizes.

use crate::simulation::counters::Sometimes;
use crate::simulation::dice::Dice;
use crate::simulation::stage::Stage;

/// Makes a sender's texts.
#[derive(Debug)]
pub(crate) struct Texts {
    name: String,
    said: u64,
    /// The most bytes of a text.
    most: usize,
}

impl Texts {
    pub(crate) fn new(name: &str, most: usize) -> Self {
        let name = name.to_owned();
        Self {
            name,
            said: 0,
            most,
        }
    }

    /// The next text. Unless it has to be different from all others, it may be too short to be.
    pub(crate) fn next(
        &mut self,
        must_differ: bool,
        dice: &mut Dice,
        stage: &mut Stage,
    ) -> Vec<u8> {
        self.said += 1;
        let label = format!("{}-{}", self.name, self.said);
        let length = match dice.between(0, 19) {
            0 if !must_differ => 0,
            1 if !must_differ => dice.count(0, 3),
            2 => self.most,
            3 | 4 => dice.count(label.len(), self.most),
            _ => label.len(),
        };
        if length == 0 {
            stage.count(Sometimes::EmptyPayload);
        }
        if length == self.most {
            stage.count(Sometimes::LargestPayload);
        }
        let mut text = label.into_bytes();
        text.resize(length, b'.');
        text
    }
}
