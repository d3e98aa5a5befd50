//! What a plugin of some type may write, whatever is granted: MINT's policy table.

use serde::{Deserialize, Serialize};

/// What kind of plugin an author says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginType {
    /// Pages only.
    Static,
    /// Analyses experiments and saves results.
    #[default]
    Analysis,
    /// Creates experiments and their designs.
    ExperimentDesign,
    /// Both.
    Full,
    /// Neither, unless it opts in.
    Workflow,
}

/// A sort of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Create, change, delete experiments.
    Experiment,
    /// Save design data.
    Design,
    /// Save results.
    Result,
}

impl PluginType {
    /// Whether plugins of this type may do `write`.
    pub fn allows(self, write: Write) -> bool {
        match (self, write) {
            (Self::Full, _) | (Self::Analysis, Write::Result) => true,
            (Self::ExperimentDesign, Write::Experiment | Write::Design) => true,
            (Self::Analysis, Write::Experiment | Write::Design) | (Self::ExperimentDesign, Write::Result) => false,
            (Self::Static | Self::Workflow, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_compatibility_document() {
        let row = |kind: PluginType| [Write::Experiment, Write::Design, Write::Result].map(|write| kind.allows(write));
        assert_eq!(row(PluginType::Static), [false, false, false]);
        assert_eq!(row(PluginType::Analysis), [false, false, true]);
        assert_eq!(row(PluginType::ExperimentDesign), [true, true, false]);
        assert_eq!(row(PluginType::Full), [true, true, true]);
        assert_eq!(row(PluginType::Workflow), [false, false, false]);
    }
}
